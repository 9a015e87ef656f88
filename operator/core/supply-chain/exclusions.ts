// SPDX-License-Identifier: Apache-2.0
import type { Finding } from './finding.ts';
import type { Assessment } from './vex.ts';

/** What one document says, and whose it is. */
export interface AssessedBy {
  readonly by: string;
  readonly assessments: readonly Assessment[];
}

/** Whether a finding does not count, by what those say who looked. */
export type IsExcluded = (finding: Finding) => boolean;

interface Said extends Assessment {
  readonly by: string;
  readonly document: AssessedBy;
}

/**
 * By what each authority said last of a vulnerability in a package: that it does not affect the image is taken back by saying that it does, or that it
 * is being looked into. The word of one of them suffices. In one document what comes later counts where both are of one time (OpenVEX: a sequence of
 * statements, each overriding the previous ones); between documents, and where nothing tells the time, what does not exclude.
 */
export function exclusionsOf(documents: readonly AssessedBy[]): IsExcluded {
  const byName = new Map<string, Said[]>();
  for (const document of documents) {
    for (const one of document.assessments) {
      const said = { ...one, by: document.by, document };
      const known = byName.get(one.vulnerability);
      if (known === undefined) byName.set(one.vulnerability, [said]);
      else known.push(said);
    }
  }
  return (finding) => isExcluded(finding, byName);
}

function isExcluded({ ids, purl }: Finding, byName: ReadonlyMap<string, readonly Said[]>): boolean {
  const lastOf = new Map<AssessedBy, Said>();
  for (const id of ids) {
    for (const said of byName.get(id) ?? []) {
      if (said.purls.length > 0 && !said.purls.includes(purl)) continue;
      lastOf.set(said.document, laterOf(said, lastOf.get(said.document)));
    }
  }
  const deciding = new Map<string, Said>();
  for (const said of lastOf.values()) deciding.set(said.by, laterOf(said, deciding.get(said.by)));
  return [...deciding.values()].some(({ excludes }) => excludes);
}

function laterOf(one: Said, other: Said | undefined): Said {
  if (other === undefined) return one;
  const difference = timeOf(one) - timeOf(other) || placeAfter(one, other);
  if (difference === 0) return one.excludes ? other : one;
  return difference > 0 ? one : other;
}

function placeAfter(one: Said, other: Said): number {
  return one.document === other.document ? one.place - other.place : 0;
}

/** What excludes and does not say when may have been taken back since; what takes back and does not say when may be the last. */
function timeOf({ saidAtMs, excludes }: Said): number {
  return saidAtMs ?? (excludes ? -Infinity : Infinity);
}
