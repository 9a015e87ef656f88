// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { type Cluster, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { agent, run, type RunChoice } from '../run-world.ts';
import { tenantManifest, User } from '../user.ts';

/**
 * What becomes of Runs while the clock of the operator is wrong: nothing else than while it is right. Its process is told another time by a
 * module that is loaded before it; everybody else has the time of the machine.
 */

const test = anyTest.serial as TestFn<{ readonly cluster: Cluster; readonly clockFile: string }>;
const CLOCK = join(import.meta.dirname, '../shifted-clock.ts');
const HOUR_MS = 3_600_000;
const KWOK = 'kwok.nexusos.dev';
/** Far more than this machine takes for anything, and far less than the clock is wrong by. */
const NEAR_MS = 10 * 60_000;

/** By how many hours the clock is wrong, one after the other while Runs are under way. */
const CLOCKS: Readonly<Record<string, readonly number[]>> = {
  ahead: [26],
  behind: [-26],
  jumping: [0, 26, -26, 3],
};

interface Seen {
  readonly metadata: { readonly creationTimestamp: string };
  readonly status?: {
    readonly phase?: string;
    readonly attempt?: number;
    readonly finishedAt?: string;
    readonly error?: { readonly code: string };
    readonly conditions?: readonly { readonly reason: string; readonly type: string }[];
  };
}

test.before(async (t) => {
  const cluster = await startCluster();
  await installChart(cluster);
  t.context = { cluster, clockFile: join(cluster.description.dataDir, 'clock') };
});
test.after.always((t) => t.context.cluster?.stop());

function lasting(
  duration: string,
  spec: object = {},
  more: Readonly<Record<string, string>> = {},
): RunChoice {
  return { annotations: { [`${KWOK}/duration`]: duration, ...more }, spec };
}

const RUNS: Readonly<Record<string, RunChoice>> = {
  // Would be over its timeout at once by a clock that is ahead.
  steady: lasting('15s', { timeoutSeconds: 3600 }),
  // Would never be by one that is behind.
  endless: lasting('1h', { timeoutSeconds: 5 }),
  // Its pause would be over at once, or never.
  again: lasting('1s', { retries: { limit: 1, backoffSeconds: 5 } }, { [`${KWOK}/outcome`]: 'exit-code' }),
  // Deleted at once, or never.
  kept: lasting('1s', { ttlSecondsAfterFinished: 7200 }),
  brief: lasting('1s', { ttlSecondsAfterFinished: 2 }),
  // Would not start.
  patient: lasting('1s', { startingDeadlineSeconds: 3600 }),
};

for (const [how, hours] of Object.entries(CLOCKS)) {
  test(`with a clock that is ${how}, Runs become what they become with another`, async (t) => {
    const { cluster, clockFile } = t.context;
    const user = new User(cluster);
    const namespace = `clock-${how}-main`;
    const sets = (hour = 0) => writeFile(clockFile, String(hour * HOUR_MS));
    await sets(hours[0]);
    const env = { NODE_OPTIONS: `--import=${CLOCK}`, NEXUSOS_TEST_CLOCK: clockFile };
    const operator = await startOperator(cluster, { env });
    t.teardown(() => operator.stop());
    t.true(isOff(operator.log.tail(), hours[0] ?? 0), 'its clock is set');
    await user.applies(tenantManifest(`clock-${how}`, { quotas: { runs: { maxConcurrent: 6 } } }));
    await user.awaitsReady(`tenant/clock-${how}`);
    await user.applies(agent(namespace));
    await user.awaitsReady('-n', namespace, 'agent/worker');
    await user.applies(...Object.entries(RUNS).map(([name, choice]) => run(namespace, name, choice)));
    const sees = (name: string) => user.sees<Seen>('-n', namespace, `run/${name}`);
    const ends = (name: string, phase: string) =>
      eventually(`${name} is ${phase}`, async () => {
        const seen = await sees(name);
        if (seen?.status?.phase !== phase) throw new Error(JSON.stringify(seen?.status));
        return seen;
      });
    await ends('steady', 'Running');
    for (const hour of hours) {
      await sets(hour);
      await user.applies(run(namespace, `at-${hour}`.replace('--', '-minus-'), lasting('1s')));
      await ends(`at-${hour}`.replace('--', '-minus-'), 'Succeeded');
    }
    isNear(t, await ends('steady', 'Succeeded'));
    const { status } = await ends('endless', 'Failed');
    t.is(status?.error?.code, 'timeout');
    t.is((await ends('again', 'Failed')).status?.attempt, 2);
    isNear(t, await ends('patient', 'Succeeded'));
    await eventually('the brief one is gone', async () => (await sees('brief')) === undefined);
    isNear(t, await ends('kept', 'Succeeded'));
    await isCountedNow(t, user, `clock-${how}`);
  });
}

/** Whether the log of the operator, which has the time of its machine, is so many hours off. */
function isOff(log: string, hours: number): boolean {
  const [, time = ''] = /"time":"([^"]+)"/.exec(log) ?? [];
  return Math.abs(Date.parse(time) - Date.now() - hours * HOUR_MS) < NEAR_MS;
}

function isNear(t: ExecutionContext, { status }: Seen): void {
  const offMs = Math.abs(Date.parse(status?.finishedAt ?? '') - Date.now());
  t.true(offMs < NEAR_MS, `ended at ${status?.finishedAt}, and it is ${new Date().toISOString()}`);
}

/** What was used is counted in the hours that it was used in. */
async function isCountedNow(t: ExecutionContext, user: User, tenant: string): Promise<void> {
  const windows = await eventually('something is counted', async () => {
    const ledger = await user.sees<{
      readonly status?: {
        readonly usage?: { readonly windows: readonly { readonly window: string; readonly start: string }[] };
      };
    }>(`quotaledger/${tenant}`);
    return ledger?.status?.usage?.windows.filter(({ window }) => window === 'hour');
  });
  for (const { start } of windows) {
    const sinceMs = Date.now() - Date.parse(start);
    t.true(sinceMs >= 0 && sinceMs < HOUR_MS + NEAR_MS, start);
  }
}
