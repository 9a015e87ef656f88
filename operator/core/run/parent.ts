// SPDX-License-Identifier: Apache-2.0
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import { cancellation } from './ending.ts';
import { isToldToEnd } from './interruption.ts';
import type { RunObserved } from './observed.ts';
import type { Failure } from './outcome.ts';
import { attemptsOf, childName, identityOf, isFinished, phaseOf, type Run } from './run.ts';
import type { Cause } from './status.ts';

/** How a Run stands with the one that it names as its parent. */
export type ParentVerdict =
  /** An attempt of that is under way, which this Run belongs to, or may. */
  | { readonly kind: 'active' }
  /** The attempt that it belongs to is over, which nothing can change: it is ended. */
  | { readonly kind: 'over'; readonly message: string }
  /** It was never the child of anybody. */
  | { readonly kind: 'refused'; readonly failure: Failure };

const ACTIVE: ParentVerdict = { kind: 'active' };

/**
 * How `run` stands with `parent`, the Run of the name that it gives; undefined for a Run that nobody calls. What is said to be over
 * stays so: it follows from an end that was written, or cannot be taken back.
 */
export function judgeParent(run: Run, parent: Run | undefined): ParentVerdict | undefined {
  const { parentRef } = run.spec;
  if (parentRef === undefined) return undefined;
  const isThere = parent !== undefined && isNamed(parent, run);
  if (!isThere) return hasStarted(run) ? over(run, 'is gone') : refusedAs(noParent(run));
  const wrongPod = checkPod(run, parent);
  if (wrongPod !== undefined) return refusedAs(wrongPod);
  return judgeAttempt(run, parent);
}

/** Why an admitted Run is ended whose parent is not under way any more; undefined while it may go on. */
export function calledOff(run: Run, { parent }: Pick<RunObserved, 'parent'>): Cause | undefined {
  const verdict = judgeParent(run, parent);
  if (verdict === undefined || verdict.kind === 'active') return undefined;
  const message = verdict.kind === 'over' ? verdict.message : verdict.failure.error.message;
  return { reason: RUN_CALL_REASONS.ParentEnded, message };
}

/** The attempt of its parent that a Run belongs to; undefined for one that belongs to whichever is under way. */
export function attemptOfParent({ spec, status }: Run): number | undefined {
  return status?.call?.attempt ?? numberOf(spec.parentRef?.pod);
}

function judgeAttempt(run: Run, parent: Run): ParentVerdict {
  const attempt = attemptOfParent(run);
  if (isFinished(parent)) return over(run, `has ended (${phaseOf(parent)})`);
  if (attempt !== undefined && attempt !== attemptsOf(parent)) return over(run, `is past attempt ${attempt}`);
  if (phaseOf(parent) === 'Queued') {
    const neverRan = parent.status?.admittedAt === undefined;
    return neverRan ? refusedAs(notRunning(run)) : over(run, 'is back in the queue');
  }
  const isEnding = cancellation(parent) !== undefined || isToldToEnd(parent);
  return isEnding ? over(run, 'is being ended') : ACTIVE;
}

function isNamed({ metadata }: Run, { metadata: own, spec }: Run): boolean {
  const { parentRef } = spec;
  const isNear = metadata.namespace === own.namespace && metadata.uid !== own.uid;
  return isNear && metadata.name === parentRef?.name && metadata.uid === parentRef.uid;
}

function hasStarted({ status }: Run): boolean {
  return status?.call !== undefined;
}

/** The pod of an attempt has a name that follows from Run and attempt: who knows another one guesses. */
function checkPod({ spec }: Run, parent: Run): Failure | undefined {
  const { pod } = spec.parentRef ?? {};
  if (pod === undefined) return undefined;
  const attempt = numberOf(pod);
  const identity = identityOf(parent);
  const isOfParent = attempt !== undefined && childName(identity, attempt) === pod;
  if (isOfParent && attempt <= attemptsOf(parent)) return undefined;
  const allowed = childName(identity, Math.max(1, attemptsOf(parent)));
  return refusal(RUN_CALL_REASONS.ParentNotFound, {
    code: 'not_found',
    message: `spec.parentRef.pod: found ${pod}; allowed is the pod of the present attempt of Run ${parent.metadata.name}, ${allowed}`,
  });
}

function numberOf(pod: string | undefined): number | undefined {
  const digits = /-([1-9][0-9]{0,9})$/.exec(pod ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function over({ spec }: Run, what: string): ParentVerdict {
  const name = spec.parentRef?.name ?? '';
  return { kind: 'over', message: `ended with the attempt that called it: Run ${name} ${what}` };
}

function noParent({ spec }: Run): Failure {
  const { name = '', uid = '' } = spec.parentRef ?? {};
  return refusal(RUN_CALL_REASONS.ParentNotFound, {
    code: 'not_found',
    message: `spec.parentRef: found ${name} with UID ${uid}; allowed is another Run of this namespace, by its name and its UID`,
  });
}

function notRunning({ spec }: Run): Failure {
  return refusal(RUN_CALL_REASONS.ParentNotRunning, {
    code: 'conflict',
    message: `spec.parentRef: Run ${spec.parentRef?.name} is Queued; allowed is one that is Admitted or Running`,
    retryable: true,
  });
}

function refusal(
  reason: string,
  { retryable = false, ...error }: Omit<Failure['error'], 'retryable'> & { readonly retryable?: boolean },
): Failure {
  return { reason, error: { ...error, retryable } };
}

function refusedAs(failure: Failure): ParentVerdict {
  return { kind: 'refused', failure };
}
