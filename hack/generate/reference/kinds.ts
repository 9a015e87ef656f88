// SPDX-License-Identifier: Apache-2.0
import type { CelRule, KindDescriptor } from '#crds/openapi/kind';
import { type Schema, toStructural } from '#crds/openapi/structural';
import { KINDS } from '#crds/v1alpha1/index';
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** One page per kind: every field with type, default, limits and the rules that the API server holds it to. */
export function kindPages(): readonly GeneratedFile[] {
  return KINDS.map((kind) => ({ path: `docs/reference/${kind.singular}.md`, text: kindPage(kind) }));
}

function kindPage(kind: KindDescriptor): string {
  const spec = toStructural(kind.spec, 'spec');
  const status = kind.status && toStructural(kind.status, 'status');
  const names = [`\`${kind.plural}.${kind.group}\``, ...kind.shortNames.map((name) => `\`${name}\``)];
  const scope = kind.scope === 'Cluster' ? 'Cluster-scoped' : 'Namespaced';
  return [
    pageHead(kind.kind, 'crds/v1alpha1'),
    `${kind.description}\n`,
    `\`apiVersion: ${kind.group}/${kind.version}\`, \`kind: ${kind.kind}\`. ${scope}. Names for kubectl: ${names.join(', ')}.\n`,
    `## spec\n\n${fieldTable(fieldsOf(spec, 'spec'))}`,
    `## Rules\n\n${rulesText([...ruleRows(kind.rules, ''), ...rulesOf(spec, 'spec')])}`,
    `## status\n\n${status === undefined ? 'None.\n' : fieldTable(fieldsOf(status, 'status'))}`,
    `## Columns of \`kubectl get\`\n\n${columnTable(kind)}`,
    ...selectableText(kind),
  ].join('\n');
}

interface Field {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** All fields below `schema`, depth first; `[]` are the items of a list, `{}` the values of a map. */
function fieldsOf(schema: Schema, path: string): readonly Field[] {
  const required = (schema['required'] ?? []) as readonly string[];
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  return properties.flatMap(([name, child]) => {
    const field = { path: `${path}.${name}`, schema: child, required: required.includes(name) };
    return [field, ...fieldsBelow(child, field.path)];
  });
}

function fieldsBelow(schema: Schema, path: string): readonly Field[] {
  const items = schema['items'] as Schema | undefined;
  const values = schema['additionalProperties'] as Schema | undefined;
  if (items !== undefined) return fieldsBelow(items, `${path}[]`);
  if (values !== undefined) return fieldsBelow(values, `${path}{}`);
  return fieldsOf(schema, path);
}

function fieldTable(fields: readonly Field[]): string {
  if (fields.length === 0) return 'Nothing yet.\n';
  const rows = fields.map(({ path, schema, required }) => [
    code(path),
    typeName(schema),
    defaultOf(schema, required),
    limits(schema).join('; '),
    typeof schema['description'] === 'string' ? schema['description'] : '',
  ]);
  return table(['field', 'type', 'default', 'limits', 'what it is'], rows);
}

function defaultOf(schema: Schema, required: boolean): string {
  if (schema['default'] !== undefined) return code(JSON.stringify(schema['default']));
  return required ? 'required' : '';
}

function typeName(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'quantity';
  const items = schema['items'] as Schema | undefined;
  if (items !== undefined) return `list of ${typeName(items)}`;
  const values = schema['additionalProperties'] as Schema | undefined;
  if (values !== undefined) return `map to ${typeName(values)}`;
  return schema['format'] === 'date-time' ? 'instant' : String(schema['type']);
}

const LIMITS: readonly (readonly [key: string, words: (value: string) => string])[] = [
  ['minimum', (value) => `at least ${value}`],
  ['maximum', (value) => (value === String(Number.MAX_SAFE_INTEGER) ? '' : `at most ${value}`)],
  ['minLength', (value) => `${value} characters or more`],
  ['maxLength', (value) => `at most ${value} characters`],
  ['pattern', code],
  ['maxItems', (value) => `at most ${value} items`],
  ['maxProperties', (value) => `at most ${value} entries`],
  ['x-kubernetes-list-map-keys', (value) => `unique by ${value}`],
];

function limits(schema: Schema): readonly string[] {
  const values = schema['enum'] as readonly unknown[] | undefined;
  const choice = values === undefined ? [] : [`one of ${values.map((one) => code(String(one))).join(', ')}`];
  const own = LIMITS.filter(([key]) => schema[key] !== undefined).map(([key, words]) =>
    words(String(schema[key])),
  );
  const items = schema['items'] as Schema | undefined;
  const inner =
    items === undefined || items['type'] === 'object' ? [] : limits(items).map((one) => `each: ${one}`);
  return [...choice, ...own, ...inner].filter((one) => one !== '');
}

type RuleRow = readonly [path: string, message: string];

/** Every CEL rule at or below `schema`, with the place that it speaks of. */
function rulesOf(schema: Schema, path: string): readonly RuleRow[] {
  const own = ruleRows((schema['x-kubernetes-validations'] ?? []) as readonly CelRule[], path);
  const children = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const items = schema['items'] as Schema | undefined;
  const values = schema['additionalProperties'] as Schema | undefined;
  return [
    ...own,
    ...children.flatMap(([name, child]) => rulesOf(child, `${path}.${name}`)),
    ...(items === undefined ? [] : rulesOf(items, `${path}[]`)),
    ...(values === undefined ? [] : rulesOf(values, `${path}{}`)),
  ];
}

function ruleRows(rules: readonly CelRule[], path: string): readonly RuleRow[] {
  return rules.map((one) => [
    `${path}${one.fieldPath ?? ''}`,
    one.message ?? one.messageExpression ?? one.rule,
  ]);
}

function rulesText(rows: readonly RuleRow[]): string {
  if (rows.length === 0) return 'None beyond the limits above.\n';
  const named = rows.map(([path, message]) => [path === '' ? 'the object' : code(path), message]);
  return `The API server refuses an object that breaks one of these, with this message.\n\n${table(['where', 'message'], named)}`;
}

function selectableText({ selectableFields = [] }: KindDescriptor): readonly string[] {
  if (selectableFields.length === 0) return [];
  const fields = selectableFields.map((path) => code(path.slice(1))).join(', ');
  return [
    `## Fields of \`--field-selector\`\n\n${fields}, beside \`metadata.name\` and \`metadata.namespace\`.\n`,
  ];
}

function columnTable(kind: KindDescriptor): string {
  const rows = kind.columns.map((one) => [
    one.priority === undefined || one.priority === 0 ? one.name : `${one.name} (\`-o wide\`)`,
    code(one.jsonPath),
    one.description,
  ]);
  return table(['column', 'shows', 'what it is'], rows);
}
