// SPDX-License-Identifier: Apache-2.0
import type { PackResult } from '../../core/policy/compose.ts';
import { type Asked, type EntrypointResult, resultOf } from '../../core/policy/entrypoints.ts';
import type { SnapshotRevision } from '../../core/policy/snapshot.ts';
import type { Evaluation, Input } from '../evaluate-here.ts';
import { Failure, type Verdict } from '../verdict.ts';
import type { Trial } from '../workers/lines.ts';
import type { LoadedRevision } from './load.ts';

/** What evaluates: the host, or the thread of the caller. */
export type Evaluate = (
  evaluation: Evaluation & {
    readonly subject?: string;
    readonly trial?: Trial;
    readonly ownDeadlineMs?: number;
    readonly patienceMs?: number;
  },
) => Promise<Verdict>;

/** What a revision is asked. */
export interface PackQuestion {
  readonly revision: SnapshotRevision;
  /** Undefined where it could not be loaded. */
  readonly loaded: LoadedRevision | undefined;
  readonly input: Input;
  readonly nowNs: bigint;
  /** What is left of the time of the whole request. */
  readonly leftMs: () => number;
  /** Whose pack it is; undefined is the platform. */
  readonly tenant: string | undefined;
  /** Whose request it is: who is charged for the time it takes. */
  readonly subject?: string | undefined;
  /** For what it is asked, where the revision is only tried. */
  readonly trial?: Trial | undefined;
}

/** What came of it, and how long that took. */
export interface PackReply {
  readonly result: PackResult;
  readonly micros: number;
}

const NOT_LOADED: PackResult = {
  kind: 'failed',
  reason: 'NotLoaded',
  message: 'this replica does not have its module yet',
};

/** Asks all entry points of a revision. Never rejects: what goes wrong is what it came to. */
export async function askPack(evaluate: Evaluate, question: PackQuestion): Promise<PackReply> {
  const { revision, loaded } = question;
  if (loaded === undefined) return { result: NOT_LOADED, micros: 0 };
  const trouble = loaded.trouble?.();
  if (trouble !== undefined) return { result: { kind: 'failed', ...trouble }, micros: 0 };
  const asked: Asked[] = [];
  let micros = 0;
  for (const entrypoint of revision.entrypoints) {
    const verdict = await askInTime(evaluate, question, { loaded, path: entrypoint.path });
    micros += verdict.micros;
    asked.push({ entrypoint, result: resultFrom(verdict) });
    if (verdict.kind === 'failed') break;
  }
  return { result: resultOf(asked), micros };
}

/**
 * What was stopped, or lost with its worker, may have met a moment at which the machine was busy. A pack of the platform is asked once more
 * then, where there is time: everybody's requests hang on it, and its author is trusted not to waste it. On one that is tried nothing hangs.
 */
async function askInTime(
  evaluate: Evaluate,
  question: PackQuestion,
  which: { readonly loaded: LoadedRevision; readonly path: string },
): Promise<Verdict> {
  const first = await askOne(evaluate, question, which);
  const isStopped =
    first.kind === 'failed' && (first.reason === Failure.Timeout || first.reason === Failure.Lost);
  const { tenant, revision, leftMs, trial } = question;
  const mayAgain = tenant === undefined && trial === undefined;
  if (!isStopped || !mayAgain || leftMs() < 2 * revision.deadlineMs) return first;
  const second = await askOne(evaluate, question, which);
  return { ...second, micros: first.micros + second.micros };
}

async function askOne(
  evaluate: Evaluate,
  { revision, input, nowNs, leftMs, tenant, subject, trial }: PackQuestion,
  { loaded, path }: { readonly loaded: LoadedRevision; readonly path: string },
): Promise<Verdict> {
  const patienceMs = leftMs();
  const deadlineMs = Math.min(revision.deadlineMs, Math.floor(patienceMs));
  if (deadlineMs < 1) {
    const message = 'the time of the request was over before it was asked';
    return { kind: 'failed', reason: Failure.Timeout, message, micros: 0 };
  }
  return evaluate({
    module: loaded.module,
    entrypoint: path,
    input,
    data: loaded.data,
    nowNs,
    deadlineMs,
    // What is left of a request says nothing of the rules.
    ownDeadlineMs: revision.deadlineMs,
    // Who is kept from the processors by others is not given up as long as the request can wait.
    patienceMs,
    memoryMiB: revision.memoryMiB,
    tenant,
    ...(subject !== undefined && { subject }),
    ...(trial !== undefined && { trial }),
  });
}

function resultFrom(verdict: Verdict): EntrypointResult {
  if (verdict.kind === 'undefined') return verdict;
  if (verdict.kind === 'value') return { kind: 'value', value: verdict.value };
  return { kind: 'failed', reason: verdict.reason, message: verdict.message };
}
