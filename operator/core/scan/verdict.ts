// SPDX-License-Identifier: Apache-2.0
import { truncate } from '../conditions.ts';
import { compose, type Objection, type PackResult } from '../policy/compose.ts';
import type { Exemption } from '../policy/exemption.ts';
import type { AskedRevision } from './live-review.ts';

/** In the words of reports: fail would be refused, warn is told, error could not be judged, skip is exempt. */
export const FINDING_RESULTS = ['fail', 'error', 'warn', 'skip'] as const;
/** One of them. */
export type FindingResult = (typeof FINDING_RESULTS)[number];

/** What a pack says against an object that exists. */
export interface ScanFinding {
  readonly rule: string;
  readonly result: FindingResult;
  readonly message: string;
  /** Name of the exemption that lifts it. */
  readonly exemption?: string;
}

/** What a pack says of an object that exists. */
export interface ScanVerdict {
  readonly isDenied: boolean;
  readonly findings: readonly ScanFinding[];
}

/** Of one object and pack: a report is for people, who fix what it says first. */
const MAX_FINDINGS = 16;
const MAX_MESSAGE = 512;

/** What the answer of a revision comes to for an object, with the exemptions that count at `now`: as in admission, by the same function. */
export function verdictOn(
  { revision, review, facts }: AskedRevision,
  result: PackResult,
  { exemptions, now }: { readonly exemptions: readonly Exemption[]; readonly now: Date },
): ScanVerdict {
  const { allowed, denials, warnings, noted, lifted } = compose([{ pack: revision, result }], {
    review,
    facts,
    exemptions,
    now,
  });
  const findings = [
    ...denials.map((one) => findingOf(one, one.isFailure === true ? 'error' : 'fail')),
    // That it could not be judged is told as that, however mild the pack is.
    ...[...warnings, ...noted].map((one) => findingOf(one, one.isFailure === true ? 'error' : 'warn')),
    ...lifted.map(({ objection, exemption }) => ({
      ...findingOf(objection, 'skip'),
      exemption: exemption.name,
    })),
  ];
  return { isDenied: !allowed, findings: findings.slice(0, MAX_FINDINGS) };
}

function findingOf({ rule, message, field }: Objection, result: FindingResult): ScanFinding {
  const where = field === undefined ? '' : ` (${field})`;
  return { rule, result, message: truncate(message + where, MAX_MESSAGE) };
}

/** The earliest moment after `now` at which an exemption ends, in milliseconds; undefined: none does. */
export function nextExpiryMs(
  exemptions: readonly Pick<Exemption, 'expiresAt'>[],
  now: Date,
): number | undefined {
  const ends = exemptions
    .map(({ expiresAt }) => Date.parse(expiresAt) - now.getTime())
    .filter((left) => left > 0);
  return ends.length === 0 ? undefined : Math.min(...ends);
}
