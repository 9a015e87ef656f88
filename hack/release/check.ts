// SPDX-License-Identifier: Apache-2.0
import { runCommandLine } from '#nexusctl/cli/run';
import { COMMANDS } from '#nexusctl/commands';
import type { MadeArtifact } from './make.ts';
import { ReleaseError } from './source.ts';

/** What an artifact is checked with. */
export interface Checking {
  /** The file of policies. */
  readonly policy: string;
  readonly isPlainHttp: boolean;
}

/** Verifies what was pushed, as users do: by the policies that they are given, with `nexusctl verify`. Throws with what that says where it is not as asked. */
export async function check(
  { repository, tag }: Pick<MadeArtifact, 'repository' | 'tag'>,
  { policy, isPlainHttp }: Checking,
): Promise<void> {
  const said: string[] = [];
  const words = [
    'verify',
    `${repository}:${tag}`,
    '--policy',
    policy,
    ...(isPlainHttp ? ['--plain-http'] : []),
  ];
  const code = await runCommandLine(words, {
    commands: COMMANDS,
    env: process.env,
    cwd: process.cwd(),
    print: (text) => said.push(text),
    complain: (text) => said.push(text),
  });
  if (code !== 0) throw new ReleaseError(`what was pushed does not verify:\n${said.join('\n')}`);
}
