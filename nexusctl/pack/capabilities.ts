// SPDX-License-Identifier: Apache-2.0
import { LEFT_OUT } from '#operator/policy/builtins/left-out';
import { CAPABILITIES } from '#operator/policy/capabilities';
import { type Command, EXIT, type Outcome } from '../cli/command.ts';

/** `nexusctl pack capabilities`. */
export const CAPABILITIES_COMMAND: Command = {
  path: ['pack', 'capabilities'],
  summary: 'lists the builtins that packs may use',
  about:
    'All others are refused when a pack is compiled: a pack answers from its input alone. With --left-out, those others, each with why.',
  args: [],
  flags: [{ name: 'left-out', what: 'lists builtins of the compiler that packs have not, and why' }],
  examples: ['pack capabilities', 'pack capabilities --left-out'],
  run: ({ flags }) => Promise.resolve(flags['left-out'] === true ? leftOut() : allowed()),
};

function allowed(): Outcome {
  return { code: EXIT.ok, value: CAPABILITIES, before: CAPABILITIES };
}

function leftOut(): Outcome {
  const rows = Object.entries(LEFT_OUT).map(([name, why]) => [name, `it ${why}`]);
  return { code: EXIT.ok, value: LEFT_OUT, table: { head: ['BUILTIN', 'WHY NOT'], rows } };
}
