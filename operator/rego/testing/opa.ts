// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { ensureTools } from '#hack/tools/build';
import { opaRunner, type RunOpa } from '../opa.ts';

let runner: Promise<RunOpa> | undefined;

/** The pinned compiler, built if it has to be. */
export function pinnedOpa(): Promise<RunOpa> {
  runner ??= ensureTools(['opa']).then(({ opa }) => opaRunner(opa));
  return runner;
}

/** What a query comes to over `files`, by `opa eval` itself. */
export async function evaluateRego(
  files: Readonly<Record<string, string>>,
  {
    query,
    input,
    flags = [],
  }: { readonly query: string; readonly input: unknown; readonly flags?: readonly string[] },
): Promise<unknown> {
  const run = await pinnedOpa();
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-eval-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, 'b', path)), { recursive: true });
      await writeFile(join(folder, 'b', path), text);
    }
    await writeFile(join(folder, 'input.json'), JSON.stringify(input));
    const args = [
      'eval',
      ...flags,
      '--strict-builtin-errors',
      '-f',
      'json',
      '-b',
      'b',
      '-i',
      'input.json',
      query,
    ];
    const { code, stdout, stderr } = await run(args, { cwd: folder, timeoutMs: 20_000 });
    if (code !== 0) throw new Error(stdout + stderr);
    const { result } = JSON.parse(stdout) as {
      readonly result?: readonly { readonly expressions: readonly { readonly value: unknown }[] }[];
    };
    return result?.[0]?.expressions[0]?.value;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
