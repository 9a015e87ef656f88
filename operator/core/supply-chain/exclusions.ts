// SPDX-License-Identifier: Apache-2.0
import type { Finding } from './finding.ts';
import type { Assessment } from './vex.ts';
import { mayBeIn, type PackageName, packageNameOf } from './vex-scope.ts';

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
  /** Of what takes back, the packages that it may be of. */
  readonly packages: readonly (PackageName | undefined)[];
  /** When it was said, in ms, for those who compare. */
  readonly timeMs: number;
}

/** Who speaks of an image may have a clock that is ahead, by so much. */
const SKEW_MS = 300_000;

/**
 * By what each authority said last of a vulnerability in a package: that it does not affect the image is taken back by saying that it does, or that it
 * is being looked into. The word of one of them suffices. In one document what comes later counts where both are of one time (OpenVEX: a sequence of
 * statements, each overriding the previous ones); between documents, and where nothing tells the time, what does not exclude. What excludes is read as it
 * is written, letter by letter; what takes back, as what it may mean.
 */
export function exclusionsOf(documents: readonly AssessedBy[], now: Date): IsExcluded {
  const byName = new Map<string, Said[]>();
  // A statement by many names is of one list of packages.
  const named = new Map<readonly string[], Said['packages']>();
  for (const document of documents) {
    for (const one of document.assessments) {
      const packages = one.excludes ? [] : (named.get(one.purls) ?? one.purls.map(packageNameOf));
      named.set(one.purls, packages);
      const said = { ...one, by: document.by, document, packages, timeMs: timeOf(one, now) };
      const name = one.vulnerability.toLowerCase();
      const known = byName.get(name);
      if (known === undefined) byName.set(name, [said]);
      else known.push(said);
    }
  }
  return (finding) => isExcluded(finding, byName);
}

/** Whether a statement says that it was made in a time that is yet to come: one that excludes counts as if it did not say when. */
export function isAhead({ saidAtMs }: Assessment, now: Date): boolean {
  return saidAtMs !== undefined && saidAtMs > now.getTime() + SKEW_MS;
}

function isExcluded(finding: Finding, byName: ReadonlyMap<string, readonly Said[]>): boolean {
  const found = packageNameOf(finding.purl);
  const lastOf = new Map<AssessedBy, Said>();
  // What takes back and has no name is of any.
  for (const name of new Set([...finding.ids.map((id) => id.toLowerCase()), ''])) {
    for (const said of byName.get(name) ?? []) {
      if (!(said.excludes ? isOf(said, finding) : mayBeOf(said, found))) continue;
      lastOf.set(said.document, laterOf(said, lastOf.get(said.document)));
    }
  }
  const deciding = new Map<string, Said>();
  for (const said of lastOf.values()) deciding.set(said.by, laterOf(said, deciding.get(said.by)));
  return [...deciding.values()].some(({ excludes }) => excludes);
}

function isOf({ vulnerability, purls }: Said, { ids, purl }: Finding): boolean {
  return ids.includes(vulnerability) && (purls.length === 0 || purls.includes(purl));
}

function mayBeOf({ packages }: Said, found: PackageName | undefined): boolean {
  return packages.length === 0 || packages.some((one) => mayBeIn(one, found));
}

function laterOf(one: Said, other: Said | undefined): Said {
  if (other === undefined) return one;
  // Two that are both beyond all times are of one time: their difference is no number.
  const difference = one.timeMs === other.timeMs ? placeAfter(one, other) : one.timeMs - other.timeMs;
  if (difference === 0) return one.excludes ? other : one;
  return difference > 0 ? one : other;
}

function placeAfter(one: Said, other: Said): number {
  return one.document === other.document ? one.place - other.place : 0;
}

/**
 * What excludes and does not say when may have been taken back since; what takes back and does not say when may be the last. What excludes and is dated
 * ahead was said by now: a clock that was wrong once does not outlast all that is said until then.
 */
function timeOf(one: Assessment, now: Date): number {
  const { saidAtMs, excludes } = one;
  if (!excludes) return saidAtMs ?? Infinity;
  return saidAtMs === undefined || isAhead(one, now) ? -Infinity : Math.min(saidAtMs, now.getTime());
}
