// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { type OperatorProcess, startOperator } from '../system/operator-process.ts';
import { type BenchEnvironment, isReady, sampleTenant, TENANTS } from './environment.ts';
import { startTimer } from './processor-timer.ts';
import type { Figure } from './report.ts';
import { CREATORS, dealOut, hasEnded, makeTenants, named, RUNS } from './run-world.ts';
import { secondsUntilDone } from './until-done.ts';

const SHARDS = 12;
const OPERATORS = 3;
const TENANT_COUNT = 30;
/** Tenants that are made after each kill: enough for some in each shard of the one that is gone. */
const WITNESSES = 24;
const DEAL_MS = 60_000;

type Fleet = Map<string, OperatorProcess>;

/**
 * `count` Runs with one operator, and as many with three that work at the same time; then one of the three is ended with
 * SIGKILL `rounds` times: how long until tenants of all shards are served again.
 */
export async function measureShards(
  environment: BenchEnvironment,
  { runs, rounds }: { readonly runs: number; readonly rounds: number },
): Promise<readonly Figure[]> {
  const tenants = named('sharded', TENANT_COUNT);
  const alone = await startFleet(environment, 1, 'one');
  await makeTenants(environment, tenants);
  const one = await measureRuns(environment, { fleet: alone, tenants, names: named('alone', runs) });
  await stopAll(alone);
  const fleet = await startFleet(environment, OPERATORS, 'three');
  const three = await measureRuns(environment, { fleet, tenants, names: named('together', runs) });
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    seconds.push(await secondsWithout(environment, fleet, round));
    const name = `round-${round}`;
    fleet.set(name, await start(environment, name, SHARDS));
    await untilDealtOut(fleet);
  }
  await stopAll(fleet);
  return [
    ...one,
    ...three,
    {
      name: `one of ${OPERATORS} killed to next tenants of all shards Ready, worst of ${rounds}`,
      value: Math.max(...seconds),
      unit: 's',
      bar: { atMost: 15 },
    },
  ];
}

async function startFleet(environment: BenchEnvironment, size: number, prefix: string): Promise<Fleet> {
  const fleet: Fleet = new Map();
  const shards = size === 1 ? 0 : SHARDS;
  for (const name of named(prefix, size)) fleet.set(name, await start(environment, name, shards));
  if (size > 1) await untilDealtOut(fleet);
  return fleet;
}

function start({ cluster }: BenchEnvironment, name: string, shards: number): Promise<OperatorProcess> {
  const env = { NEXUSOS_IDENTITY: name, NEXUSOS_SHARDS: String(shards) };
  return startOperator(cluster, { env });
}

async function stopAll(fleet: Fleet): Promise<void> {
  await Promise.all([...fleet.values()].map((operator) => operator.stop()));
}

interface Load {
  readonly fleet: Fleet;
  readonly tenants: readonly string[];
  readonly names: readonly string[];
}

async function measureRuns(
  environment: BenchEnvironment,
  { fleet, tenants, names }: Load,
): Promise<readonly Figure[]> {
  const what = fleet.size === 1 ? 'one operator' : `${fleet.size} operators`;
  const timer = await startTimer(
    Object.fromEntries([...fleet].map(([name, { pid }]) => [`operator ${name}`, pid])),
  );
  const seconds = await secondsUntilDone(environment.client, {
    width: CREATORS,
    resource: RUNS,
    objects: dealOut(tenants, names),
    isDone: hasEnded,
  });
  return [
    {
      name: `${names.length} Runs, created to Succeeded, ${what}`,
      value: names.length / seconds,
      unit: '/s',
    },
    ...(await timer.figures('Run', names.length)),
  ];
}

/** Ends who leads, and measures until tenants that are made right after are Ready, whatever their shard. */
async function secondsWithout(environment: BenchEnvironment, fleet: Fleet, round: number): Promise<number> {
  const name = await leaderOf(fleet);
  const killedAt = performance.now();
  await fleet.get(name)?.kill();
  fleet.delete(name);
  await secondsUntilDone(environment.client, {
    width: CREATORS,
    resource: TENANTS,
    objects: named(`after-${round}`, WITNESSES).map(sampleTenant),
    isDone: isReady,
  });
  return (performance.now() - killedAt) / 1000;
}

async function leaderOf(fleet: Fleet): Promise<string> {
  for (const [name, operator] of fleet) {
    if (/^nexusos_leader 1$/m.test(await operator.metrics())) return name;
  }
  throw new Error('no operator leads');
}

/** @throws Error when shards are not dealt out evenly within a minute. */
async function untilDealtOut(fleet: Fleet): Promise<void> {
  const deadline = performance.now() + DEAL_MS;
  let held: readonly number[] = [];
  while (performance.now() < deadline) {
    const metrics = await Promise.all([...fleet.values()].map((operator) => operator.metrics()));
    held = metrics.map((text) => Number(/^nexusos_shards (\d+)$/m.exec(text)?.[1] ?? '0'));
    const isWhole = held.reduce((a, b) => a + b, 0) === SHARDS;
    if (isWhole && Math.max(...held) - Math.min(...held) <= 1) return;
    await delay(200);
  }
  throw new Error(`shards are not dealt out evenly: ${held.join(' ')}`);
}
