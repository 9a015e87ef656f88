// SPDX-License-Identifier: Apache-2.0
import type { PolicyPack } from '../../core/policy-pack/pack.ts';
import { asksForReport } from '../../core/policy-pack/beginning.ts';
import type { PackObserved, SourceSeen } from '../../core/policy-pack/plan.ts';
import type { BlastReports } from '../../core/scan/world.ts';
import type { Reader } from '../../runtime/controller.ts';
import { scanWorld, seesImages } from './policy-world.ts';
import type { ProvenImages } from './proven-images.ts';
import { POLICY_PACK_REVISIONS } from '../../core/resources.ts';

/** What is asked, and of whom. */
export interface BlastLooking {
  readonly read: Reader;
  readonly platformNamespace: string;
  readonly source: SourceSeen;
  /** Undefined: there is nobody to ask. */
  readonly reports: BlastReports | undefined;
  /** What rules are told of images. */
  readonly images: ProvenImages;
}

/** What the wanted revision would do to what exists, if that is what is to be known now. */
export function seeBlast(
  pack: PolicyPack,
  looking: BlastLooking,
): Pick<PackObserved, 'blast' | 'blastProgress'> {
  const { source, reports } = looking;
  if (reports === undefined) return { blast: 'none' };
  const wanted = source.kind === 'found' ? source.wanted.name : undefined;
  const { deletionTimestamp, uid = '' } = pack.metadata;
  if (wanted === undefined || deletionTimestamp !== undefined || !asksForReport({ pack, wanted })) {
    reports.forget(uid);
    return { blast: undefined };
  }
  return ask(pack, wanted, { ...looking, reports });
}

function ask(
  pack: PolicyPack,
  wanted: string,
  { read, platformNamespace, reports, images }: BlastLooking & { readonly reports: BlastReports },
): Pick<PackObserved, 'blast' | 'blastProgress'> {
  const find = (name: string) =>
    read.get(POLICY_PACK_REVISIONS, { namespace: pack.metadata.namespace ?? '', name });
  const active = pack.status?.activeRevision ?? '';
  const revision = find(wanted);
  const against = active === '' ? undefined : find(active);
  if (revision === undefined) return { blast: undefined };
  // Nobody can tell what would change when what decides is gone.
  if (active !== '' && against === undefined) return { blast: 'none' };
  const isTold = [pack, against].some((one) => one !== undefined && seesImages(one));
  const world = scanWorld(read, platformNamespace, isTold ? images : undefined);
  const answer = reports.ask({ pack, revision, against, world });
  return answer.kind === 'known'
    ? { blast: answer.report }
    : { blast: undefined, blastProgress: answer.progress };
}
