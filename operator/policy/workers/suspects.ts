// SPDX-License-Identifier: Apache-2.0
import { SURE_SHARE } from '../metering/clock.ts';
import { Failure } from '../verdict.ts';
import type { RunOutcome } from './worker-handle.ts';

/** Why somebody is kept apart: rules that had to be stopped, or that keep their deadline, but take much of it. */
export type Suspicion = 'stopped' | 'long';

const SUSPECT_MS = 10_000;
/** Who takes so much of its deadline would keep others waiting that need next to nothing of theirs. */
const LONG_SHARE = 0.5;
/** Who was stopped after so much of it in its rules was stopped for them: no more than that is sure. */
const FULL_SHARE = 0.9 * SURE_SHARE;

interface Times {
  readonly stopped: readonly number[];
  readonly long: readonly number[];
}

const NONE: Times = { stopped: [], long: [] };

/** Whose rules had to be stopped of late, or took long. */
export class Suspects {
  readonly #times = new Map<string, Times>();

  /** The platform itself, which has no name, is nobody's suspect. */
  note(subject: string, why: Suspicion): void {
    for (const [name] of this.#times) {
      const { stopped, long } = this.#recent(name);
      if (stopped.length + long.length === 0) this.#times.delete(name);
    }
    if (subject === '') return;
    const times = this.#recent(subject);
    this.#times.set(subject, { ...times, [why]: [...times[why].slice(-1), performance.now()] });
  }

  /** Once is nothing: on a machine that is busy, it happens to those whose rules are right. */
  of(subject: string): Suspicion | undefined {
    const { stopped, long } = this.#recent(subject);
    if (stopped.length > 1) return 'stopped';
    return stopped.length + long.length > 1 ? 'long' : undefined;
  }

  #recent(subject: string): Times {
    const { stopped, long } = this.#times.get(subject) ?? NONE;
    return { stopped: stopped.filter(isRecent), long: long.filter(isRecent) };
  }
}

function isRecent(atMs: number): boolean {
  return performance.now() - atMs < SUSPECT_MS;
}

/**
 * What an evaluation says of its rules: by the deadline that they were given, not by what was left of a request, and without the time in
 * which their instance was made, which somebody else may have seen to that it was needed.
 */
export function suspicionOf(outcome: RunOutcome, ownDeadlineMs: number): Suspicion | undefined {
  const share = (outcome.micros - (outcome.loadMicros ?? 0)) / (ownDeadlineMs * 1000);
  if (outcome.kind === 'failed' && outcome.reason === Failure.Timeout && share >= FULL_SHARE)
    return 'stopped';
  return share >= LONG_SHARE ? 'long' : undefined;
}
