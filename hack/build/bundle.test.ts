// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { runProgram } from '../tools/run-program.ts';
import { bundleRoles } from './bundle.ts';

test('each role is one file that runs outside of the repository', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-build-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const bundles = await bundleRoles(folder);
  t.deepEqual(
    bundles.map((one) => one.path),
    ['operator.mjs'],
  );
  t.true(bundles[0]!.bytes < 2 * 1024 * 1024, 'what is needed rarely is not in it');
  const args = [join(folder, 'operator.mjs'), '--log-level=loud'];
  const result = await runProgram(process.execPath, { args, cwd: folder, env: {} });
  t.is(result.code, 2, result.stderr);
  t.regex(result.stderr, /--log-level: found "loud"; allowed is one of trace, debug/);
});
