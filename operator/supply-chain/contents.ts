// SPDX-License-Identifier: Apache-2.0
import { withinBudget } from '../core/supply-chain/budget.ts';
import type { Document } from '../core/supply-chain/documents.ts';
import type { Judgement, Refused } from '../core/supply-chain/judgement.ts';
import { isBuiltAsAsked, type Provenance, readProvenance } from '../core/supply-chain/provenance.ts';
import type {
  Asked,
  ProvenanceAsked,
  SbomAsked,
  StatementKind,
  VulnerabilitiesAsked,
  Waiver,
} from '../core/supply-chain/requirement.ts';
import { hasAllowedLicences, readSbom, type Sbom } from '../core/supply-chain/sbom.ts';
import { type Check, failedCheck } from '../core/supply-chain/verdict.ts';
import { readVex } from '../core/supply-chain/vex.ts';
import { readVulnerabilities, type VulnerabilityReport } from '../core/supply-chain/vulnerabilities.ts';
import type { Court, PartOutcome, Testimony } from './court.ts';

/** Testimonies whose contents are as asked, with what they were read as; and what is wrong with the others. */
interface Sorted<T> {
  readonly good: readonly (Testimony & { readonly value: T })[];
  readonly refused: readonly Refused[];
}

function sort<T>(heard: readonly Testimony[], judge: (predicate: Document) => Judgement<T>): Sorted<T> {
  const good: (Testimony & { readonly value: T })[] = [];
  const refused: Refused[] = [];
  for (const testimony of heard) {
    const judged = judge(testimony.statement.predicate);
    if (judged.kind === 'verified') good.push({ ...testimony, value: judged.value });
    else if (judged.kind === 'refused') refused.push(judged);
  }
  return { good, refused };
}

function then<T, U>(judged: Judgement<T>, next: (value: T) => Judgement<U>): Judgement<U> {
  return judged.kind === 'verified' ? next(judged.value) : judged;
}

interface Part<T> {
  readonly name: Check['name'];
  readonly kind: StatementKind;
  readonly asked: Asked;
  readonly judge: (predicate: Document) => Judgement<T>;
}

/** The part as it comes out, and the first of what was believed. */
function partOf<T>(court: Court, { name, kind, asked, judge }: Part<T>): { check: Check; value?: T } {
  const { good, refused } = sort(court.hear(kind, asked), judge);
  const problem = court.missing(kind, asked, { heard: good, refused });
  const [first] = good;
  if (problem !== undefined || first === undefined) {
    return { check: problem === undefined ? verified(name, 'nothing asked') : failedCheck(name, problem) };
  }
  return { check: verified(name, `stated by ${first.signer.authority}`), value: first.value };
}

function verified(name: Check['name'], message: string): Check {
  return { name, outcome: 'Verified', message };
}

/** Whether the image was built by whom and from what is asked for. */
export function checkBuilt(court: Court, asked: ProvenanceAsked): PartOutcome {
  const { check, value } = partOf<Provenance>(court, {
    name: 'provenance',
    kind: 'provenance',
    asked,
    judge: (predicate) => then(readProvenance(predicate), (found) => isBuiltAsAsked(found, asked)),
  });
  return { check, ...(value !== undefined && { facts: { provenance: value } }) };
}

/** Whether there is a bill of materials, with licences that are allowed. */
export function checkListed(court: Court, asked: SbomAsked): PartOutcome {
  const { check, value } = partOf<Sbom>(court, {
    name: 'sbom',
    kind: 'sbom',
    asked,
    judge: (predicate) => then(readSbom(predicate), (found) => hasAllowedLicences(found, asked)),
  });
  if (value === undefined) return { check };
  return { check, facts: { sbom: { format: value.format, components: value.components.length } } };
}

/** What vulnerabilities are held against besides the policy. */
export interface VulnerableCase {
  readonly image: string;
  readonly now: Date;
  readonly waivers: readonly Waiver[];
}

/** Whether the newest report of an authority is within the budget: an older one that was better is no argument. */
export function checkVulnerable(
  court: Court,
  asked: VulnerabilitiesAsked,
  { image, now, waivers }: VulnerableCase,
): PartOutcome {
  const exclusions = court
    .hear('vex', { from: asked.vexFrom })
    .flatMap(({ statement }) => readVex(statement.predicate, image));
  for (const name of court.others('vex', asked.vexFrom)) {
    court.note(
      `a VEX document by ${name} does not count: the policy takes those of ${asked.vexFrom.join(', ') || 'nobody'}`,
    );
  }
  const read = sort(court.hear('vulnerabilities', asked), readVulnerabilities);
  const judged = newest(read.good).map((one) => ({
    testimony: one,
    outcome: withinBudget({ report: one.value, asked, exclusions, waivers, now }),
  }));
  const heard = judged.filter(({ outcome }) => outcome.kind === 'verified').map(({ testimony }) => testimony);
  const refused = judged.flatMap(({ outcome }) => (outcome.kind === 'refused' ? [outcome] : []));
  const problem = court.missing('vulnerabilities', asked, { heard, refused: [...read.refused, ...refused] });
  if (problem !== undefined) return { check: failedCheck('vulnerabilities', problem) };
  const first = judged.find(({ outcome }) => outcome.kind === 'verified');
  if (first?.outcome.kind !== 'verified') return { check: verified('vulnerabilities', 'nothing asked') };
  const { validUntil, ...counts } = first.outcome.value;
  const { scannedAt } = first.testimony.value;
  return {
    check: verified('vulnerabilities', `within the budget by ${first.testimony.signer.authority}`),
    facts: { vulnerabilities: { ...counts, scannedAt } },
    validUntil,
  };
}

type Report = Testimony & { readonly value: VulnerabilityReport };

function newest(reports: readonly Report[]): readonly Report[] {
  const byAuthority = new Map<string, Report>();
  for (const report of reports.toSorted((one, other) =>
    one.value.scannedAt.localeCompare(other.value.scannedAt),
  )) {
    byAuthority.set(report.signer.authority, report);
  }
  return [...byAuthority.values()];
}
