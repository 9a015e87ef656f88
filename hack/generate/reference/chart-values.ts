// SPDX-License-Identifier: Apache-2.0
import type { GeneratedFile } from '../file.ts';
import { code, pageHead, table } from './markdown.ts';

/** A node of values.schema.json, as far as it is read here. */
export interface ValueSchema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, ValueSchema>>;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

type Values = Readonly<Record<string, unknown>>;

/** The page of the chart's values: what the schema says of each, and the default that values.yaml gives. */
export function chartValuesPage(schema: ValueSchema, values: Values): GeneratedFile {
  const rows = rowsOf(schema, { path: '', values });
  const text = [
    pageHead('Values of the chart', 'charts/nexusos/values.yaml and values.schema.json'),
    'Helm refuses a value that is not listed here or not of this type, before anything is installed.\n',
    table(['value', 'type', 'default', 'what it is'], rows),
  ].join('\n');
  return { path: 'docs/reference/chart-values.md', text };
}

interface Place {
  readonly path: string;
  readonly values: Values;
}

function rowsOf(schema: ValueSchema, { path, values }: Place): readonly (readonly string[])[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const childPath = path === '' ? name : `${path}.${name}`;
    const value = values[name];
    if (child.properties !== undefined)
      return rowsOf(child, { path: childPath, values: asValues(value, childPath) });
    if (child.description === undefined)
      throw new Error(`${childPath}: has no description in values.schema.json`);
    return [
      [
        code(childPath),
        typeText(child),
        code(value === undefined ? '' : JSON.stringify(value)),
        child.description,
      ],
    ];
  });
}

function asValues(value: unknown, path: string): Values {
  if (typeof value === 'object' && value !== null) return value as Values;
  throw new Error(`${path}: is in values.schema.json and not in values.yaml`);
}

function typeText({ type = 'any', enum: choice, minimum, maximum }: ValueSchema): string {
  if (choice !== undefined) return `one of ${choice.join(', ')}`;
  return minimum === undefined ? type : `${type} from ${minimum} to ${maximum}`;
}
