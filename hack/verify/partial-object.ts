// SPDX-License-Identifier: Apache-2.0
import type { Schema } from '#crds/openapi/structural';

/** The place of a value: its path, and what it is held to. */
interface Place {
  readonly path: string;
  readonly schema: Schema;
}

/** What stands for something that the reader fills in: `$digest`, `sha256:4f0c...`. */
const PLACEHOLDER = /\$|\.\.\.|…/;

/**
 * What a part of an object, as a merge patch is, has that its schema does not know or does not take. What is missing is no problem, and
 * neither is null: it takes a field away.
 */
export function partialProblems(value: unknown, schema: Schema, path = ''): readonly string[] {
  if (value === null) return [];
  const place = { path, schema };
  if (schema['x-kubernetes-int-or-string'] === true) return scalarProblems(value, place);
  if (schema['type'] === 'array') return listProblems(value, place);
  if (schema['type'] === 'object') return objectProblems(value, place);
  return scalarProblems(value, place);
}

function listProblems(value: unknown, { path, schema }: Place): readonly string[] {
  if (!Array.isArray(value)) return [`${path}: found ${JSON.stringify(value)}; a list is wanted`];
  return value.flatMap((item, index) =>
    partialProblems(item, schema['items'] as Schema, `${path}[${index}]`),
  );
}

function objectProblems(value: unknown, { path, schema }: Place): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [`${path}: found ${JSON.stringify(value)}; an object is wanted`];
  return Object.entries(value).flatMap(([key, child]) => {
    const at = path === '' ? key : `${path}.${key}`;
    const known = fieldOf(schema, key);
    if (known === 'any') return [];
    return known === undefined ? [`${at}: is not a field`] : partialProblems(child, known, at);
  });
}

/** What a field of an object is held to: `any` where the schema leaves it open, undefined where there is no such field. */
export function fieldOf(schema: Schema, name: string): Schema | 'any' | undefined {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return 'any';
  const properties = schema['properties'] as Readonly<Record<string, Schema>> | undefined;
  if (properties !== undefined) return properties[name];
  const values = schema['additionalProperties'] as Schema | undefined;
  if (values !== undefined) return values;
  return schema['type'] === 'object' ? 'any' : undefined;
}

function scalarProblems(value: unknown, { path, schema }: Place): readonly string[] {
  const wanted = typesOf(schema);
  const found = typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
  if (!wanted.includes(found))
    return [`${path}: found ${JSON.stringify(value)}; ${wanted.join(' or ')} is wanted`];
  return typeof value === 'string' ? textProblems(value, { path, schema }) : [];
}

function typesOf(schema: Schema): readonly string[] {
  return schema['x-kubernetes-int-or-string'] === true ? ['integer', 'string'] : [String(schema['type'])];
}

function textProblems(value: string, { path, schema }: Place): readonly string[] {
  const choice = schema['enum'] as readonly string[] | undefined;
  const pattern = schema['pattern'] as string | undefined;
  if (PLACEHOLDER.test(value)) return [];
  if (choice !== undefined && !choice.includes(value))
    return [`${path}: found ${value}; allowed: ${choice.join(', ')}`];
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value))
    return [`${path}: found ${value}; it has to match ${pattern}`];
  return [];
}
