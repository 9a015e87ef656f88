// SPDX-License-Identifier: Apache-2.0
import { type Command, EXIT } from './cli/command.ts';
import { PROGRAM } from './cli/help.ts';

/** Put in where the program is built. */
declare const NEXUSOS_VERSION: string | undefined;

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
    const version = typeof NEXUSOS_VERSION === 'string' ? NEXUSOS_VERSION : 'from source';
    return Promise.resolve({ code: EXIT.ok, value: { version }, before: [`${PROGRAM} ${version}`] });
  },
};
