// SPDX-License-Identifier: Apache-2.0
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { ensureTools } from '#hack/tools/build';
import { temporaryFolder } from '#hack/tools/testing/temporary-folder';
import { runCommandLine } from '../cli/run.ts';
import { COMMANDS } from '../commands.ts';

/** What a command line came to. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A folder, and the command line in it. */
export interface Desk {
  readonly folder: string;
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>;
  /** Arguments by spaces. */
  readonly nexusctl: (words: string) => Promise<Ran>;
}

/** A command line in a folder of its own, with the pinned compiler. */
export async function openDesk(
  t: ExecutionContext,
  env: Readonly<Record<string, string>> = {},
): Promise<Desk> {
  const folder = await temporaryFolder(t, 'nexusctl');
  const { opa } = await ensureTools(['opa']);
  return {
    folder,
    write: async (files) => {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text);
      }
    },
    nexusctl: async (words) => {
      const out: string[] = [];
      const err: string[] = [];
      const code = await runCommandLine(words.split(' '), {
        commands: COMMANDS,
        env: { NEXUSCTL_OPA: opa, ...env },
        cwd: folder,
        print: (text) => out.push(text),
        complain: (text) => err.push(text),
      });
      return { code, out: out.join('\n'), err: err.join('\n') };
    },
  };
}
