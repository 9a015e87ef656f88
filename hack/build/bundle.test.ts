// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import test from 'ava';
import { runProgram } from '../tools/run-program.ts';
import { bundleRoles } from './bundle.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';

test('each role is one file that runs outside of the repository', async (t) => {
  const folder = await temporaryFolder(t, 'build');
  const bundles = await bundleRoles(folder);
  t.deepEqual(
    bundles.map((one) => one.path),
    ['operator.mjs', 'webhooks.mjs', 'leave.mjs', 'remote.mjs'],
  );
  for (const { path, bytes } of bundles) {
    t.true(bytes < 2 * 1024 * 1024, 'what is needed rarely is not in it');
    const args = [join(folder, path), '--log-level=loud'];
    const result = await runProgram(process.execPath, { args, cwd: folder, env: {} });
    t.is(result.code, 2, result.stderr);
    if (path === 'remote.mjs') t.regex(result.stdout, /"how":"InvalidSettings"/);
    else t.regex(result.stderr, /--log-level: found "loud"; allowed is one of trace, debug/);
  }
});
