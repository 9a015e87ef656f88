// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';

/** A node of a structural schema, as `apiextensions.k8s.io/v1` JSONSchemaProps. */
export type Schema = Record<string, unknown>;

/** A construct that a CustomResourceDefinition cannot express, or a limit that is missing; `path` says where. */
export class SchemaError extends Error {
  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = 'SchemaError';
  }
}

const KEPT = new Set([
  'type',
  'description',
  'default',
  'enum',
  'format',
  'items',
  'maxItems',
  'maxLength',
  'maxProperties',
  'maximum',
  'minItems',
  'minLength',
  'minProperties',
  'minimum',
  'nullable',
  'pattern',
  'properties',
  'required',
  'additionalProperties',
]);

const UNSUPPORTED_REGEX = /\(\?[=!<]|\\[1-9]/;

/**
 * Turns a zod schema into the structural schema of a CRD. Throws a SchemaError for whatever would be dropped in
 * silence (unions, refinements hidden in transforms, look-around) and for any string, list or map without a limit, since
 * the API server prices CEL rules by those limits and a hostile writer fills what is not limited.
 */
export function toStructural(schema: z.ZodType, root: string): Schema {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    reused: 'inline',
    cycles: 'throw',
    unrepresentable: 'throw',
  });
  return convert(json, root);
}

type Converter = (node: Schema, path: string) => Schema;

const CONVERTERS: Readonly<Record<string, Converter>> = {
  object: convertObject,
  array: convertArray,
  string: convertString,
  integer: convertNumber,
  number: convertNumber,
  boolean: (node) => node,
};

function convert(node: Schema, path: string): Schema {
  const kept = keepKnown(node, path);
  if (node['x-kubernetes-int-or-string'] === true) return intOrString(kept);
  requireDescription(kept, path);
  const converter = CONVERTERS[String(kept['type'])];
  if (converter === undefined)
    throw new SchemaError(path, `type ${JSON.stringify(kept['type'])} has no place in a CRD`);
  return converter(kept, path);
}

const REMEDIES: Readonly<Record<string, string>> = {
  $ref: 'no references: inline the schema',
  allOf: 'no allOf: use one pattern',
  anyOf: 'no anyOf: one optional field per variant and a CEL rule',
  oneOf: 'no oneOf: one optional field per variant and a CEL rule',
  not: 'no not: use a CEL rule',
};

/** Every keyword is either kept or an error: one that is dropped in silence is a rule that does not hold. */
function keepKnown(node: Schema, path: string): Schema {
  const kept: Schema = {};
  for (const [key, value] of Object.entries(node)) {
    if (key.startsWith('x-kubernetes-') || KEPT.has(key)) kept[key] = value;
    else if (key !== 'anyOf' || node['x-kubernetes-int-or-string'] !== true) {
      throw new SchemaError(path, REMEDIES[key] ?? `${key} is not known to CRDs`);
    }
  }
  return kept;
}

/** The one union that a CRD knows; the API server insists on exactly this form. */
function intOrString(out: Schema): Schema {
  const { type: _type, maxLength: _maxLength, ...rest } = out;
  return { ...rest, anyOf: [{ type: 'integer' }, { type: 'string' }] };
}

function requireDescription(out: Schema, path: string): void {
  const isItem = path.endsWith('[]') || path.endsWith('{}');
  if (!isItem && typeof out['description'] !== 'string') throw new SchemaError(path, 'has no description');
}

function convertObject(out: Schema, path: string): Schema {
  const properties = out['properties'] as Record<string, Schema> | undefined;
  if (properties !== undefined) return convertProperties(out, properties, path);
  const values = out['additionalProperties'];
  if (typeof values === 'object' && values !== null) {
    if (out['maxProperties'] === undefined) throw new SchemaError(path, 'a map needs maxProperties');
    return { ...out, additionalProperties: convert(values as Schema, `${path}{}`) };
  }
  if (out['x-kubernetes-preserve-unknown-fields'] === true) {
    const { additionalProperties: _any, ...rest } = out;
    return rest;
  }
  throw new SchemaError(path, 'an object needs properties, or values with a schema');
}

function convertProperties(out: Schema, properties: Record<string, Schema>, path: string): Schema {
  // Unknown fields are pruned by the API server, so strictness beside properties is neither needed nor allowed.
  const { additionalProperties: _strict, ...rest } = out;
  const converted = Object.entries(properties).map(
    ([name, child]) => [name, convert(child, `${path}.${name}`)] as const,
  );
  return { ...rest, properties: Object.fromEntries(converted) };
}

function convertArray(out: Schema, path: string): Schema {
  if (out['maxItems'] === undefined) throw new SchemaError(path, 'a list needs maxItems');
  return { ...out, items: convert(out['items'] as Schema, `${path}[]`) };
}

function convertString(out: Schema, path: string): Schema {
  const pattern = out['pattern'];
  if (typeof pattern === 'string' && UNSUPPORTED_REGEX.test(pattern)) {
    throw new SchemaError(path, `the pattern ${pattern} needs look-around or back-references; RE2 has none`);
  }
  if (out['format'] === 'date-time') return withoutPattern(out);
  if (out['maxLength'] === undefined && out['enum'] === undefined) {
    throw new SchemaError(path, 'a string needs maxLength');
  }
  return isRule(out, pattern) ? withoutPattern(out) : out;
}

/** Whether a rule says the same as a pattern: it has words for people, and is not asked where the pattern does not fit. */
function isRule({ 'x-kubernetes-validations': rules = [] }: Schema, pattern: unknown): boolean {
  const expression = `self.matches('${String(pattern).replaceAll('\\/', '/')}')`;
  return (rules as readonly { readonly rule: string }[]).some(({ rule }) => rule === expression);
}

function withoutPattern(out: Schema): Schema {
  const { pattern: _pattern, ...rest } = out;
  return rest;
}

function convertNumber(out: Schema, path: string): Schema {
  if (out['minimum'] === undefined || out['maximum'] === undefined) {
    throw new SchemaError(path, 'a number needs minimum and maximum');
  }
  return out['type'] === 'integer' ? { ...out, format: 'int64' } : out;
}
