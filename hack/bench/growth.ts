// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { type OperatorProcess, startOperator } from '../system/operator-process.ts';
import type { BenchEnvironment } from './environment.ts';
import { type GrowthPoint, ratiosOf, toBars, toTable, totalsUpTo } from './growth-table.ts';
import { residentMegabytes } from './process-memory.ts';
import { componentPid, startTimer } from './processor-timer.ts';
import { sumOfMetric } from './metric-text.ts';
import type { Figure } from './report.ts';
import { CREATORS, dealOut, hasEnded, makeTenants, named, RUNS } from './run-world.ts';
import { secondsUntilDone } from './until-done.ts';

const TENANT_COUNT = 10;
/** The first Runs of a program that has just started cost more, which would flatter those that come later. */
const WARM_UP = 500;
/** Places are given back, and counted, up to ten seconds after the end of a Run. */
const AFTERMATH_MS = 12_000;
const BAR = 1.3;

/** How far it is looked, and who is told on the way. */
export interface GrowthOptions {
  /** Runs in all at the end. */
  readonly runs: number;
  readonly tell: (text: string) => void;
}

/**
 * Whether a Run costs the same whatever was before it. On one control plane Runs come in bursts that double its history each, and
 * all of it stays: Runs without a TTL are kept, with their pods. So both grow, what is stored and what is under way,
 * and each burst is compared for itself: an average from the beginning on would hide what the last ones cost.
 */
export async function measureGrowth(
  environment: BenchEnvironment,
  { runs, tell }: GrowthOptions,
): Promise<readonly Figure[]> {
  const operator = await startOperator(environment.cluster);
  const tenants = named('bench', TENANT_COUNT);
  await makeTenants(environment, tenants);
  const totals = totalsUpTo(runs);
  const world = { environment, operator, tenants };
  await burst(world, named('warm-up', Math.min(WARM_UP, totals[0] ?? 0)), 0);
  const names = named('run', runs);
  const points: GrowthPoint[] = [];
  let before = 0;
  for (const total of totals) {
    points.push(await burst(world, names.slice(before, total), total));
    tell(toTable(points.slice(-1)));
    before = total;
  }
  await operator.stop();
  tell(toTable(points));
  tell(`processor time of the operator per Run, ms\n${barsOf(points, (one) => one.spent.get('operator'))}`);
  tell(`time per Run, ms\n${barsOf(points, (one) => (one.seconds * 1000) / one.runs)}`);
  return [...points.flatMap(figuresOf), ...ratiosOf(points, BAR)];
}

interface World {
  readonly environment: BenchEnvironment;
  readonly operator: OperatorProcess;
  readonly tenants: readonly string[];
}

async function burst(
  { environment: { client, cluster }, operator, tenants }: World,
  names: readonly string[],
  total: number,
): Promise<GrowthPoint> {
  const timer = await startTimer({
    operator: operator.pid,
    'API server': await componentPid(cluster, 'kube-apiserver'),
    etcd: await componentPid(cluster, 'etcd'),
    'controller manager': await componentPid(cluster, 'kube-controller-manager'),
  });
  const writesBefore = await writesOf(operator);
  const objects = dealOut(tenants, names);
  const seconds = await secondsUntilDone(client, {
    width: CREATORS,
    resource: RUNS,
    objects,
    isDone: hasEnded,
  });
  await delay(AFTERMATH_MS);
  return {
    total,
    runs: names.length,
    seconds,
    spent: await timer.perThing(names.length),
    writes: ((await writesOf(operator)) - writesBefore) / names.length,
    memory: await residentMegabytes(operator.pid),
  };
}

async function writesOf(operator: OperatorProcess): Promise<number> {
  const text = await operator.metrics();
  return sumOfMetric(text, 'nexusos_api_requests_total', (labels) =>
    /verb="(create|update|patch|delete)"/.test(labels),
  );
}

function barsOf(points: readonly GrowthPoint[], of: (point: GrowthPoint) => number | undefined): string {
  return toBars(points.map((one) => [String(one.total), of(one) ?? Number.NaN]));
}

function figuresOf({ total, seconds, runs, spent, memory }: GrowthPoint): readonly Figure[] {
  return [
    { name: `time per Run, up to ${total}`, value: (seconds * 1000) / runs, unit: 'ms' },
    ...[...spent].map(([name, value]) => ({
      name: `processor time of the ${name} per Run, up to ${total}`,
      value,
      unit: 'ms',
    })),
    { name: `memory of the operator (RSS) after ${total}`, value: memory, unit: 'MB' },
  ];
}
