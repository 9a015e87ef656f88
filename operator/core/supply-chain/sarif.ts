// SPDX-License-Identifier: Apache-2.0
import { asList, asText, at } from './documents.ts';
import { type Finding, ofScore, severityOf, tenthsOf, worst } from './finding.ts';
import { quote, refuse, type Refused } from './judgement.ts';
import type { Severity } from './requirement.ts';

/** Whether the result of a scan is in SARIF. */
export function isSarif(result: unknown): boolean {
  return Array.isArray(at(result, 'runs'));
}

/** What of a run is read, and may be told beside it: in files of their own (SARIF 2.1.0, 3.15.3), or at the end of the log (3.13.5). */
const READ = ['results', 'driver', 'extensions', 'invocations'];

/**
 * Why a log in SARIF tells of no scan that came to its end, which is not that nothing was found: it has no runs, or one that has no results (SARIF 2.1.0,
 * 3.14.23: nobody looked), says that it failed (3.20.14), or has what would be read elsewhere. Undefined of what is in another form.
 */
export function sarifProblem(result: unknown): Refused | undefined {
  if (!isSarif(result)) return undefined;
  const runs = asList(at(result, 'runs'));
  if (runs.length === 0) return refuse('Malformed', 'the vulnerability report in SARIF has no runs');
  const inline = asList(at(result, 'inlineExternalProperties')).map(toldIn).find(isText);
  const fault = inline === undefined ? runs.map(runFault).find(isText) : `has ${inline} outside of its runs`;
  return fault === undefined ? undefined : refuse('Malformed', `the vulnerability report in SARIF ${fault}`);
}

function runFault(run: unknown): string | undefined {
  const tool = quote(asText(at(run, 'tool', 'driver', 'name')) ?? '');
  const elsewhere = toldIn(at(run, 'externalPropertyFileReferences'));
  if (elsewhere !== undefined) return `has a run of ${tool} with ${elsewhere} in files beside it`;
  if (!Array.isArray(at(run, 'results'))) return `has a run of ${tool} without results`;
  const hasFailed = asList(at(run, 'invocations')).some((one) => at(one, 'executionSuccessful') === false);
  return hasFailed ? `says that ${tool} failed` : undefined;
}

/** The first of what is read that is there, and is not an empty list. */
function toldIn(document: unknown): string | undefined {
  return READ.find((field) => {
    const value = at(document, field);
    return value !== undefined && !(Array.isArray(value) && value.length === 0);
  });
}

function isText(value: string | undefined): value is string {
  return value !== undefined;
}

/** The findings of a log in SARIF: those that are suppressed as well, since who may excuse them says the policy. */
export function ofSarif(result: unknown): readonly Finding[] {
  return asList(at(result, 'runs')).flatMap((run) => {
    const rules = rulesOf(run);
    return asList(at(run, 'results'))
      .filter(isThere)
      .map((one) => findingOf(one, run, rules));
  });
}

/** That something was looked for and is not there, or is there no more, is told as a result as well (3.27.9, 3.27.24). */
function isThere(result: unknown): boolean {
  const kind = at(result, 'kind');
  return kind !== 'pass' && kind !== 'notApplicable' && at(result, 'baselineState') !== 'absent';
}

/** What rules of one id say that is of all of their results. */
interface Rule {
  readonly tenths: readonly number[];
  readonly words: readonly Severity[];
  readonly level: string | undefined;
}

function rulesOf(run: unknown): ReadonlyMap<string, Rule> {
  const tools = [at(run, 'tool', 'driver'), ...asList(at(run, 'tool', 'extensions'))];
  const rules = new Map<string, Rule>();
  for (const rule of tools.flatMap((tool) => asList(at(tool, 'rules')))) {
    const id = asText(at(rule, 'id')) ?? '';
    const known = rules.get(id) ?? SILENT;
    rules.set(id, {
      tenths: [...known.tenths, ...securitySeverity(rule)],
      words: [...known.words, ...wordsOf(rule)],
      level: known.level ?? asText(at(rule, 'defaultConfiguration', 'level')),
    });
  }
  return rules;
}

/**
 * The worst of the numbers, of the words, and of the level that speak of a result: its own, and those of the rules that it names by id or by place. A rule at
 * the place that has another id lends no name, by which somebody might be excused. A rule is of a vulnerability in all packages, and has the number of one of
 * them; the level is the result's own, and those who scan say `error` of what is high or critical. By itself it is no measure: code that is not
 * secure is an error as well.
 */
function findingOf(result: unknown, run: unknown, rules: ReadonlyMap<string, Rule>): Finding {
  const placed = ruleAt(run, result);
  const told = asText(at(result, 'ruleId')) ?? asText(at(result, 'rule', 'id')) ?? placed;
  const ids = told === undefined ? [] : [told, ...leadingParts(told).filter((part) => rules.has(part))];
  const spoken = [...new Set([...ids, placed])].flatMap((id) => rules.get(id ?? '') ?? []);
  const tenths = [...spoken.flatMap((rule) => rule.tenths), ...securitySeverity(result)];
  const named = [...spoken.flatMap(({ words }) => words), ...wordsOf(result), ...tenths.map(ofScore)];
  const usual = spoken.find(({ level }) => level !== undefined)?.level;
  const isError = (asText(at(result, 'level')) ?? usual) === 'error';
  return {
    ids: [...new Set(ids.flatMap(namesOf))],
    purl: '',
    severity: worst(named.length > 0 && isError ? [...named, 'High'] : named),
    ...(tenths.length > 0 && { scoreTenths: Math.max(...tenths) }),
  };
}

/** A result may say more than the id of its rule, behind a slash (3.27.5, 3.52.4): `CVE-2026-0001/openssl` is of the rule `CVE-2026-0001`. The longest comes first. */
function leadingParts(id: string): readonly string[] {
  const parts = id.split('/', MOST_PARTS);
  return parts.slice(1).map((_, index) => parts.slice(0, parts.length - 1 - index).join('/'));
}

/** More than anybody writes: whoever writes a thousand is not looked up as often. */
const MOST_PARTS = 8;

const SILENT: Rule = { tenths: [], words: [], level: undefined };

/** Grype writes the package behind the vulnerability, `CVE-2026-0001-openssl`: by the vulnerability it is waived. */
const OF_A_PACKAGE = /^(CVE-\d{4}-\d{4,19}|GHSA(?:-[0-9a-z]{4}){3})-./;

function namesOf(id: string): readonly string[] {
  const vulnerability = OF_A_PACKAGE.exec(id)?.[1];
  return vulnerability === undefined ? [id] : [id, vulnerability];
}

/** A result may name its rule by the place in the list of whoever has it. */
function ruleAt(run: unknown, result: unknown): string | undefined {
  const index = at(result, 'rule', 'index') ?? at(result, 'ruleIndex');
  const rules = asList(at(toolOf(run, result), 'rules'));
  return typeof index === 'number' ? asText(at(rules[index], 'id')) : undefined;
}

function toolOf(run: unknown, result: unknown): unknown {
  const component = at(result, 'rule', 'toolComponent');
  if (component === undefined) return at(run, 'tool', 'driver');
  const index = at(component, 'index');
  return typeof index === 'number' ? asList(at(run, 'tool', 'extensions'))[index] : undefined;
}

/** Trivy and Grype write 0.0 of what nobody has scored: that is no score. */
function securitySeverity(one: unknown): readonly number[] {
  const tenths = tenthsOf(at(one, 'properties', 'security-severity'));
  return tenths === undefined || tenths === 0 ? [] : [tenths];
}

/** Trivy has the word among the tags. */
function wordsOf(one: unknown): readonly Severity[] {
  return asList(at(one, 'properties', 'tags')).flatMap((tag) => severityOf(asText(tag) ?? '') ?? []);
}
