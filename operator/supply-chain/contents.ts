// SPDX-License-Identifier: Apache-2.0
import type { Sbom } from '../core/supply-chain/bill.ts';
import { type BudgetOutcome, withinBudget } from '../core/supply-chain/budget.ts';
import type { Document } from '../core/supply-chain/documents.ts';
import { type AssessedBy, exclusionsOf, isAhead } from '../core/supply-chain/exclusions.ts';
import type { Judgement, NotKnown, Refused } from '../core/supply-chain/judgement.ts';
import { isBuiltAsAsked, type Provenance, readProvenance } from '../core/supply-chain/provenance.ts';
import type {
  Asked,
  ProvenanceAsked,
  SbomAsked,
  StatementKind,
  VulnerabilitiesAsked,
  Waiver,
} from '../core/supply-chain/requirement.ts';
import { hasAllowedLicences, readSbom, sbomSummary } from '../core/supply-chain/sbom.ts';
import { type Check, failedCheck } from '../core/supply-chain/verdict.ts';
import { type Assessment, readVex } from '../core/supply-chain/vex.ts';
import { readVulnerabilities, scannedAtOf } from '../core/supply-chain/vulnerabilities.ts';
import type { Court, PartOutcome, Testimony } from './court.ts';
import { schemaProblem } from './sbom-schema.ts';
import type { XmlDocuments } from './xml-documents.ts';

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

/** What was believed, and whom. */
interface Told<T> {
  readonly by: string;
  readonly value: T;
}

/** The part as it comes out, and the first of what was believed. */
function partOf<T>(court: Court, { name, kind, asked, judge }: Part<T>): { check: Check; told?: Told<T> } {
  const { good, refused } = sort(court.hear(kind, asked), judge);
  const problem = court.missing(kind, asked, { heard: good, refused });
  const [first] = good;
  if (problem !== undefined || first === undefined) {
    return { check: problem === undefined ? verified(name, 'nothing asked') : failedCheck(name, problem) };
  }
  const by = first.signer.authority;
  return { check: verified(name, `stated by ${by}`), told: { by, value: first.value } };
}

function verified(name: Check['name'], message: string): Check {
  return { name, outcome: 'Verified', message };
}

/** Whether the image was built by whom and from what is asked for. */
export function checkBuilt(court: Court, asked: ProvenanceAsked): PartOutcome {
  const { check, told } = partOf<Provenance>(court, {
    name: 'provenance',
    kind: 'provenance',
    asked,
    judge: (predicate) => then(readProvenance(predicate), (found) => isBuiltAsAsked(found, asked)),
  });
  if (told === undefined) return { check };
  const { by, value } = told;
  const level = asked.builders.find(({ id }) => id === value.builder)?.level ?? 0;
  return { check, facts: { provenance: { ...value, by, level } } };
}

/** Whether there is a bill of materials, with licences that are allowed. */
export function checkListed(court: Court, asked: SbomAsked, xml: XmlDocuments): PartOutcome {
  const { check, told } = partOf<Sbom>(court, {
    name: 'sbom',
    kind: 'sbom',
    asked,
    judge: (predicate) =>
      schemaProblem(predicate) ??
      then(xml.documentOf(predicate), (bill) =>
        then(readSbom(bill), (found) => hasAllowedLicences(found, asked)),
      ),
  });
  return told === undefined
    ? { check }
    : { check, facts: { sbom: { by: told.by, ...sbomSummary(told.value) } } };
}

/** What vulnerabilities are held against besides the policy. */
export interface VulnerableCase {
  readonly image: string;
  readonly now: Date;
  readonly waivers: readonly Waiver[];
  readonly xml: XmlDocuments;
}

/** Whether the newest report of an authority is within the budget: an older one that was better is no argument. */
export function checkVulnerable(
  court: Court,
  asked: VulnerabilitiesAsked,
  { image, now, waivers, xml }: VulnerableCase,
): PartOutcome {
  const isExcluded = exclusionsOf(
    assessedBy(court, court.hear('vex', { from: asked.vexFrom }), { image, xml, now }),
    now,
  );
  for (const name of court.others('vex', asked.vexFrom)) {
    court.note(
      `a VEX document by ${name} does not count: the policy takes those of ${asked.vexFrom.join(', ') || 'nobody'}`,
    );
  }
  const judged = newest(court.hear('vulnerabilities', asked)).map((testimony): Judged => {
    const read = readVulnerabilities(testimony.statement.predicate);
    const outcome = then(read, (report) => withinBudget({ report, asked, isExcluded, waivers, now }));
    return { testimony, outcome };
  });
  const refused = judged.flatMap(({ outcome }) => (outcome.kind === 'refused' ? [outcome] : []));
  const spoilt = new Set(judged.filter((one) => one.outcome.kind !== 'verified').map(authorityOf));
  const good = judged.filter((one) => !spoilt.has(authorityOf(one)));
  const heard = good.map(({ testimony }) => testimony);
  const problem = court.missing('vulnerabilities', asked, { heard, refused }) ?? unreadReports(court);
  if (problem !== undefined) return { check: failedCheck('vulnerabilities', problem) };
  return withinPart(good);
}

/**
 * What VEX documents say. One that cannot be read may be the last of its authority, and take back what others of it say: none of them counts then, and why
 * is noted.
 */
function assessedBy(
  court: Court,
  heard: readonly Testimony[],
  { image, xml, now }: Omit<VulnerableCase, 'waivers'>,
): readonly AssessedBy[] {
  const unread = new Set<string>();
  const said = heard.flatMap(({ statement, signer: { authority } }): AssessedBy[] => {
    const read = then(xml.documentOf(statement.predicate), (document) => readVex(document, image));
    if (read.kind === 'verified') {
      noteAhead(court, authority, { said: read.value, now });
      return [{ by: authority, assessments: read.value }];
    }
    unread.add(authority);
    court.note(`a VEX document by ${authority} does not count: ${read.message}; nor do others by it`);
    return [];
  });
  return said.filter(({ by }) => !unread.has(by));
}

/** Once of what excuses, and once of what takes back. */
function noteAhead(
  court: Court,
  authority: string,
  { said, now }: { readonly said: readonly Assessment[]; readonly now: Date },
): void {
  const ahead = said.filter((one) => isAhead(one, now));
  for (const excludes of [true, false]) {
    const { saidAtMs } = ahead.find((one) => one.excludes === excludes) ?? {};
    if (saidAtMs === undefined) continue;
    const date = `is dated ${new Date(saidAtMs).toISOString()}, which is yet to come`;
    const follows = excludes
      ? `anything that ${authority} says otherwise takes it back`
      : `${authority} does not excuse what it takes back before that`;
    court.note(`a VEX document by ${authority} ${date}: ${follows}`);
  }
}

interface Judged {
  readonly testimony: Testimony;
  readonly outcome: Judgement<BudgetOutcome>;
}

function authorityOf({ testimony }: Judged): string {
  return testimony.signer.authority;
}

/** What could not be read may be a newer report: that an older one is within the budget tells nothing then. */
function unreadReports(court: Court): NotKnown | undefined {
  const unread = court.unread();
  return unread === undefined
    ? undefined
    : { ...unread, message: `vulnerabilities: a newer report may be there: ${unread.message}` };
}

/** The part as it comes out of reports that are all within the budget, as long as each of them is. */
function withinPart(good: readonly Judged[]): PartOutcome {
  const [first] = good;
  if (first?.outcome.kind !== 'verified') return { check: verified('vulnerabilities', 'nothing asked') };
  const { validUntil: _, ...counts } = first.outcome.value;
  const ends = good.flatMap(({ outcome }) => (outcome.kind === 'verified' ? [outcome.value.validUntil] : []));
  const until = ends.toSorted()[0];
  const scannedAt = scannedAtOf(first.testimony.statement.predicate) ?? '';
  return {
    check: verified('vulnerabilities', `within the budget by ${authorityOf(first)}`),
    facts: { vulnerabilities: { ...counts, by: authorityOf(first), scannedAt } },
    ...(until !== undefined && { validUntil: until }),
  };
}

/**
 * Of each authority what it said last, which is several reports where they are of one time. What does not say when it
 * was made may be the last.
 */
function newest(reports: readonly Testimony[]): readonly Testimony[] {
  const lastOf = new Map<string, number>();
  for (const report of reports) {
    const { authority } = report.signer;
    lastOf.set(authority, Math.max(lastOf.get(authority) ?? -Infinity, timeOf(report)));
  }
  return reports.filter((one) => timeOf(one) === lastOf.get(one.signer.authority));
}

function timeOf({ statement }: Testimony): number {
  const scannedAt = scannedAtOf(statement.predicate);
  return scannedAt === undefined ? Infinity : Date.parse(scannedAt);
}
