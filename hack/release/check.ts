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

type Named = Pick<MadeArtifact, 'repository' | 'tag'>;

/** Verifies what was pushed, as users do: by the policies that they are given, with `nexusctl verify`. Throws with what that says where it is not as asked. */
export async function check(artifact: Named, checking: Checking): Promise<void> {
  const { code, said } = await verify(artifact, checking);
  if (code !== 0) throw new ReleaseError(`what was pushed does not verify:\n${said}`);
}

/** Whether what was pushed is as asked. */
export async function verifies(artifact: Named, checking: Checking): Promise<boolean> {
  return (await verify(artifact, checking)).code === 0;
}

async function verify({ repository, tag }: Named, { policy, isPlainHttp }: Checking) {
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
  return { code, said: said.join('\n') };
}
