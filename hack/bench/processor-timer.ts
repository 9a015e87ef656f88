// SPDX-License-Identifier: Apache-2.0
import type { Cluster } from '../cluster/cluster.ts';
import type { ComponentName } from '../cluster/components.ts';
import { readRecord } from '../cluster/records.ts';
import { cpuSeconds } from './process-time.ts';
import type { Figure } from './report.ts';

/** Counts the processor time of programs, which says much on a busy machine too. */
export interface ProcessorTimer {
  /** What each program has taken since the start for one of `count` things, in milliseconds. */
  perThing(count: number): Promise<ReadonlyMap<string, number>>;
  /** What each program has taken since the start for one of `count` things of a kind, such as `tenant`. */
  figures(thing: string, count: number): Promise<readonly Figure[]>;
}

/** Starts to count for processes by the name that figures give them. */
export async function startTimer(pids: Readonly<Record<string, number>>): Promise<ProcessorTimer> {
  const before = await secondsOf(pids);
  const perThing = async (count: number): Promise<ReadonlyMap<string, number>> => {
    const after = await secondsOf(pids);
    const spent = [...after].map(
      ([name, seconds]) => [name, seconds - (before.get(name) ?? Number.NaN)] as const,
    );
    return new Map(spent.map(([name, seconds]) => [name, (seconds / count) * 1000]));
  };
  return {
    perThing,
    async figures(thing, count) {
      const spent = await perThing(count);
      return [...spent].map(([name, value]) => ({
        name: `processor time of the ${name} per ${thing}`,
        value,
        unit: 'ms',
      }));
    },
  };
}

/** The process of a component of the control plane. @throws Error when nobody knows it. */
export async function componentPid({ description }: Cluster, component: ComponentName): Promise<number> {
  const record = await readRecord(description.id);
  const pid = record?.components[component]?.pid;
  if (pid === undefined) throw new Error(`nobody knows the process of ${component}`);
  return pid;
}

async function secondsOf(pids: Readonly<Record<string, number>>): Promise<ReadonlyMap<string, number>> {
  const times = Object.entries(pids).map(async ([name, pid]) => [name, await cpuSeconds(pid)] as const);
  return new Map(await Promise.all(times));
}
