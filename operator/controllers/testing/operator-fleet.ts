// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { eventually } from '#hack/tools/eventually';
import { prepareClient, type WorkloadRig } from './workload-rig.ts';

/** Several operators with shards on a control plane of their own, each a process with the chart's roles. */
export interface OperatorFleet extends WorkloadRig {
  /** Their names at present; those that are stopped included. */
  names(): readonly string[];
  /** Starts one more, and waits until it is ready. Returns its name. */
  start(env?: Readonly<Record<string, string>>): Promise<string>;
  /** Ends one at once, without its help. */
  kill(name: string): Promise<void>;
  /** Ends one in order. */
  stop(name: string): Promise<void>;
  /** Has one stand still for `ms`, as a machine that stalls would. */
  stall(name: string, ms: number): Promise<void>;
  /** A metric of each that answers, by name; 0 where it was never counted. */
  read(metric: string): Promise<ReadonlyMap<string, number>>;
}

/** How a fleet is made. */
export interface FleetChoice {
  readonly shards: number;
  readonly leaseDurationMs: number;
}

/** Starts a control plane with the chart, and no operator. */
export async function startFleet({ shards, leaseDurationMs }: FleetChoice): Promise<OperatorFleet> {
  const cluster = await startCluster({ audit: true });
  await installChart(cluster, { values: { operator: { enabled: false, shards, leaseDurationMs } } });
  const client = await prepareClient(cluster);
  const operators = new Map<string, OperatorProcess>();
  let started = 0;
  const take = (name: string): OperatorProcess => {
    const operator = operators.get(name);
    if (operator === undefined) throw new Error(`no operator is named ${name}`);
    return operator;
  };
  const end = async (name: string, how: 'kill' | 'stop') => {
    const operator = take(name);
    operators.delete(name);
    await operator[how]();
  };
  return {
    cluster,
    client,
    names: () => [...operators.keys()],
    async start(env = {}) {
      const name = `operator-${started}`;
      started += 1;
      operators.set(name, await startOperator(cluster, { env: { NEXUSOS_IDENTITY: name, ...env } }));
      return name;
    },
    kill: (name) => end(name, 'kill'),
    stop: (name) => end(name, 'stop'),
    async stall(name, ms) {
      const { pid } = take(name);
      process.kill(pid, 'SIGSTOP');
      await delay(ms);
      process.kill(pid, 'SIGCONT');
    },
    async read(metric) {
      const found = await Promise.all(
        [...operators].map(async ([name, one]) => [name, valueOf(await one.metrics(), metric)] as const),
      );
      return new Map(found);
    },
    async close() {
      await Promise.all([...operators.values()].map((one) => one.kill()));
      await client.close();
      await cluster.stop();
    },
  };
}

/** Waits until shards are dealt out evenly and one leads. */
export async function isDealtOut(fleet: OperatorFleet, shards: number): Promise<void> {
  await eventually(`${shards} shards are dealt out to ${fleet.names().join(', ')}`, async () => {
    const held = [...(await fleet.read('nexusos_shards')).values()];
    const leaders = sumOf(await fleet.read('nexusos_leader'));
    const isEven = Math.max(...held) - Math.min(...held) <= 1;
    if (leaders === 1 && isEven && held.reduce((a, b) => a + b, 0) === shards) return true;
    throw new Error(`${leaders} lead, shards are held: ${held.join(' ')}`);
  });
}

/** What all of them have together. */
export function sumOf(values: ReadonlyMap<string, number>): number {
  return [...values.values()].reduce((a, b) => a + b, 0);
}

function valueOf(text: string, metric: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${metric} `));
  return Number(line?.split(' ').at(-1) ?? '0');
}
