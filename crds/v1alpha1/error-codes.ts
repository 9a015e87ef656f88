// SPDX-License-Identifier: Apache-2.0

/** The fixed set of error codes that users meet in status, events, admission messages and the CLI. */
export const ERROR_CODES = [
  'unauthorized',
  'forbidden',
  'not_found',
  'conflict',
  'invalid_request',
  'dependency_unavailable',
  'timeout',
  'rate_limited',
  'quota_exceeded',
  'policy_blocked',
  'policy_redacted',
  'internal_error',
] as const;

/** One of the twelve error codes; never anything else. */
export type ErrorCode = (typeof ERROR_CODES)[number];
