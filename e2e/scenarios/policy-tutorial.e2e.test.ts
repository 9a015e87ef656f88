// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import anyTest, { type TestFn } from 'ava';
import type { Cluster } from '#hack/cluster/cluster';
import { type AdmissionWorld, startAdmission } from '../admission-world.ts';
import { fitsPrinted, type PrintedStep, printedSteps } from '../printed-session.ts';

const test = anyTest.serial as TestFn<AdmissionWorld>;
const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

test.before(async (t) => {
  t.context = await startAdmission();
});
test.after.always(({ context }) => context.close?.());

/** What a reader gets who types the commands in the repository. Throws when one fails. */
async function typed({ kubeconfigPath, description }: Cluster, commands: string): Promise<readonly string[]> {
  const { stdout } = await run('bash', ['-ec', commands], {
    cwd: ROOT,
    timeout: 150_000,
    env: {
      PATH: `${dirname(description.kubectlPath)}:${process.env['PATH'] ?? ''}`,
      KUBECONFIG: kubeconfigPath,
      HOME: description.dataDir,
    },
  });
  return stdout.split('\n').filter((line) => line.trim() !== '');
}

function isAsPrinted({ want }: PrintedStep, lines: readonly string[]): boolean {
  if (want === undefined) return true;
  return want.length === lines.length && want.every((one, index) => fitsPrinted(lines[index] ?? '', one));
}

test('the tutorial on policy works as printed, with the pack that is shipped', async (t) => {
  t.timeout(5 * 60_000);
  const steps = printedSteps(await readFile(join(ROOT, 'docs/tutorials/first-policy.md'), 'utf8'));
  t.true(steps.length >= 7);
  for (const step of steps) {
    const lines = await typed(t.context.cluster, step.commands);
    if (!isAsPrinted(step, lines))
      return t.fail(`line ${step.line}: printed\n${lines.join('\n')}\nand not\n${step.want?.join('\n')}`);
  }
  return t.pass();
});
