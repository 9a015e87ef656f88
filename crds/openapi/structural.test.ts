// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import * as z from 'zod';
import { spelt } from '../v1alpha1/meta.ts';
import { SchemaError, toStructural } from './structural.ts';

const accepted: Record<string, { schema: z.ZodType; want: unknown }> = {
  'a bounded string': {
    schema: z.string().min(1).max(5).describe('d'),
    want: { type: 'string', minLength: 1, maxLength: 5, description: 'd' },
  },
  'an enum without further limits': {
    schema: z.enum(['a', 'b']).default('a').describe('d'),
    want: { type: 'string', enum: ['a', 'b'], default: 'a', description: 'd' },
  },
  'an integer becomes int64': {
    schema: z.int().min(0).max(9).describe('d'),
    want: { type: 'integer', minimum: 0, maximum: 9, format: 'int64', description: 'd' },
  },
  'an instant keeps its format and loses the long pattern': {
    schema: z.iso.datetime({ offset: true }).describe('d'),
    want: { type: 'string', format: 'date-time', description: 'd' },
  },
  'a spelling is told in words, and not by its expression': {
    schema: spelt(z.string().max(9), '^[a-z]+(/[a-z]+)?$', 'wanted are letters').describe('d'),
    want: {
      type: 'string',
      maxLength: 9,
      description: 'd',
      'x-kubernetes-validations': [
        { rule: "self.matches('^[a-z]+(/[a-z]+)?$')", message: 'wanted are letters' },
      ],
    },
  },
  'a pattern of which no rule says the same stays': {
    schema: z
      .string()
      .max(9)
      .regex(/^a/)
      .describe('d')
      .meta({ 'x-kubernetes-validations': [{ rule: "!self.matches('^a')" }] }),
    want: {
      type: 'string',
      maxLength: 9,
      pattern: '^a',
      description: 'd',
      'x-kubernetes-validations': [{ rule: "!self.matches('^a')" }],
    },
  },
  'a quantity is an integer or a string in the one form that CRDs know': {
    schema: z
      .union([z.int(), z.string().max(9)])
      .meta({ description: 'd', 'x-kubernetes-int-or-string': true }),
    want: {
      'x-kubernetes-int-or-string': true,
      description: 'd',
      anyOf: [{ type: 'integer' }, { type: 'string' }],
    },
  },
  'a field with a default is not required': {
    schema: z
      .object({ a: z.boolean().describe('a'), b: z.boolean().default(true).describe('b') })
      .describe('d'),
    want: {
      type: 'object',
      description: 'd',
      required: ['a'],
      properties: {
        a: { type: 'boolean', description: 'a' },
        b: { type: 'boolean', description: 'b', default: true },
      },
    },
  },
  'list types and rules pass through': {
    schema: z
      .array(z.string().max(3).describe('i'))
      .max(2)
      .meta({
        description: 'd',
        'x-kubernetes-list-type': 'set',
        'x-kubernetes-validations': [{ rule: 'true' }],
      }),
    want: {
      type: 'array',
      maxItems: 2,
      description: 'd',
      'x-kubernetes-list-type': 'set',
      'x-kubernetes-validations': [{ rule: 'true' }],
      items: { type: 'string', maxLength: 3, description: 'i' },
    },
  },
};

for (const [name, { schema, want }] of Object.entries(accepted)) {
  test(`toStructural takes ${name}`, (t) => {
    t.deepEqual(toStructural(schema, 'spec'), want as Record<string, unknown>);
  });
}

const refused: Record<string, { schema: z.ZodType; want: RegExp }> = {
  'a string without a limit': {
    schema: z.string().describe('d'),
    want: /^spec\.f: a string needs maxLength/,
  },
  'a list without a limit': {
    schema: z.array(z.boolean()).describe('d'),
    want: /^spec\.f: a list needs maxItems/,
  },
  'a map without a limit': {
    schema: z.record(z.string(), z.string().max(1)).describe('d'),
    want: /^spec\.f: a map needs maxProperties/,
  },
  'a number without limits': { schema: z.number().describe('d'), want: /^spec\.f: a number needs minimum/ },
  'a field without a description': { schema: z.boolean(), want: /^spec\.f: has no description/ },
  'a union of types': {
    schema: z.union([z.boolean(), z.string().max(1)]).describe('d'),
    want: /^spec\.f: no anyOf/,
  },
  'an exclusive bound, which CRDs of this form lose': {
    schema: z.number().gt(1).lt(2).describe('d'),
    want: /^spec\.f: .*exclusive|minimum/i,
  },
  'look-around, which RE2 has not': {
    schema: z
      .string()
      .max(9)
      .regex(/^(?!x)/)
      .describe('d'),
    want: /^spec\.f: the pattern .* needs look-around/,
  },
  'an object whose fields nobody knows': {
    schema: z.unknown().describe('d'),
    want: /^spec\.f: type undefined/,
  },
};

for (const [name, { schema, want }] of Object.entries(refused)) {
  test(`toStructural refuses ${name}`, (t) => {
    const error = t.throws(() => toStructural(z.object({ f: schema }).describe('d'), 'spec'), {
      instanceOf: SchemaError,
    });
    t.regex(error.message, want);
  });
}
