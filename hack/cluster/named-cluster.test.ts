// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { cacheFolder } from '../tools/cache-folder.ts';
import { findNamedCluster, readStatus } from './named-cluster.ts';
import { processesNaming } from './testing/cluster-processes.ts';
import { eventually } from '../tools/eventually.ts';

const run = promisify(execFile);
const name = `test-${process.pid}`;

async function command(...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args, '--name', name]);
}

test.after.always(async () => {
  await command('down');
  const lock = join(cacheFolder(), 'clusters', `${name}.lock`);
  await Promise.all([lock, `${lock}.pid`].map((path) => rm(path, { force: true })));
});

test.serial('a cluster that is not there', async (t) => {
  t.is(await findNamedCluster(name), undefined);
  t.regex((await command('down')).stderr, /does not run/);
  await t.throwsAsync(command('kubeconfig'), { code: 1, message: /Start it with: npm run cluster -- up/ });
  await t.throwsAsync(command('status'), { code: 1 });
});

test.serial('up, by two at once and again, is one cluster that outlives them; down is its end', async (t) => {
  const [one, other] = await Promise.all([command('up'), command('up')]);
  t.is(one.stdout, other.stdout);
  const status = await readStatus(name);
  t.true(status!.components.every(({ pid }) => pid !== undefined));
  t.is((await command('up')).stdout, one.stdout);
  t.is((await readStatus(name))!.supervisorPid, status!.supervisorPid);
  t.is((await command('kubeconfig')).stdout, one.stdout);
  t.regex((await command('status')).stdout, /^kube-apiserver +pid \d+$/m);
  const { dataDir } = status!.description;
  await command('down');
  t.deepEqual(processesNaming(dataDir), []);
  t.false(existsSync(dataDir));
});

test.serial('a cluster whose supervisor was killed counts as gone, and up makes a new one', async (t) => {
  await command('up');
  const before = (await readStatus(name))!;
  process.kill(before.supervisorPid, 'SIGKILL');
  await eventually('it counts as gone', async () => (await findNamedCluster(name)) === undefined);
  await command('up');
  const after = (await readStatus(name))!;
  t.not(after.supervisorPid, before.supervisorPid);
  t.not(after.description.url, before.description.url);
});

test('a name that could leave its folder is refused', async (t) => {
  await t.throwsAsync(findNamedCluster('../x'), { message: /is no name for a cluster/ });
});

test('a wrong command tells the right ones', async (t) => {
  const main = join(import.meta.dirname, 'main.ts');
  await t.throwsAsync(run(process.execPath, [main, 'start']), { code: 2, message: /up +start a cluster/ });
});
