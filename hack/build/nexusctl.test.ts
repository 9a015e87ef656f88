// SPDX-License-Identifier: Apache-2.0
import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { attachCluster } from '../cluster/attach.ts';
import { ensureTools } from '../tools/build.ts';
import { runProgram } from '../tools/run-program.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { bundleRole, MAX_NEXUSCTL_BYTES } from './bundle.ts';

/** The Node that people have, which npm itself runs on: any from 20 on. */
const THEIRS = process.env['npm_node_execpath'] ?? process.execPath;

test('the command line is one file, and looks at a cluster on the Node that a machine has', async (t) => {
  const folder = await temporaryFolder(t, 'nexusctl');
  const { path, bytes } = await bundleRole(join(folder, 'dist'), 'nexusctl');
  t.deepEqual(await readdir(join(folder, 'dist')), [path]);
  t.true(bytes < MAX_NEXUSCTL_BYTES, `${bytes}`);
  await cp(join(folder, 'dist', path), join(folder, 'kubectl-nexus.mjs'));
  const [{ opa }, { kubeconfigPath }] = await Promise.all([ensureTools(['opa']), attachCluster()]);
  const run = (...words: readonly string[]) =>
    runProgram(THEIRS, {
      args: [join(folder, 'kubectl-nexus.mjs'), ...words],
      cwd: folder,
      env: { NEXUSCTL_OPA: opa, KUBECONFIG: kubeconfigPath },
    });
  const made = await run('pack', 'init', 'tags');
  t.is(made.code, 0, made.stderr);
  const tested = await run('pack', 'test', 'tags');
  t.is(tested.code, 0, tested.stderr);
  const compared = await run('pack', 'diff', 'tags', '-o', 'json');
  t.is(compared.stderr, '');
  t.true([0, 1].includes(compared.code));
  t.is((JSON.parse(compared.stdout) as { unread: number }).unread, 0);
});
