// SPDX-License-Identifier: Apache-2.0
import type { PolicyPack } from '../../core/policy-pack/pack.ts';
import { asksForReport } from '../../core/policy-pack/beginning.ts';
import type { PackObserved, SourceSeen } from '../../core/policy-pack/plan.ts';
import type { BlastReports } from '../../core/scan/world.ts';
import type { Reader } from '../../runtime/controller.ts';
import { scanWorld } from './policy-world.ts';
import { POLICY_PACK_REVISIONS } from './resources.ts';

/** What is asked, and of whom. */
export interface BlastLooking {
  readonly read: Reader;
  readonly platformNamespace: string;
  readonly source: SourceSeen;
  /** Undefined: there is nobody to ask. */
  readonly reports: BlastReports | undefined;
}

/** What the wanted revision would do to what exists, if that is what is to be known now. */
export function seeBlast(
  pack: PolicyPack,
  { read, platformNamespace, source, reports }: BlastLooking,
): Pick<PackObserved, 'blast' | 'blastProgress'> {
  if (reports === undefined) return { blast: 'none' };
  const wanted = source.kind === 'found' ? source.wanted.name : undefined;
  const { namespace = '', uid = '', deletionTimestamp } = pack.metadata;
  const revision =
    wanted === undefined ? undefined : read.get(POLICY_PACK_REVISIONS, { namespace, name: wanted });
  const isAsked = deletionTimestamp === undefined && asksForReport({ pack, wanted });
  if (revision === undefined || !isAsked) {
    if (!isAsked) reports.forget(uid);
    return { blast: undefined };
  }
  const active = pack.status?.activeRevision ?? '';
  const against = active === '' ? undefined : read.get(POLICY_PACK_REVISIONS, { namespace, name: active });
  // Nobody can tell what would change when what decides is gone.
  if (active !== '' && against === undefined) return { blast: 'none' };
  const answer = reports.ask({ pack, revision, against, world: scanWorld(read, platformNamespace) });
  return answer.kind === 'known'
    ? { blast: answer.report }
    : { blast: undefined, blastProgress: answer.progress };
}
