// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * How much nicer than this process. To the kernel each step is a quarter less: five leave a third of the weight, so that where one thread here wants all
 * of a processor, the other process gets a fourth of it (335 of 335 + 1024, `sched_prio_to_weight`). The 20 s of a processor that an image may take are
 * over after 80 by the clock then, and after 270 beside four; with ten it would be a tenth, and 200 s, beside one. While it has that much, its patience is
 * not at an end (JUDGE_LIMITS).
 */
export const NICER_BY = 5;

/** Throws where there is no such process or thread (ESRCH), or where it may not be (EACCES, EPERM). */
type SetPriority = (thread: number, nice: number) => void;

/**
 * Has a process that was just started give way to this one where both want a processor: `by` so many steps (setpriority(2)). Who waits for a verdict
 * waits for registries first, and is in no hurry; all that the operator does waits for its loop. It takes nothing where there is a processor for each.
 * Best effort: where the machine will not, both are as before. `set` is that of Node, but in tests.
 */
export function giveWay(pid: number, by: number = NICER_BY, set: SetPriority = setPriority): void {
  // On Linux each thread has its own, which those have that it starts: so the first one comes first.
  for (const one of allOf(pid)) {
    try {
      set(one, Math.min(getPriority() + by, constants.priority.PRIORITY_LOW));
    } catch {
      // This one is gone already, or may not be asked; the others are there still.
    }
  }
}

/** The process, and then its threads: they are looked up when it is as nice as it is to be, since those that it starts until then are not. */
function* allOf(pid: number): Iterable<number> {
  yield pid;
  try {
    yield* readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    // It is gone already, or the machine tells of no threads.
  }
}
