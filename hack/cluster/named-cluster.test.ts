// SPDX-License-Identifier: Apache-2.0
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import test from 'ava';
import { cacheFolder } from '../tools/cache-folder.ts';
import { dieWithParent } from '../tools/die-with-parent.ts';
import { descriptionPath } from './description.ts';
import { findNamedCluster, readStatus } from './named-cluster.ts';
import { readRecords } from './records.ts';
import type { ClusterRecord } from './supervisor-protocol.ts';
import { processesNaming } from './testing/cluster-processes.ts';
import { eventually } from '../tools/eventually.ts';
import { signalProcess } from '../tools/process-identity.ts';

const run = promisify(execFile);
const name = `test-${process.pid}`;
const main = join(import.meta.dirname, 'main.ts');
const dataFolder = join(cacheFolder(), 'clusters', 'named', name);

/** Whatever happens to these tests, their cluster does not stay. */
const UNTIL = ['--until', String(process.pid)];

async function command(...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, [main, ...args, '--name', name, ...UNTIL]);
}

/** `up`, by a process that may be killed; what it starts ends with the process `untilPid`. */
function startUp(untilPid = process.pid) {
  const args = [main, 'up', '--name', name, '--until', String(untilPid)];
  const up = dieWithParent({ program: process.execPath, args });
  return spawn(up.program, up.args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Of the cluster whose supervisor works in the folder of our name. */
async function findRecord(): Promise<ClusterRecord | undefined> {
  return (await readRecords()).find(({ dataDir }) => dataDir === dataFolder);
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

// Each goes on with the cluster that the one before it left, if it left one: to start one takes seconds of two processors.

test.serial('up, by two at once and again, is one cluster that outlives them', async (t) => {
  const [one, other] = await Promise.all([command('up'), command('up')]);
  t.is(one.stdout, other.stdout);
  const status = await readStatus(name);
  t.true(status!.components.every(({ pid }) => pid !== undefined));
  t.is((await command('up')).stdout, one.stdout);
  t.is((await readStatus(name))!.supervisorPid, status!.supervisorPid);
  t.is((await command('kubeconfig')).stdout, one.stdout);
  t.regex((await command('status')).stdout, /^kube-apiserver +pid \d+$/m);
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

test.serial('up starts what has ended of a cluster, and its data is still there', async (t) => {
  await command('up');
  const before = (await readStatus(name))!;
  const kubectl = [before.description.kubectlPath, '--kubeconfig', before.description.kubeconfigPath];
  await run(kubectl[0]!, [...kubectl.slice(1), 'create', 'namespace', 'kept']);
  const ended = ['kube-apiserver', 'kwok'];
  for (const { pid } of before.components.filter((one) => ended.includes(one.name))) {
    process.kill(pid!, 'SIGKILL');
  }
  const isTold = async () => /^kwok +ended; `up` starts it again$/m.test((await command('status')).stdout);
  await eventually('the end is told', isTold);

  const { stdout, stderr } = await command('up');
  t.regex(stderr, /^Had ended, and runs again: kube-apiserver, kwok$/m);
  t.is(stdout.trim(), before.description.kubeconfigPath);
  const after = (await readStatus(name))!;
  t.is(after.supervisorPid, before.supervisorPid);
  t.true(after.components.every(({ pid }) => pid !== undefined));
  await run(kubectl[0]!, [...kubectl.slice(1), 'get', 'namespace', 'kept']);
  t.notRegex((await command('up')).stderr, /Had ended/);
});

test.serial('down is the end of a cluster, and of its data', async (t) => {
  await command('up');
  const { dataDir } = (await readStatus(name))!.description;
  t.true(processesNaming(dataDir).length > 0);
  await command('down');
  t.deepEqual(processesNaming(dataDir), []);
  t.false(existsSync(dataDir));
});

test.serial(
  'up waits for the end of a cluster whose up was killed; one that is started until a process is gone ends with it',
  async (t) => {
    await command('down');
    const killed = startUp();
    const { id, supervisor } = await eventually('it has a supervisor', findRecord);
    const former = supervisor.pid;
    t.teardown(() => signalProcess(supervisor, 'SIGKILL'));
    // As on a busy machine: it does not get to its end yet.
    process.kill(former, 'SIGSTOP');
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    // However far `up` got before: this is the last that it writes.
    await writeFile(descriptionPath(dataFolder), JSON.stringify({ id }));
    t.is(await findNamedCluster(name), undefined, 'it is not there for others');

    const idle = dieWithParent({ program: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] });
    const user = spawn(idle.program, idle.args, { stdio: 'ignore' });
    t.teardown(() => user.kill('SIGKILL'));
    const next = startUp(user.pid);
    const lines = createInterface({ input: next.stderr });
    const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(120_000) })) as [string];
    t.is(line, `Waiting for the former cluster ${name} to end (process ${former})`);
    const ended = once(next, 'exit');
    process.kill(former, 'SIGCONT');
    t.deepEqual(await ended, [0, null]);
    const status = (await readStatus(name))!;
    t.not(status.supervisorPid, former);
    t.true(status.components.every(({ pid }) => pid !== undefined));
    t.true(existsSync(status.description.kubeconfigPath), 'the former one took nothing of it along');

    user.kill('SIGKILL');
    await eventually('its record is gone', async () => (await findRecord()) === undefined);
    // The supervisor itself ends a moment after that.
    await eventually('every process has ended', () => processesNaming(dataFolder).length === 0);
    t.false(existsSync(dataFolder));
  },
);

test('a name that could leave its folder is refused', async (t) => {
  await t.throwsAsync(findNamedCluster('../x'), { message: /is no name for a cluster/ });
});

test('there must be such a process', async (t) => {
  const up = [main, 'up', '--name', name];
  await t.throwsAsync(run(process.execPath, [...up, '--until', '4000000000']), {
    code: 1,
    message: /there is no process 4000000000/,
  });
  await t.throwsAsync(run(process.execPath, [...up, '--until', 'x']), {
    code: 1,
    message: /--until: found x; allowed is the number of a process/,
  });
});

test('a wrong command tells the right ones', async (t) => {
  await t.throwsAsync(run(process.execPath, [main, 'start']), { code: 2, message: /up +start a cluster/ });
});
