// SPDX-License-Identifier: Apache-2.0
import type { IsExcluded } from './exclusions.ts';
import type { Finding } from './finding.ts';
import { type Judgement, quote, refuse } from './judgement.ts';
import { SEVERITIES, type Severity, type VulnerabilitiesAsked, type Waiver } from './requirement.ts';
import type { VulnerabilityReport } from './vulnerabilities.ts';

/** What a report is held against. */
export interface BudgetCase {
  readonly report: VulnerabilityReport;
  readonly asked: VulnerabilitiesAsked;
  readonly isExcluded: IsExcluded;
  readonly waivers: readonly Waiver[];
  readonly now: Date;
}

/** What counted and what did not, for people and for rules. */
export interface BudgetOutcome {
  readonly counts: Readonly<Record<Severity, number>>;
  readonly excluded: number;
  readonly waived: number;
  /** When the outcome may be another one: the report is too old, or a waiver that was needed runs out. */
  readonly validUntil: string;
}

/** A report may be finished on a machine whose clock is ahead. */
const SKEW_MS = 300_000;

/** Ids that a message names. */
const NAMED = 5;

/** Whether an image is within its budget of vulnerabilities. */
export function withinBudget(given: BudgetCase): Judgement<BudgetOutcome> {
  const { report, asked, now } = given;
  const scannedAt = Date.parse(report.scannedAt);
  const staleAt = scannedAt + asked.maxAgeSeconds * 1000;
  if (scannedAt > now.getTime() + SKEW_MS) {
    return refuse(
      'ReportTooOld',
      `the vulnerability report is dated ${report.scannedAt}, which is yet to come`,
    );
  }
  if (now.getTime() >= staleAt) {
    return refuse(
      'ReportTooOld',
      `the scan was finished at ${report.scannedAt}; it may be ${asked.maxAgeSeconds} seconds old`,
    );
  }
  const open = report.findings.filter((one) => !given.isExcluded(one));
  const waivers = given.waivers.filter((one) => isInForce(one, now));
  const counted = open.filter((one) => !waivers.some((waiver) => covers(waiver, one)));
  const problem = overBudget(counted, given);
  if (problem !== undefined) return problem;
  const used = waivers.filter((waiver) => open.some((one) => covers(waiver, one)));
  const until = Math.min(staleAt, ...used.map((one) => Date.parse(one.expires)));
  return {
    kind: 'verified',
    value: {
      counts: countsOf(counted),
      excluded: report.findings.length - open.length,
      waived: open.length - counted.length,
      validUntil: new Date(until).toISOString(),
    },
  };
}

function isInForce({ notBefore, expires }: Waiver, now: Date): boolean {
  const begun = notBefore === undefined || Date.parse(notBefore) <= now.getTime();
  return begun && now.getTime() < Date.parse(expires);
}

function covers({ vulnerability, purl, maxScoreTenths }: Waiver, finding: Finding): boolean {
  const isLow = maxScoreTenths === undefined || (finding.scoreTenths ?? 100) <= maxScoreTenths;
  return finding.ids.includes(vulnerability) && (purl === undefined || purl === finding.purl) && isLow;
}

function countsOf(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const counts = { Critical: 0, High: 0, Medium: 0, Low: 0, Unscored: 0 };
  for (const { severity } of findings) counts[severity] += 1;
  return counts;
}

/** What breaks the budget; where it would be kept with a waiver that has run out, that is the reason. */
function overBudget(
  counted: readonly Finding[],
  { asked, waivers, now }: BudgetCase,
): ReturnType<typeof refuse> | undefined {
  const message = breachOf(counted, asked);
  if (message === undefined) return undefined;
  const expired = waivers.filter((one) => Date.parse(one.expires) <= now.getTime());
  const withThem = counted.filter((one) => !expired.some((waiver) => covers(waiver, one)));
  if (breachOf(withThem, asked) !== undefined) return refuse('OverBudget', message);
  const names = expired.map((one) => `${one.name} (${one.expires})`).slice(0, NAMED);
  return refuse('WaiverExpired', `${message}; expired: ${names.join(', ')}`);
}

function breachOf(
  counted: readonly Finding[],
  { budget, maxScoreTenths }: VulnerabilitiesAsked,
): string | undefined {
  for (const severity of SEVERITIES) {
    const most = budget[severity];
    const found = counted.filter((one) => one.severity === severity);
    if (most !== undefined && found.length > most) {
      return `${found.length} vulnerabilities are ${severity}, ${most} are allowed: ${namesOf(found)}`;
    }
  }
  if (maxScoreTenths === undefined) return undefined;
  const high = counted.filter((one) => highestTenths(one, budget) > maxScoreTenths);
  if (high.length === 0) return undefined;
  const isTold = high.some(({ scoreTenths }) => scoreTenths !== undefined);
  const verb = isTold ? 'score' : 'have no score, and may score';
  return `${high.length} vulnerabilities ${verb} above ${maxScoreTenths / 10}: ${namesOf(high)}`;
}

/** The highest base score of each band of CVSS, in tenths. */
const HIGHEST: Readonly<Record<Severity, number>> = {
  Critical: 100,
  High: 89,
  Medium: 69,
  Low: 39,
  Unscored: 100,
};

/**
 * What it scores; without a score, the most that what it is called may. What nobody has scored or named is let pass by its own number alone,
 * where the policy states one.
 */
function highestTenths({ scoreTenths, severity }: Finding, budget: VulnerabilitiesAsked['budget']): number {
  if (scoreTenths !== undefined) return scoreTenths;
  return severity === 'Unscored' && budget.Unscored !== undefined ? 0 : HIGHEST[severity];
}

function namesOf(findings: readonly Finding[]): string {
  const names = [...new Set(findings.map((one) => one.ids[0] ?? ''))];
  const rest = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names
    .slice(0, NAMED)
    .map((name) => quote(name).slice(1, -1))
    .join(', ')}${rest}`;
}
