// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * How much nicer than this process. To the kernel each step is a quarter less: five leave a third of the weight, so that where one thread here wants all
 * of a processor, the other process gets a fourth of it (335 of 335 + 1024, `sched_prio_to_weight`). The 20 s of a processor that an image may take are
 * over after 80 by the clock then, and its patience (JUDGE_LIMITS) is two minutes; with ten it would be a tenth, and 200 s.
 */
export const NICER_BY = 5;

/**
 * Has a process that was just started give way to this one where both want a processor: `by` so many steps (setpriority(2)). Who waits for a verdict
 * waits for registries first, and is in no hurry; all that the operator does waits for its loop. It takes nothing where there is a processor for each.
 * Best effort: where the machine will not, both are as before.
 */
export function giveWay(pid: number, by: number = NICER_BY): void {
  try {
    const nice = Math.min(getPriority() + by, constants.priority.PRIORITY_LOW);
    // On Linux each thread has its own, which those have that it starts: so the first one comes first.
    setPriority(pid, nice);
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), nice);
  } catch {
    // It is gone already, or the machine tells of no threads.
  }
}
