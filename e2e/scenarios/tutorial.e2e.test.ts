// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { attachSystem } from '#hack/system/attach';
import { type Block, fencedBlocks, fitsPrinted, printedSteps } from '../printed-session.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

test('what the README shows works beside the samples of npm start', async (t) => {
  const cluster = await attachSystem();
  await cluster.kubectl(['apply', '-f', join(ROOT, 'crds/samples/gpu-classes.yaml')]);
  const blocks = fencedBlocks(await readFile(join(ROOT, 'README.md'), 'utf8'));
  const [tenant = '', rest = ''] = blocks.filter(isOf('yaml')).map(({ lines }) => lines.join('\n'));
  const commands =
    blocks.find((block) => isOf('sh')(block) && block.lines[0]?.includes('apply'))?.lines ?? [];
  t.true(commands.length >= 4);
  const name = /^ {2}name: (\S+)$/m.exec(tenant)?.[1] ?? '';
  const samples = await readFile(join(ROOT, 'crds/samples/tenants.yaml'), 'utf8');
  t.false(samples.includes(`name: ${name}\n`), 'a Tenant of the samples would be changed by it');
  const folder = await mkdtemp(join(cluster.description.dataDir, 'readme-'));
  await writeFile(join(folder, 'tenant.yaml'), tenant);
  await writeFile(join(folder, 'agent-and-run.yaml'), rest);
  t.regex(await inShell(cluster, commands.join('\n'), folder), /run\S*\/first\s+summarizer\s+Succeeded/);
});

function isOf(language: string) {
  return (block: Block) => block.language === language;
}

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
async function inShell(
  { kubeconfigPath, description }: AttachedCluster,
  commands: string,
  cwd = description.dataDir,
): Promise<string> {
  const { stdout } = await run('bash', ['-ec', commands], {
    cwd,
    timeout: 120_000,
    env: {
      PATH: `${dirname(description.kubectlPath)}:${process.env['PATH'] ?? ''}`,
      KUBECONFIG: kubeconfigPath,
      HOME: description.dataDir,
    },
  });
  return stdout;
}
