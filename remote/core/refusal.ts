// SPDX-License-Identifier: Apache-2.0
import type { Answer } from './answer.ts';
import { type Failure, failure } from './failure.ts';
import type { Purpose } from './repeat.ts';

/** Where a request went, as it may be told, and what for. */
export interface Place {
  readonly where: string;
  readonly purpose: Purpose;
}

/** How an attempt fails with an answer that is final, and of no use. Says nothing of what stands in the answer: it may be anything. */
export function failureOf(answer: Answer, { where, purpose }: Place): Failure {
  switch (answer.kind) {
    case 'unsent':
      return answer.passes
        ? failure('Unreachable', `${where} cannot be reached: ${answer.why}`)
        : failure('Untrusted', `${where} is not trusted, and nothing was sent to it: ${answer.why}`);
    case 'lost':
      return purpose === 'message'
        ? failure('AnswerLost', lost(where, answer.why))
        : failure('Unreachable', `${where} does not answer: ${answer.why}`);
    case 'unread':
      return failure('NotUnderstood', `${where}: ${answer.why}`);
    default:
      return refusalOf(answer.status, where, purpose);
  }
}

function refusalOf(status: number, where: string, purpose: Purpose): Failure {
  const found = `${where} answers ${status}`;
  if (status === 429) return failure('RateLimited', `${found}: too many requests`);
  if (status === 401 || status === 403) {
    return failure('Unauthorized', `${found}: what spec.remote.auth shows it is not enough`);
  }
  if (status >= 500) {
    return purpose === 'message'
      ? failure('AnswerLost', lost(where, `it answers ${status}`))
      : failure('Unreachable', found);
  }
  if (status >= 300 && status < 400) {
    const message = `${found}: redirections are not followed, so that credentials go nowhere else; write the address that is meant`;
    return failure('NotUnderstood', message);
  }
  if (status < 300) return failure('NotUnderstood', `${found}, and not with 200`);
  return failure('Refused', found);
}

function lost(where: string, why: string): string {
  return `the message to ${where} has no answer (${why}), and nobody knows whether it was taken. It is not sent again: see spec.remote.retries.lostAnswer`;
}

/** An address as it may be told: a query may hold anything. Credentials are taken out first: of one that is cut, half would stay. */
export function toldAddress(url: string, hide: (text: string) => string): string {
  return hide(url).split('?', 1)[0] ?? '';
}
