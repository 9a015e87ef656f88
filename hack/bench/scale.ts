// SPDX-License-Identifier: Apache-2.0
import { startOperator } from '../system/operator-process.ts';
import { sharesOf } from './audit-writes.ts';
import type { BenchEnvironment } from './environment.ts';
import { peakMegabytes, residentMegabytes } from './process-memory.ts';
import { startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { countPhases, CREATORS, FOR_LONG, makeTenants, named, phaseOf, RUNS, runOf } from './run-world.ts';
import { SILENCE_SECONDS, settle, writesInSilence } from './steady-state.ts';
import { secondsUntilDone } from './until-done.ts';

/**
 * Longer than a place in a queue stands before it is written again for the first time. That may still happen after the last
 * change, since Runs that come at the same time are not seen in their order.
 */
const QUIET_MS = 45_000;
const SETTLE_AT_MOST_MS = 300_000;

/** How much is alive at the same time. */
export interface Scale {
  readonly tenants: number;
  readonly runs: number;
}

/**
 * Runs that live and do not end, dealt out to tenants that may run one at a time: one of each tenant runs, the others wait for it.
 * Then silence, and memory. The bars are those of design section 8. Every Run is written at least once and has its place in a
 * queue, and those that run have a pod: a fleet in use, and not only objects in a store.
 */
export async function measureScale(
  environment: BenchEnvironment,
  { tenants, runs }: Scale,
): Promise<readonly Figure[]> {
  const { cluster, client } = environment;
  const operator = await startOperator(cluster);
  const names = named('bench', tenants);
  const ready = await makeTenants(environment, names, { maxConcurrent: 1 });
  const withoutRuns = await residentMegabytes(operator.pid);
  const objects = named('run', runs).map((name, number) =>
    runOf(names[number % tenants] ?? '', name, FOR_LONG),
  );
  const created = await secondsUntilDone(client, {
    width: CREATORS,
    resource: RUNS,
    objects,
    isDone: (run) => phaseOf(run) === 'Queued' || phaseOf(run) === 'Running',
  });
  const settled = await settle(environment, { quietMs: QUIET_MS, atMostMs: SETTLE_AT_MOST_MS });
  const phases = await countPhases(client);
  const before = await residentMegabytes(operator.pid);
  const timer = await startTimer({ operator: operator.pid });
  const silent = await writesInSilence(environment);
  const idle = await timer.figures('second of steady state', SILENCE_SECONDS);
  const memory = Math.max(before, await residentMegabytes(operator.pid));
  const peak = await peakMegabytes(operator.pid);
  await operator.stop();
  return [
    { name: `${tenants} tenants from nothing to Ready`, value: ready, unit: 's' },
    { name: `${runs} Runs, created to Queued or Running`, value: created, unit: 's' },
    ...[...phases].map(([phase, found]) => ({ name: `of them ${phase}`, value: found, unit: '' })),
    { name: 'after that, until the last write', value: settled, unit: 's' },
    {
      name: `writes in ${SILENCE_SECONDS} s of steady state`,
      value: silent.length,
      unit: '',
      bar: { atMost: 0 },
    },
    ...sharesOf(silent, 1),
    ...idle,
    { name: 'memory of the operator (RSS), tenants alone', value: withoutRuns, unit: 'MB' },
    {
      name: `memory of the operator (RSS), ${tenants} tenants and ${runs} live Runs`,
      value: memory,
      unit: 'MB',
      bar: { atMost: 400 },
    },
    { name: 'the most that it ever was', value: peak, unit: 'MB' },
  ];
}
