// SPDX-License-Identifier: Apache-2.0
import { truncate } from '../core/conditions.ts';
import type { ErrorCode } from '../core/errors.ts';

/** What an `ApiError` is made of. */
export interface ApiErrorFields {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly code: ErrorCode;
  /** `reason` of the API server's Status, such as `AlreadyExists`; or `NoAnswer`, or `AnswerTooLarge`. */
  readonly reason: string;
  readonly message: string;
  /** The message without method and path, for users; by default the same. */
  readonly words?: string;
  /** How long the API server asks to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** `details` of the API server's Status. */
  readonly details?: StatusDetails;
  readonly cause?: unknown;
}

/** `metav1.StatusDetails`, as far as it is read. */
export interface StatusDetails {
  readonly name?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly retryAfterSeconds?: number;
  readonly causes?: readonly {
    readonly reason?: string;
    readonly message?: string;
    readonly field?: string;
  }[];
}

/**
 * A request that the API server refused or that got no answer. The message names method and path and gives
 * the server's own words; it never holds a query string, a header or a body.
 */
export class ApiError extends Error {
  readonly status: number;
  readonly code: ErrorCode;
  readonly reason: string;
  /** What happened, for people who know nothing of our requests. */
  readonly words: string;
  readonly retryAfterMs: number | undefined;
  readonly details: StatusDetails | undefined;

  constructor(fields: ApiErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'ApiError';
    this.status = fields.status;
    this.code = fields.code;
    this.reason = fields.reason;
    this.words = fields.words ?? fields.message;
    this.retryAfterMs = fields.retryAfterMs;
    this.details = fields.details;
  }
}

/** An answer that says no, before it is made an error. */
export interface RefusedAnswer {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly status: number;
  readonly retryAfter?: string | undefined;
  /** As it came: a `metav1.Status` in JSON, or plain text. */
  readonly body: string;
}

const MAX_MESSAGE_LENGTH = 2048;
const ANSWER_TOO_LARGE = 'AnswerTooLarge';
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  408: 'timeout',
  409: 'conflict',
  410: 'conflict',
  429: 'rate_limited',
  504: 'timeout',
};

/** A policy of whatever kind says no; its author chooses the status. */
const POLICY = /ValidatingAdmissionPolicy|violates PodSecurity|admission webhook "[^"]+" denied the request/;
/**
 * What is forbidden now and may be allowed soon, though the object stays as it is: quota is used up or not counted yet, the
 * namespace goes, a policy lacks a part of its own, or it is us who lack a right.
 */
const FORBIDDEN_FOR_NOW =
  /exceeded quota|status unknown for quota|failed quota|being terminated|failed to configure (policy|binding)|forbidden: User "[^"]*" cannot |cannot set (blockOwnerDeletion|an ownerRef)/;

/** Whether the API server will not have what was to be created, as it is: to try again would not help. */
export function refusesObject(error: ApiError): boolean {
  if (![400, 403, 422].includes(error.status)) return false;
  return !meetsEndOfNamespace(error) && !FORBIDDEN_FOR_NOW.test(error.words);
}

/** Whether `error`, or what it was made of, is that nothing can be made in a namespace any more, since that goes. */
export function meetsEndOfNamespace(error: unknown): boolean {
  const refused = error instanceof Error && !(error instanceof ApiError) ? error.cause : error;
  if (!(refused instanceof ApiError)) return false;
  return refused.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true;
}

/** The error for an answer of status 400 or above. */
export function refusal(answer: RefusedAnswer): ApiError {
  const status = parseStatus(answer.body);
  const { reason = `Http${answer.status}`, message = answer.body.trim(), details } = status;
  // A refused Secret may be quoted by the API server, value and all.
  const isSecret = isSecretPath(answer.path);
  const words = message === '' || isSecret ? reason : message;
  const retryAfterMs = retryAfter(answer.retryAfter, details);
  return new ApiError({
    status: answer.status,
    code: codeOf(answer.status, words),
    reason,
    message: sanitize(`${answer.method} ${answer.path}: ${words}`),
    words: sanitize(words),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(details !== undefined && { details: isSecret ? withoutCauses(details) : details }),
  });
}

/** Causes quote values of fields. */
function withoutCauses(details: StatusDetails): StatusDetails {
  const { causes: _causes, ...others } = details;
  return others;
}

/** The error for a request that got no whole answer. `timedOut` tells waiting from a broken connection. */
export function noAnswer(
  request: { readonly method: string; readonly path: string },
  cause: unknown,
  timedOut: boolean,
): ApiError {
  const why = timedOut ? 'no answer in time' : `no answer: ${causeText(cause)}`;
  return new ApiError({
    status: 0,
    code: timedOut ? 'timeout' : 'dependency_unavailable',
    reason: 'NoAnswer',
    message: sanitize(`${request.method} ${request.path}: ${why}`),
    words: 'the API server gave no answer',
    cause,
  });
}

/** The error for an answer of more than `maxBytes`, which was not read to its end. The same request would be answered the same. */
export function answerTooLarge(
  request: { readonly method: string; readonly path: string },
  maxBytes: number,
): ApiError {
  return new ApiError({
    status: 0,
    code: 'dependency_unavailable',
    reason: ANSWER_TOO_LARGE,
    message: sanitize(`${request.method} ${request.path}: the answer is larger than ${maxBytes} bytes`),
    words: 'the answer of the API server is too large',
  });
}

/** Whether `error` says that the answer was too large to be read. */
export function isAnswerTooLarge(error: unknown): boolean {
  return error instanceof ApiError && error.reason === ANSWER_TOO_LARGE;
}

/** Whether `error` is an answer of HTTP status `status`. */
export function hasStatus(error: unknown, status: number): error is ApiError {
  return error instanceof ApiError && error.status === status;
}

/**
 * `text` on one line, of bounded length, without control characters and without anything that looks like a credential or a query
 * string.
 */
export function sanitize(text: string): string {
  const clean = text
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .replaceAll(/bearer\s+[\w.~+/-]+=*/gi, 'Bearer [redacted]')
    .replaceAll(/(\/[\w./:%-]*)\?[^\s"']+/g, '$1');
  return truncate(clean, MAX_MESSAGE_LENGTH);
}

interface Status {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: StatusDetails;
}

/** The Status in `body`; an empty one when it holds something else. */
function parseStatus(body: string): Status {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || !('kind' in parsed)) return {};
    return parsed.kind === 'Status' ? (parsed as Status) : {};
  } catch {
    return {};
  }
}

function codeOf(status: number, words: string): ErrorCode {
  if (status === 403 && words.includes('exceeded quota')) return 'quota_exceeded';
  if ((status === 403 || status === 422) && POLICY.test(words)) return 'policy_blocked';
  return CODES[status] ?? (status >= 500 ? 'dependency_unavailable' : 'invalid_request');
}

function retryAfter(header: string | undefined, details: StatusDetails | undefined): number | undefined {
  const seconds = header === undefined ? details?.retryAfterSeconds : Number(header);
  return seconds === undefined || !Number.isFinite(seconds) || seconds < 0 ? undefined : seconds * 1000;
}

function isSecretPath(path: string): boolean {
  return /\/secrets(\/|$)/.test(path);
}

function causeText(cause: unknown): string {
  if (!(cause instanceof Error)) return 'unknown cause';
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return code === undefined ? cause.message : `${code} ${cause.message}`;
}
