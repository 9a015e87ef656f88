// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { JUDGE_LIMITS } from '#operator/image-verification/judge';
import { JUDGE_ARGUMENT } from '#operator/image-verification/messages';
import { childrenOf } from './child-processes.ts';
import { peakMegabytes } from './process-memory.ts';
import type { Figure } from './report.ts';

const EVERY_MS = 1000;
/** With more, the process that judges is ended. */
const MEGABYTES = (JUDGE_LIMITS.residentMiB * (1 << 20)) / 1e6;

/**
 * Follows the processes that judge images for an operator. One that took too much is ended, and the next one begins with nothing: what is looked at when
 * all is over is a process that kept its bounds, whatever the ones before it did.
 */
export class JudgeWatch {
  readonly #operator: number;
  readonly #end = new AbortController();
  readonly #watching: Promise<void>;
  /** The most that each has had, in MB. */
  readonly #peaks = new Map<number, number>();

  /** `operator`: the number of its process. */
  constructor(operator: number) {
    this.#operator = operator;
    this.#watching = this.#watch();
  }

  /** Ends it. Where no process was seen nothing is known of its memory, and no bar kept. */
  async stop(): Promise<readonly Figure[]> {
    this.#end.abort();
    await this.#watching;
    await this.look();
    return judgeFigures([...this.#peaks.values()]);
  }

  async #watch(): Promise<void> {
    while (!this.#end.signal.aborted) {
      await this.look();
      await delay(EVERY_MS, undefined, { signal: this.#end.signal }).catch(() => undefined);
    }
  }

  /** Looks once more, beside each second. */
  async look(): Promise<void> {
    for (const pid of await judgesOf(this.#operator)) {
      this.#peaks.set(pid, await peakOf(pid, this.#peaks.get(pid) ?? 0));
    }
  }
}

/** What is told of processes that had `peaks` MB at most, one after the other. */
export function judgeFigures(peaks: readonly number[]): readonly Figure[] {
  return [
    {
      name: '... processes that judged, one after the other',
      value: peaks.length,
      unit: '',
      bar: { atMost: 1, atLeast: 1 },
    },
    {
      name: '... the most that one of them had',
      value: peaks.length === 0 ? Number.NaN : Math.max(...peaks),
      unit: 'MB',
      bar: { atMost: MEGABYTES },
    },
  ];
}

/** Processes that judge images for process `operator`, among all that it has started. */
export async function judgesOf(operator: number): Promise<readonly number[]> {
  const children = await childrenOf(operator);
  const are = await Promise.all(children.map(isJudge));
  return children.filter((_, index) => are[index]);
}

async function isJudge(pid: number): Promise<boolean> {
  // It may have ended meanwhile.
  const said = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return said.split('\0').includes(JUDGE_ARGUMENT);
}

/** One that ends has no memory any more: what was seen before counts. */
async function peakOf(pid: number, before: number): Promise<number> {
  const now = await peakMegabytes(pid).catch(() => Number.NaN);
  return Number.isNaN(now) ? before : Math.max(before, now);
}
