// SPDX-License-Identifier: Apache-2.0
import { argumentAt, type Command, CommandError, EXIT } from '../cli/command.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { type Group, groupsOf } from './words.ts';
import { zshScript } from './zsh.ts';

/** By the name of a shell: what makes its script. */
const SHELLS: Readonly<Record<string, (groups: readonly Group[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `nexusctl completion`, of the commands that `all` gives: itself is one of them. */
export function completionOf(all: () => readonly Command[]): Command {
  return {
    path: ['completion'],
    summary: 'prints a script that has a shell complete commands and flags',
    about:
      'For one session: source <(nexusctl completion bash), the same with zsh, or nexusctl completion fish | source. For all of them the line goes into ~/.bashrc or, after compinit, ~/.zshrc; of fish the script goes into ~/.config/fish/completions/nexusctl.fish.',
    args: [{ name: 'SHELL', what: Object.keys(SHELLS).join(', '), values: Object.keys(SHELLS) }],
    flags: [],
    examples: ['completion bash', 'completion zsh', 'completion fish'],
    run: (call) => {
      const shell = argumentAt(call, 0);
      const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell]?.(groupsOf(all())) : undefined;
      if (script === undefined)
        throw new CommandError(
          EXIT.usage,
          `${shell} is no shell that is known; known are ${Object.keys(SHELLS).join(', ')}`,
        );
      return Promise.resolve({ code: EXIT.ok, value: { shell, script }, before: [script] });
    },
  };
}
