// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { attachSystem } from '#hack/system/attach';
import { fitsPrinted, printedSteps } from '../printed-session.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

test('the tutorial works as printed', async (t) => {
  t.timeout(4 * 60_000);
  const cluster = await attachSystem();
  await cluster.kubectl(['apply', '-f', join(ROOT, 'crds/samples/gpu-classes.yaml')]);
  const page = await readFile(join(ROOT, 'docs/tutorials/first-tenant.md'), 'utf8');
  const steps = printedSteps(page);
  t.true(steps.length >= 10);
  for (const { commands, want, line } of steps) {
    const printed = (await inShell(cluster, commands)).split('\n').filter((one) => one.trim() !== '');
    const isAsPrinted =
      want === undefined ||
      (want.length === printed.length && want.every((one, index) => fitsPrinted(printed[index] ?? '', one)));
    if (!isAsPrinted)
      return t.fail(`line ${line}: printed\n${printed.join('\n')}\nand not\n${want.join('\n')}`);
  }
  return t.pass();
});

/** Runs commands as a reader would: in a shell, with kubectl pointed at the cluster. Throws when one fails. */
async function inShell({ kubeconfigPath, description }: AttachedCluster, commands: string): Promise<string> {
  const { stdout } = await run('bash', ['-ec', commands], {
    timeout: 120_000,
    env: {
      PATH: `${dirname(description.kubectlPath)}:${process.env['PATH'] ?? ''}`,
      KUBECONFIG: kubeconfigPath,
      HOME: description.dataDir,
    },
  });
  return stdout;
}
