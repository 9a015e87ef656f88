// SPDX-License-Identifier: Apache-2.0
import { compose, type PackResult } from '../core/policy/compose.ts';
import { matches } from '../core/policy/match.ts';
import { projector } from '../core/policy/projection.ts';
import type { SnapshotRevision } from '../core/policy/snapshot.ts';
import { plainCases, protectedCases, type TrialCase } from '../core/policy-pack/trial.ts';
import type { PackFault } from '../core/policy-pack/verification.ts';
import { askPack, type Evaluate } from '../policy/packs/ask.ts';
import type { LoadedRevision } from '../policy/packs/load.ts';

/** What is tried, and by what. */
export interface Trial {
  readonly revision: SnapshotRevision;
  readonly loaded: LoadedRevision;
  /** Whose pack it is; undefined is the platform. */
  readonly tenant: string | undefined;
  readonly platformNamespace: string;
  readonly evaluate: Evaluate;
  readonly now: Date;
}

/** What is evaluated for the first time is compiled on the way, on a machine that does other things: so it may fail that often before. */
const ATTEMPTS = 3;

/**
 * Tries a module on objects as they are everywhere, as admission would ask it. Undefined: it answers, and nothing that it says is against the
 * system itself.
 */
export async function tryPack(trial: Trial): Promise<PackFault | undefined> {
  for (const one of plainCases(trial.tenant)) {
    const result = await resultFor(trial, one);
    if (result.kind === 'failed') return failure(one, result);
  }
  if (trial.tenant !== undefined || trial.revision.enforcement !== 'Deny') return undefined;
  for (const one of protectedCases(trial.platformNamespace)) {
    if (!matches(trial.revision.binding, one.review, one.facts)) continue;
    const denial = await denialOf(trial, one);
    if (denial !== undefined && (await denialOf(trial, one.twin)) === undefined) return lockOut(one, denial);
  }
  return undefined;
}

async function resultFor(trial: Trial, one: TrialCase): Promise<PackResult> {
  let result = await ask(trial, one);
  for (let i = 1; i < ATTEMPTS && result.kind === 'failed'; i += 1) result = await ask(trial, one);
  return result;
}

async function ask(trial: Trial, { review, facts }: TrialCase): Promise<PackResult> {
  const { revision, loaded, tenant, evaluate, now } = trial;
  const { shape, trust, parameters } = revision;
  const constraints = loaded.constraints === undefined ? undefined : '[]';
  const text = projector(review, facts, now)({ shape, trust, parameters, constraints });
  const reply = await askPack(evaluate, {
    revision,
    loaded,
    input: Buffer.from(text),
    nowNs: BigInt(now.getTime()) * 1_000_000n,
    leftMs: () => Infinity,
    tenant,
  });
  return reply.result;
}

/** The first thing that the pack says against it. */
async function denialOf(trial: Trial, one: TrialCase): Promise<string | undefined> {
  const { review, facts } = one;
  const result = await resultFor(trial, one);
  const context = { review, facts, exemptions: [], now: trial.now };
  const { denials } = compose([{ pack: trial.revision, result }], context);
  return denials[0] && `${denials[0].rule}: ${denials[0].message}`;
}

function failure(
  { what }: TrialCase,
  { reason, message }: Extract<PackResult, { kind: 'failed' }>,
): PackFault {
  return {
    reason: 'EvaluationFailed',
    message: `tried on a plain ${what}, it fails (${reason}): ${message}`,
    passing: false,
  };
}

function lockOut({ what }: TrialCase, denial: string): PackFault {
  const message = `it refuses ${what} (${denial}), and not the same of a tenant: Kubernetes and NexusOS would be locked out. Leave such namespaces out by spec.binding.namespaceSelector or excludedNamespaces`;
  return { reason: 'LocksOut', message, passing: false };
}
