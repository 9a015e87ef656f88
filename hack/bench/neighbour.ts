// SPDX-License-Identifier: Apache-2.0
import { startOperator } from '../system/operator-process.ts';
import { eventually } from '../tools/eventually.ts';
import { millisecondsUntilAdmitted } from './admission-times.ts';
import { type BenchEnvironment, TENANTS } from './environment.ts';
import { componentPid, startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { countPhases, CREATORS, makeTenants, named, namespaceOf, phaseOf, RUNS, runOf } from './run-world.ts';
import { percentile } from './statistics.ts';
import { secondsUntilDone } from './until-done.ts';

const LIGHT = 'light';
const HEAVY = 'heavy';
/** Of a hundred, p99 would be the slowest but one, and say how one Run fared; of so many it is the fourth from the end. */
const SAMPLES = 300;
const PAUSE_MS = 200;
/** Runs of the neighbour at one time, and how long each of them runs. So its queue moves all the time. */
const HEAVY_AT_A_TIME = 10;
const HEAVY_RUNS_FOR = '1s';
/** Those that go while it is measured, ten a second at most: the queue is never shorter than it is said to be. */
const RESERVE = 1200;
const WARM_UP = 30;

/**
 * What a light tenant waits for, created to admitted, one Run at a time: alone on the control plane, and then beside a tenant with
 * `queued` Runs in its queue, some of which always run. The bar is that of design section 8: at most twice as long.
 */
export async function measureNeighbour(
  environment: BenchEnvironment,
  queued: number,
): Promise<readonly Figure[]> {
  const { cluster, client } = environment;
  const operator = await startOperator(cluster);
  const programs = { operator: operator.pid, 'API server': await componentPid(cluster, 'kube-apiserver') };
  await makeTenants(environment, [LIGHT]);
  await makeTenants(environment, [HEAVY], { maxConcurrent: 0 });
  const sample = (prefix: string, count: number) =>
    millisecondsUntilAdmitted(client, { names: named(prefix, count), tenants: [LIGHT], pauseMs: PAUSE_MS });
  // A program that has just started is slower, which would flatter the comparison.
  await sample('warm-up', WARM_UP);
  const alone = await sample('alone', SAMPLES);
  const built = await secondsUntilDone(client, {
    width: CREATORS,
    resource: RUNS,
    objects: named('queued', queued + RESERVE).map((name) => runOf(HEAVY, name, HEAVY_RUNS_FOR)),
    isDone: (run) => phaseOf(run) === 'Queued',
  });
  await client.patch(
    TENANTS,
    { name: HEAVY },
    { body: { spec: { quotas: { runs: { maxConcurrent: HEAVY_AT_A_TIME } } } } },
  );
  const first = { namespace: namespaceOf(HEAVY), name: 'queued-0' };
  await eventually('the queue moves', async () => {
    const run = await client.get(RUNS, first);
    return run !== undefined && phaseOf(run) === 'Succeeded';
  });
  const timer = await startTimer(programs);
  const startedAt = performance.now();
  const beside = await sample('beside', SAMPLES);
  const seconds = (performance.now() - startedAt) / 1000;
  const spent = await timer.figures('second beside it', seconds);
  const phases = await countPhases(client, namespaceOf(HEAVY));
  await operator.stop();
  return [
    { name: `queue of ${queued + RESERVE} Runs built`, value: built, unit: 's' },
    {
      name: 'Runs in the queue of the neighbour at the end',
      value: phases.get('Queued') ?? 0,
      unit: '',
      bar: { atLeast: queued },
    },
    {
      name: 'Runs of it that ended meanwhile',
      value: phases.get('Succeeded') ?? 0,
      unit: '',
      bar: { atLeast: 1 },
    },
    ...spent,
    ...comparison(alone, beside),
  ];
}

/** The waits of the light tenant, and how many times as long they are beside the other. */
function comparison(alone: readonly number[], beside: readonly number[]): readonly Figure[] {
  return [0.5, 0.99].flatMap((share) => {
    const [before, after] = [percentile(alone, share), percentile(beside, share)];
    const which = `p${share * 100}`;
    return [
      { name: `created to admitted alone, ${which}`, value: before, unit: 'ms' },
      { name: `created to admitted beside it, ${which}`, value: after, unit: 'ms' },
      { name: `beside it / alone, ${which}`, value: after / before, unit: '', bar: { atMost: 2 } },
    ];
  });
}
