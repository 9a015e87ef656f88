// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';

/** Names of revisions, the newest first; those of one second by name. */
export function newestFirst(revisions: readonly Pick<KubeObject, 'metadata'>[]): readonly string[] {
  return revisions.toSorted((a, b) => (ageOf(a) > ageOf(b) ? -1 : 1)).map(({ metadata }) => metadata.name);
}

/** That `target`, which spec.rollbackTo of a pack names, is none of its revisions, and which there are: as admission and the status say it. */
export function noSuchRevision(target: string, pack: string, names: readonly string[]): string {
  const ways = names.length === 0 ? 'there are none' : `there are, newest first: ${names.join(', ')}`;
  return `spec.rollbackTo: ${target} is no PolicyPackRevision of ${pack}, and nothing goes back; ${ways}`;
}

function ageOf({ metadata }: Pick<KubeObject, 'metadata'>): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.name}`;
}
