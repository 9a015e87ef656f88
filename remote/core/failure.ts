// SPDX-License-Identifier: Apache-2.0
import type { ErrorCode } from '#crds/v1alpha1/error-codes';

/** Ways in which an attempt fails. Exit codes are told in docs/how-to/run-a-remote-agent.md, and retries go by them: they never change. */
const KINDS = {
  InvalidSettings: { exitCode: 2, code: 'invalid_request', retryable: false },
  TaskFailed: { exitCode: 10, code: 'internal_error', retryable: true },
  TaskRejected: { exitCode: 11, code: 'forbidden', retryable: false },
  TaskCanceled: { exitCode: 12, code: 'conflict', retryable: true },
  AuthRequired: { exitCode: 13, code: 'unauthorized', retryable: false },
  Unreachable: { exitCode: 20, code: 'dependency_unavailable', retryable: true },
  RateLimited: { exitCode: 21, code: 'rate_limited', retryable: true },
  Unauthorized: { exitCode: 22, code: 'unauthorized', retryable: false },
  Refused: { exitCode: 23, code: 'invalid_request', retryable: false },
  NotUnderstood: { exitCode: 24, code: 'dependency_unavailable', retryable: false },
  Untrusted: { exitCode: 25, code: 'dependency_unavailable', retryable: false },
  AnswerLost: { exitCode: 26, code: 'dependency_unavailable', retryable: false },
  TaskLost: { exitCode: 27, code: 'not_found', retryable: true },
  TaskUnknown: { exitCode: 28, code: 'dependency_unavailable', retryable: true },
  ToldToEnd: { exitCode: 143, code: 'conflict', retryable: true },
} as const satisfies Record<string, { exitCode: number; code: ErrorCode; retryable: boolean }>;

/** How an attempt can fail. */
export type FailureKind = keyof typeof KINDS;

/** Why an attempt failed. */
export interface Failure {
  readonly kind: FailureKind;
  readonly exitCode: number;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** What was found, and what would help. */
  readonly message: string;
}

/** A failure with its exit code and error code. */
export function failure(kind: FailureKind, message: string): Failure {
  return { kind, ...KINDS[kind], message };
}
