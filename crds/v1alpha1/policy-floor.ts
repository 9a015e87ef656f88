// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { text } from './meta.ts';

/** The most rules of a floor: the API server evaluates all of them for each request. */
export const MAX_FLOOR_RULES = 48;
/** The most variables of a floor. */
export const MAX_FLOOR_VARIABLES = 24;
/** The longest expression of a floor. */
export const MAX_EXPRESSION_LENGTH = 4096;
/** Names of variables that NexusOS itself gives a floor. */
export const RESERVED_VARIABLES = ['parameters'] as const;
/** What names of variables begin with that NexusOS itself gives a floor. */
export const RESERVED_VARIABLE_PREFIX = 'nexusos';

const expression = (description: string) => text(description, MAX_EXPRESSION_LENGTH).min(1);

const variable = z.object({
  name: z
    .string()
    .min(1)
    .max(63)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .describe(
      `Name: rules have it as \`variables.<name>\`. Not ${RESERVED_VARIABLES.join(' or ')}, and nothing that begins with ${RESERVED_VARIABLE_PREFIX}.`,
    ),
  expression: expression('CEL; may use variables before it.'),
});

const rule = z.object({
  rule: text('Name of the rule that this is the twin of, as its findings bear it.', 128)
    .min(1)
    .regex(/^\S+$/),
  expression: expression('CEL that is true where the rule finds nothing.'),
  message: text('What is wrong, for who is refused. One line.', 512)
    .min(1)
    .regex(/^[^\r\n]+$/)
    .optional(),
  messageExpression: expression(
    'CEL that says it with what was found, a string. Where it fails, `message` is said.',
  ).optional(),
});

/** Twins in CEL of rules of a pack, which the API server itself holds. */
export const policyFloor = z
  .object({
    variables: z
      .array(variable)
      .max(MAX_FLOOR_VARIABLES)
      .describe(
        'What rules share, in order. `variables.parameters` is there: `spec.parameters`, each value of type dyn.',
      )
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional(),
    rules: z
      .array(rule)
      .min(1)
      .max(MAX_FLOOR_RULES)
      .describe('The twins. A request passes where all are true.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['rule'] }),
  })
  .describe(
    'Twins in CEL of rules of the pack, which hold as ValidatingAdmissionPolicy also while no process of NexusOS answers. Only in packs of the platform.',
  );

/** Twins in CEL of rules of a pack. */
export type PolicyFloor = z.output<typeof policyFloor>;
