// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { dieWithParent, findProgram } from '../tools/die-with-parent.ts';
import { startCluster } from './cluster.ts';
import { type ClusterDescription, descriptionPath } from './description.ts';
import { readRecords, sweepRecords } from './records.ts';
import { ComponentFailure } from './start-watch.ts';
import type { ClusterRecord } from './supervisor-protocol.ts';
import { processesNaming } from './testing/cluster-processes.ts';
import { ownedDataDirVariable } from './testing/owned.ts';
import { eventually } from '../tools/eventually.ts';

/** A cluster that another process owns. */
interface Owned {
  readonly owner: number;
  readonly dataDir: string;
}

/** Starts a process that owns a cluster in a folder that is not there yet. */
async function startOwner(t: ExecutionContext): Promise<Owned> {
  const parent = await mkdtemp(join(tmpdir(), 'nexusos-owned-'));
  t.teardown(() => rm(parent, { recursive: true }));
  const dataDir = join(parent, 'data');
  const program = join(import.meta.dirname, 'testing', 'owner.ts');
  const { program: command, args } = dieWithParent({ program: process.execPath, args: [program] });
  const env = { ...process.env, [ownedDataDirVariable]: dataDir };
  const { pid } = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  return { owner: pid!, dataDir };
}

async function recordAt(dataDir: string): Promise<ClusterRecord | undefined> {
  return (await readRecords()).find((record) => record.dataDir === dataDir);
}

async function supervisorOf({ dataDir }: Pick<ClusterDescription, 'dataDir'>): Promise<number> {
  const record = await recordAt(dataDir);
  return record!.supervisor.pid;
}

/** How far its start has got. */
const MOMENTS = {
  ready: ({ dataDir }: Owned) => existsSync(descriptionPath(dataDir)),
  starting: async ({ dataDir }: Owned) =>
    (await recordAt(dataDir))?.components['kube-apiserver'] !== undefined,
} as const;

interface End {
  readonly when: keyof typeof MOMENTS;
  readonly end: (owner: number, supervisor: number) => void;
}

// While it starts it has most to lose, and costs little: to make one ready takes seconds of two processors.
const ENDS: Readonly<Record<string, End>> = {
  'Ctrl-C at the owner': { when: 'ready', end: (owner) => process.kill(owner, 'SIGINT') },
  'SIGTERM to the owner': { when: 'starting', end: (owner) => process.kill(owner, 'SIGTERM') },
  'kill -9 of the owner': { when: 'starting', end: (owner) => process.kill(owner, 'SIGKILL') },
  'kill -9 of the supervisor and then of the owner': {
    when: 'starting',
    end: (owner, supervisor) => {
      process.kill(supervisor, 'SIGKILL');
      process.kill(owner, 'SIGKILL');
    },
  },
};

for (const [title, { when, end }] of Object.entries(ENDS)) {
  test.serial(`nothing is left after ${title}, ${when}`, async (t) => {
    const owned = await startOwner(t);
    const { dataDir } = owned;
    await eventually(`it is ${when}`, () => MOMENTS[when](owned));
    // Five components and their supervisor; of one that starts, those that go before the others.
    const running = processesNaming(dataDir).length;
    if (when === 'ready') t.is(running, 6);
    else t.true(running >= 3, `${running} processes`);
    end(owned.owner, await supervisorOf(owned));
    await eventually('every process is gone', () => processesNaming(dataDir).length === 0);
    await eventually('the data is gone, now or when somebody next starts a cluster', async () => {
      await sweepRecords();
      return !existsSync(dataDir);
    });
    t.is(await recordAt(dataDir), undefined);
  });
}

test.serial(
  'a component that does not start is named, with the end of its log, and nothing is left',
  async (t) => {
    const extraArgs = { 'kube-scheduler': ['--no-such-flag'] };
    const error = await t.throwsAsync(startCluster({ extraArgs }), { instanceOf: ComponentFailure });
    t.is(error.component, 'kube-scheduler');
    t.regex(error.message, /^kube-scheduler ended with code 1 before the cluster was ready/);
    t.regex(error.message, /unknown flag: --no-such-flag/);
    t.deepEqual(processesNaming('no-such-flag'), []);
  },
);

test.serial(
  'where the kernel cannot be asked for it, the next start ends what a killed cluster left',
  async (t) => {
    const programs = await mkdtemp(join(tmpdir(), 'nexusos-path-'));
    await symlink(findProgram('go')!, join(programs, 'go'));
    const path = process.env['PATH'];
    // Without setpriv on it, as on other systems than Linux.
    process.env['PATH'] = programs;
    // Records of its own: whoever starts a cluster at this moment would sweep them first.
    process.env['NEXUSOS_CLUSTER_RECORDS'] = programs;
    t.teardown(async () => {
      process.env['PATH'] = path;
      delete process.env['NEXUSOS_CLUSTER_RECORDS'];
      await rm(programs, { recursive: true });
    });
    const cluster = await startCluster({ kwok: false });
    const { dataDir } = cluster.description;
    process.kill(await supervisorOf(cluster.description), 'SIGKILL');
    await eventually('the supervisor is gone', () => processesNaming(dataDir).length === 4);
    // Until the killed supervisor has been reaped, it counts as alive and nothing is swept: the next start tries again.
    const isSwept = async (): Promise<boolean> => {
      await sweepRecords();
      return processesNaming(dataDir).length === 0;
    };
    await eventually('every process is gone', isSwept);
    await eventually('its data is gone', () => !existsSync(dataDir));
    t.pass();
    await cluster.close();
  },
);

test.serial('a component that takes too long is named', async (t) => {
  const error = await t.throwsAsync(startCluster({ readyTimeoutMs: 100 }), { instanceOf: ComponentFailure });
  t.regex(error.message, /^kube-apiserver was not ready after 0\.1 s/);
});

test.serial(
  'a component can be killed and started again, and a killed supervisor takes all along',
  async (t) => {
    const cluster = await startCluster({ kwok: false });
    t.teardown(() => cluster.stop());
    const exits: string[] = [];
    cluster.onComponentExit(({ component, expected }) => exits.push(`${component} ${String(expected)}`));
    await cluster.kill('kube-apiserver');
    await eventually('the end of the API server is told', () => exits.length > 0);
    t.deepEqual(exits, ['kube-apiserver true']);
    t.false(await cluster.admin.healthy('/livez'));
    await cluster.restart('kube-apiserver');
    await eventually('the API server is back', () => cluster.admin.healthy('/readyz'));
    await cluster.restart('kube-scheduler');
    t.is((await cluster.kubectl(['get', 'namespace', 'default'])).code, 0);

    const { dataDir } = cluster.description;
    t.is(processesNaming(dataDir).length, 5);
    process.kill(await supervisorOf(cluster.description), 'SIGKILL');
    await eventually('every process is gone', () => processesNaming(dataDir).length === 0);
    await t.notThrowsAsync(cluster.stop(), 'stopping is still clean');
    t.false(existsSync(dataDir));
  },
);

test.serial('a file of node pools that is wrong is refused before anything runs', async (t) => {
  const error = await t.throwsAsync(startCluster({ nodePoolsFile: join(import.meta.dirname, 'cluster.ts') }));
  t.regex(error.message, /does not describe node pools/);
});
