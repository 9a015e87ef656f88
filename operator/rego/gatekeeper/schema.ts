// SPDX-License-Identifier: Apache-2.0
import { isObject, type JsonObject, listAt, objectAt } from './json.ts';

/** Words of a structural schema that mean the same in JSON Schema. Not `$ref`, which could name an address. */
const KEPT = [
  'type enum pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength',
  'minItems maxItems uniqueItems minProperties maxProperties required',
].flatMap((line) => line.split(' '));
const SCHEMA_LISTS = ['allOf', 'anyOf', 'oneOf'];

/** A schema of parameters, as JSON Schema. What the API server would not look at is left out. */
export function jsonSchema(schema: JsonObject): JsonObject {
  const kept = Object.fromEntries(Object.entries(schema).filter(([key]) => KEPT.includes(key)));
  const made: Record<string, unknown> = { ...kept, ...nested(schema) };
  if (schema['x-kubernetes-int-or-string'] === true) {
    delete made['type'];
    delete made['anyOf'];
    made['anyOf'] = [{ type: 'integer' }, { type: 'string' }];
  }
  return schema['nullable'] === true ? { anyOf: [{ type: 'null' }, made] } : made;
}

function nested(schema: JsonObject): JsonObject {
  const made: Record<string, unknown> = {};
  if (isObject(schema['properties']))
    made['properties'] = mapValues(schema['properties'], (one) => (isObject(one) ? jsonSchema(one) : {}));
  for (const key of ['items', 'additionalProperties', 'not']) {
    const one = schema[key];
    if (isObject(one)) made[key] = jsonSchema(one);
  }
  for (const key of SCHEMA_LISTS) {
    const list = listAt(schema, key).filter(isObject);
    if (list.length > 0) made[key] = list.map(jsonSchema);
  }
  return made;
}

/** A value with the defaults of its schema put in where nothing was given, as the API server does before it stores. */
export function withDefaults(value: unknown, schema: JsonObject): unknown {
  if (value === undefined)
    return schema['default'] === undefined ? undefined : withDefaults(schema['default'], schema);
  if (Array.isArray(value)) return value.map((one) => withDefaults(one, objectAt(schema, 'items')));
  if (!isObject(value)) return value;
  const properties = objectAt(schema, 'properties');
  const others = objectAt(schema, 'additionalProperties');
  const given = Object.entries(value).map(([key, one]) => {
    const own = Object.hasOwn(properties, key) ? properties[key] : others;
    return [key, withDefaults(one, isObject(own) ? own : {})];
  });
  const missing = Object.entries(properties)
    .filter(([key]) => !Object.hasOwn(value, key))
    .map(([key, own]) => [key, isObject(own) ? withDefaults(undefined, own) : undefined])
    .filter(([, one]) => one !== undefined);
  return Object.fromEntries([...given, ...missing]);
}

function mapValues(object: JsonObject, change: (value: unknown) => unknown): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
