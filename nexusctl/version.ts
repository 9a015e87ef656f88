// SPDX-License-Identifier: Apache-2.0
import { PROGRAM_VERSION } from '#operator/version';
import { type Command, EXIT } from './cli/command.ts';
import { PROGRAM } from './cli/help.ts';

/** `nexusctl version`. */
export const VERSION: Command = {
  path: ['version'],
  summary: 'says which version this is',
  about:
    'Also as --version. It runs from its sources where it says so; else it is of the release of that version.',
  args: [],
  flags: [],
  examples: ['version', 'version -o json'],
  run: () => {
    const version = PROGRAM_VERSION ?? 'from source';
    return Promise.resolve({ code: EXIT.ok, value: { version }, before: [`${PROGRAM} ${version}`] });
  },
};
