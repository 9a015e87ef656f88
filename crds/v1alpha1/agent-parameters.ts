// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import { text } from './meta.ts';

const parameter = z
  .object({
    name: z
      .string()
      .min(1)
      .max(63)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe('Name of the parameter.'),
    description: text('What it is for.', 256).optional(),
    required: z.boolean().default(false).describe('Whether a Run must give it.'),
    default: text('Value where a Run does not give it.', 2048).optional(),
    enum: z
      .array(text('A value.', 256))
      .min(1)
      .max(32)
      .describe('The values that are allowed. Empty: any.')
      .optional(),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '!has(self.default) || !has(self.enum) || self.default in self.enum',
        message: 'default must be one of the values of enum',
        fieldPath: '.default',
      },
      {
        rule: "!has(self.default) || !self.default.contains('\\u0000')",
        message: 'U+0000 cannot be part of a variable',
        fieldPath: '.default',
      },
    ],
  });

/** What `spec.parameters` of an Agent is. */
export const agentParameters = z
  .array(parameter)
  .max(32)
  .describe('Parameters that Runs can give. Empty: any.')
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] });

/** Parameters that an Agent declares. */
export type AgentParameters = z.output<typeof agentParameters>;
