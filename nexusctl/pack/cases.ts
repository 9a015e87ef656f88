// SPDX-License-Identifier: Apache-2.0
import type { NamespaceFacts, TenantFacts } from '#operator/core/policy/facts';
import { isObject, type JsonObject, listAt, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';
import { CommandError, EXIT } from '../cli/command.ts';
import { fixedTeller } from './image-fixtures.ts';
import { reviewOfRequest } from './review-of.ts';
import { judge, type PackVerdict, type ReadyPack } from './verdict.ts';

/** How a case came out. */
export interface CaseOutcome {
  readonly file: string;
  readonly name: string;
  readonly passed: boolean;
  /** Why it did not pass. */
  readonly why: string;
  /** Rules that said something. */
  readonly rules: readonly string[];
}

const VERDICTS = ['Allowed', 'Warned', 'Denied', 'NotBound'] as const;
const KEYS = [
  'name',
  'want',
  'messages',
  'request',
  'object',
  'oldObject',
  'operation',
  'userInfo',
  'resource',
].concat(['tenant', 'namespace', 'parameters', 'time', 'trust', 'images']);
/** Cases must not come out otherwise tomorrow: this is their time if they do not say. */
const TIME = '2026-01-01T00:00:00Z';

/** Runs one case: asks the pack, and compares what it does with what the case wants. */
export function runCase(ready: ReadyPack, { file, value }: SourceDocument): CaseOutcome {
  const name = textAt(value, 'name');
  const invalid = problemOf(value);
  if (invalid !== undefined) throw new CommandError(EXIT.usage, `${file}: ${invalid}`);
  const read = reviewOfRequest(requestOf(value));
  if (read.kind === 'refused') throw new CommandError(EXIT.usage, `${file}: ${read.message}`);
  const parameters = value['parameters'];
  const found = judge(ready, read.review, {
    facts: {
      tenant: tenantOf(value),
      namespace: namespaceOf(value, read.review.namespace),
      images: fixedTeller(value['images'] ?? [], file),
    },
    now: new Date(textAt(value, 'time') || TIME),
    trust: value['trust'] === 'Tenant' ? 'Tenant' : 'Platform',
    point: 'webhook',
    parameters: isObject(parameters) ? parameters : undefined,
  });
  const why = difference(value, found);
  return { file, name, passed: why === '', why, rules: rulesOf(found) };
}

function rulesOf({ composition }: PackVerdict): readonly string[] {
  const { denials = [], warnings = [], noted = [] } = composition ?? {};
  return [...new Set([...denials, ...warnings, ...noted].map(({ rule }) => rule))].toSorted();
}

function problemOf(value: JsonObject): string | undefined {
  if (textAt(value, 'name') === '') return 'name: must say what the case shows';
  if (!VERDICTS.some((one) => one === value['want'])) return `want: must be ${VERDICTS.join(' or ')}`;
  const stranger = Object.keys(value).find((key) => !KEYS.includes(key));
  if (stranger !== undefined) return `${stranger}: a case has ${KEYS.join(', ')}`;
  if (Number.isNaN(Date.parse(textAt(value, 'time') || TIME)))
    return 'time: must be a date and time, such as 2026-01-01T00:00:00Z';
  return undefined;
}

/** As `request` of an AdmissionReview, or in short: the object, and what is done to it. */
function requestOf(value: JsonObject): JsonObject {
  const given = ['object', 'oldObject', 'operation', 'userInfo', 'resource'].filter(
    (key) => value[key] !== undefined,
  );
  const short = Object.fromEntries(given.map((key) => [key, value[key]]));
  const { resource } = short;
  return {
    ...objectAt(value, 'request'),
    ...short,
    ...(typeof resource === 'string' && { resource: { resource } }),
  };
}

function tenantOf(value: JsonObject): TenantFacts | undefined {
  const tenant = value['tenant'];
  if (!isObject(tenant)) return undefined;
  return { labels: {}, plan: '', tier: '', ...tenant, name: textAt(tenant, 'name') };
}

function namespaceOf(value: JsonObject, name: string): NamespaceFacts | undefined {
  const labels = objectAt(objectAt(value, 'namespace'), 'labels') as Readonly<Record<string, string>>;
  return name === '' ? undefined : { name, labels };
}

function difference(value: JsonObject, { verdict, texts }: PackVerdict): string {
  const said = texts.length === 0 ? 'it said nothing' : `it said: ${texts.join('; ')}`;
  if (verdict !== value['want']) return `wanted ${String(value['want'])}, is ${verdict}; ${said}`;
  const missing = listAt(value, 'messages')
    .map(String)
    .filter((one) => !texts.some((text) => text.includes(one)));
  return missing.length === 0
    ? ''
    : `nobody said ${missing.map((one) => JSON.stringify(one)).join(', ')}; ${said}`;
}
