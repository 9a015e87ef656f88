// SPDX-License-Identifier: Apache-2.0
import type { RemoteSpec } from '#crds/v1alpha1/agent-remote';
import type { Answer } from './answer.ts';

/** Which requests are repeated. */
export type RetryPolicy = RemoteSpec['retries'];

/** What is sent: what only reads, or cancels, changes nothing when it is done twice; a message starts work. */
export type Purpose = 'read' | 'message';

const SLOW_DOWN = 429;
const UNAVAILABLE = 503;

/** Whether a request may be sent again after `answer`. */
export function mayRepeat(answer: Answer, purpose: Purpose, policy: RetryPolicy): boolean {
  switch (answer.kind) {
    case 'unsent':
      return answer.passes;
    case 'unread':
      return false;
    case 'lost':
      return purpose === 'read' || policy.lostAnswer === 'Resend';
    default:
      return policy.statuses.includes(answer.status) && isHarmless(answer, purpose, policy);
  }
}

/**
 * Whether a request that was answered so does no harm when it is sent again. A message was not taken if the endpoint asks to slow down, or
 * says when it can be taken. Any other of these answers may come from somebody on the way who handed the message on, and lost the answer.
 */
function isHarmless(
  { status, retryAfter }: Extract<Answer, { readonly kind: 'answered' }>,
  purpose: Purpose,
  { lostAnswer }: RetryPolicy,
): boolean {
  if (purpose === 'read' || lostAnswer === 'Resend') return true;
  return status === SLOW_DOWN || (status === UNAVAILABLE && retryAfter !== undefined);
}

/**
 * How long to wait before the try after `failed` that failed in a row, in milliseconds: backoff with up to a quarter less, by `random` from 0
 * to 1, or as long as the endpoint asks for, if that is longer.
 *
 * waitMs({ failed: 3, ... backoffSeconds: 1, random: 0 }) -> 4000
 */
export function waitMs({
  failed,
  policy,
  answer,
  random,
  nowMs,
}: {
  readonly failed: number;
  readonly policy: RetryPolicy;
  readonly answer: Answer;
  readonly random: number;
  readonly nowMs: number;
}): number {
  const { backoffSeconds, maxBackoffSeconds } = policy;
  const backoff = Math.min(backoffSeconds * 2 ** (failed - 1), maxBackoffSeconds) * 1000;
  const asked = answer.kind === 'answered' ? retryAfterMs(answer.retryAfter, nowMs) : 0;
  return Math.max(backoff * (1 - random / 4), asked);
}

/** What `Retry-After` asks for, in milliseconds: it holds seconds, or a date; 0 for anything else. */
export function retryAfterMs(text: string | undefined, nowMs: number): number {
  if (text === undefined) return 0;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs);
}
