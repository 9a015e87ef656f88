// SPDX-License-Identifier: Apache-2.0
import { CAPABILITIES } from '#operator/policy/capabilities';
import { type Command, EXIT } from '../cli/command.ts';

/** `nexusctl pack capabilities`. */
export const CAPABILITIES_COMMAND: Command = {
  path: ['pack', 'capabilities'],
  summary: 'lists the builtins that packs may use',
  about: 'All others are refused when a pack is compiled: a pack answers from its input alone.',
  args: [],
  flags: [],
  examples: ['pack capabilities'],
  run: () => Promise.resolve({ code: EXIT.ok, value: CAPABILITIES, before: CAPABILITIES }),
};
