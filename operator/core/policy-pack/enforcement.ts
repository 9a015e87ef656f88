// SPDX-License-Identifier: Apache-2.0
import { POLICY_PACK_REASONS, type PackPhase, type PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { ConditionInput, Standing } from '../conditions.ts';
import { reconciling, type Stand, stalled } from './move.ts';
import { enforces, loadingOf, quarantineOf, someOf } from './replicas.ts';

const { Enforced, NoReplicas, Loading, Loaded, Quarantined, NotEnforced, RolledBack } = POLICY_PACK_REASONS;

/** What decides, as replicas name it. */
export interface Deciding {
  readonly active: string | undefined;
  readonly candidate: string | undefined;
  readonly phase: PackPhase | undefined;
}

/** Whether every replica that is alive decides by what is active, and what to say of it. */
export function enforcementOf(
  stand: Stand,
  deciding: Deciding,
): { readonly kind: 'enforced' | 'waiting'; readonly standing: Standing } {
  const { active } = deciding;
  if (stand.live.length === 0) {
    const message = 'there is no replica that could enforce anything';
    return { kind: 'waiting', standing: reconciling(NoReplicas, message) };
  }
  const late = stand.live.filter((one) => !enforces(one, allowedOf(stand, deciding)));
  if (late.length > 0) {
    const names = someOf(late.map(({ name }) => name));
    return { kind: 'waiting', standing: reconciling(NotEnforced, `not yet enforced by ${names}`) };
  }
  const trouble = active === undefined ? undefined : quarantineOf(stand.live, active);
  if (trouble !== undefined) {
    const words = `${active} is not run any more by some replicas: ${trouble.message ?? trouble.reason}`;
    return { kind: 'enforced', standing: stalled(Quarantined, words) };
  }
  return { kind: 'enforced', standing: enforcedStanding(stand, active) };
}

function enforcedStanding({ live, spec, qualified }: Stand, active: string | undefined): Standing {
  const replicas = live.length === 1 ? 'the one replica' : `all ${live.length} replicas`;
  const message = `${active ?? 'nothing'} is enforced by ${replicas}`;
  const { rollbackTo } = spec;
  if (rollbackTo === undefined || qualified(rollbackTo) !== active)
    return { kind: 'ready', reason: Enforced, message };
  return { kind: 'ready', reason: RolledBack, message: `${message}, since spec.rollbackTo names it` };
}

/** How many replicas there are, and how far they are. */
export function tallyOf(stand: Stand, deciding: Deciding): NonNullable<PolicyPackStatus['replicas']> {
  const { active, candidate } = deciding;
  const revisions = [active, candidate].filter((one) => one !== undefined);
  const isPrepared = (names: readonly string[]) => revisions.every((one) => names.includes(one));
  const allowed = allowedOf(stand, deciding);
  return {
    known: stand.live.length,
    prepared: stand.live.filter(({ prepared }) => isPrepared(prepared)).length,
    enforcing: stand.live.filter((one) => enforces(one, allowed)).length,
  };
}

/** The condition Loaded: whether replicas have loaded all that they are to decide by, or may have to. */
export function loadedCondition(stand: Stand, revisions: readonly string[]): ConditionInput {
  const loading = loadingOf(stand.live, revisions);
  switch (loading.kind) {
    case 'nobody':
      return no(NoReplicas, 'there is no replica');
    case 'refused':
      return no(
        Loading,
        `${loading.name} cannot load ${loading.trouble.revision}: ${saidOf(loading.trouble)}`,
      );
    case 'waiting':
      return no(Loading, `not loaded yet by ${someOf(loading.names)}`);
    default: {
      const what = revisions.length === 0 ? 'there is nothing to load' : `loaded by all replicas`;
      return { type: 'Loaded', status: 'True', reason: Loaded, message: what };
    }
  }
}

function no(reason: string, message: string): ConditionInput {
  return { type: 'Loaded', status: 'False', reason, message };
}

function saidOf({
  message,
  reason,
}: {
  readonly message?: string | undefined;
  readonly reason: string;
}): string {
  return message ?? reason;
}

/** Revisions that were undone are the pack's as well: who still decides by one of them is not done. */
function allowedOf(stand: Stand, { active, candidate, phase }: Deciding) {
  const known = [...stand.revisions, ...(stand.was.rejected ?? [])].map(stand.qualified);
  return { active, also: phase === 'Cohort' ? candidate : undefined, revisions: new Set(known) };
}
