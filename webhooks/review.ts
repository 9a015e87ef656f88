// SPDX-License-Identifier: Apache-2.0
import type { ErrorCode } from '#crds/v1alpha1/error-codes';
import type { KubeObject } from '#operator/core/object';
import { isDeeper } from '#operator/core/policy/json-depth';
import { isJsonObject } from '#operator/core/policy/review';

// AdmissionReview v1 of Kubernetes, in and out. Pure.

/** Who sends a request. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** A kind, as reviews name it. */
export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A resource, as reviews name it. */
export interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** What is asked: may this request pass. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: GroupVersionKind;
  readonly resource: GroupVersionResource;
  readonly subResource?: string;
  /** Empty for an object whose name the API server makes up. */
  readonly name: string;
  /** Empty for what is in none. */
  readonly namespace: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly userInfo: UserInfo;
  readonly object: KubeObject | null;
  readonly oldObject: KubeObject | null;
  readonly dryRun: boolean;
  readonly options?: unknown;
}

/** One reason why a request may not pass. */
export interface Refusal {
  readonly code: ErrorCode;
  /** What is wrong, after the code: which rule, what was found, what would pass, whom to ask. */
  readonly message: string;
  /** Path of the field, where it is about one. */
  readonly field?: string;
  /** After how long whoever asks may ask again, where that is soon: clients do so by themselves. */
  readonly retryAfterSeconds?: number;
}

/** One step of RFC 6902. */
export interface JsonPatchOperation {
  readonly op: 'add' | 'replace' | 'remove' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

/** What is answered. */
export interface Answer {
  readonly allowed: boolean;
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
  /** For the audit log of the API server, each key without a prefix. */
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly patch?: readonly JsonPatchOperation[];
}

/** What was read from a request: the review, or why it is none. */
export type ReadReview =
  | { readonly kind: 'review'; readonly request: AdmissionRequest }
  | { readonly kind: 'malformed'; readonly message: string; readonly uid: string | undefined };

/** That it may pass, with nothing to say. */
export const ALLOWED: Answer = { allowed: true, refusals: [], warnings: [], auditAnnotations: {} };

/** How deep objects may be. The API server lets ten times that pass; nothing real is a tenth of it. */
export const MAX_DEPTH = 512;
const MAX_REFUSALS = 16;
const MAX_MESSAGE_BYTES = 4096;
/** Of one warning, and of all together: what is beyond, the API server cuts or drops. */
const MAX_WARNING = 256;
const MAX_WARNINGS = 4096;
const API_VERSION = 'admission.k8s.io/v1';
const OPERATIONS: ReadonlySet<string> = new Set(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']);
const UID = /"uid"\s*:\s*"([A-Za-z0-9-]{1,64})"/;

/** How each code is told by HTTP, and to clients of Kubernetes. */
const STATUS: Readonly<Record<ErrorCode, { readonly code: number; readonly reason: string }>> = {
  unauthorized: { code: 401, reason: 'Unauthorized' },
  forbidden: { code: 403, reason: 'Forbidden' },
  not_found: { code: 404, reason: 'NotFound' },
  conflict: { code: 409, reason: 'Conflict' },
  // With 422 kubectl shows the causes alone, and not what they come under.
  invalid_request: { code: 400, reason: 'BadRequest' },
  dependency_unavailable: { code: 503, reason: 'ServiceUnavailable' },
  timeout: { code: 504, reason: 'Timeout' },
  rate_limited: { code: 429, reason: 'TooManyRequests' },
  quota_exceeded: { code: 403, reason: 'Forbidden' },
  policy_blocked: { code: 403, reason: 'Forbidden' },
  policy_redacted: { code: 403, reason: 'Forbidden' },
  internal_error: { code: 500, reason: 'InternalError' },
};

/** An answer of refusals alone. */
export function refused(...refusals: readonly Refusal[]): Answer {
  return { allowed: false, refusals, warnings: [], auditAnnotations: {} };
}

/** Both answers as one: what either refuses is refused, and both are heard. */
export function merged(a: Answer, b: Answer): Answer {
  // Nearly always: most of what is asked about is judged by packs alone.
  if (a === ALLOWED) return b;
  if (b === ALLOWED) return a;
  const patch = [...(a.patch ?? []), ...(b.patch ?? [])];
  return {
    allowed: a.allowed && b.allowed,
    refusals: [...a.refusals, ...b.refusals],
    warnings: [...a.warnings, ...b.warnings],
    auditAnnotations: { ...a.auditAnnotations, ...b.auditAnnotations },
    ...(patch.length > 0 && { patch }),
  };
}

/** Reads the body of a request of the API server. */
export function readReview(body: Buffer): ReadReview {
  if (isDeeper(body, MAX_DEPTH)) {
    return malformed(`the object is nested more than ${MAX_DEPTH} levels deep`, body);
  }
  let review: unknown;
  try {
    review = JSON.parse(body.toString('utf8'));
  } catch {
    return malformed('the body is not JSON', body);
  }
  const request =
    isJsonObject(review) && review['apiVersion'] === API_VERSION ? review['request'] : undefined;
  if (!isJsonObject(request)) return malformed(`the body is not an AdmissionReview of ${API_VERSION}`, body);
  return toRequest(request) ?? malformed('the request of the AdmissionReview is not whole', body);
}

/** The uid of a review of which only the beginning is known; the API server writes it first. */
export function uidOf(beginning: Buffer): string | undefined {
  return UID.exec(beginning.subarray(0, 1024).toString('latin1'))?.[1];
}

function malformed(message: string, body: Buffer): ReadReview {
  return { kind: 'malformed', message, uid: uidOf(body) };
}

function toRequest(request: Readonly<Record<string, unknown>>): ReadReview | undefined {
  const { uid, operation, kind, resource, userInfo } = request;
  const isWhole =
    typeof uid === 'string' &&
    OPERATIONS.has(String(operation)) &&
    isJsonObject(kind) &&
    isJsonObject(resource) &&
    isJsonObject(userInfo);
  if (!isWhole) return undefined;
  const groups = userInfo['groups'];
  return {
    kind: 'review',
    request: {
      ...(request as unknown as AdmissionRequest),
      name: textOf(request['name']),
      namespace: textOf(request['namespace']),
      userInfo: {
        ...(userInfo as unknown as UserInfo),
        username: textOf(userInfo['username']),
        groups: Array.isArray(groups) ? groups.map(String) : [],
      },
      object: objectOf(request['object']),
      oldObject: objectOf(request['oldObject']),
      dryRun: request['dryRun'] === true,
    },
  };
}

/** Of an object whose name the API server makes up, there is none yet. */
function objectOf(value: unknown): KubeObject | null {
  if (!isJsonObject(value)) return null;
  const metadata = isJsonObject(value['metadata']) ? value['metadata'] : {};
  return { ...value, metadata: { name: '', ...metadata } } as unknown as KubeObject;
}

/** The AdmissionReview that answers the request `uid`. */
export function writeReview(uid: string, answer: Answer): object {
  const { allowed, warnings, auditAnnotations, patch = [] } = answer;
  const hasPatch = allowed && patch.length > 0;
  return {
    apiVersion: API_VERSION,
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed,
      ...(!allowed && { status: statusOf(answer.refusals) }),
      ...(warnings.length > 0 && { warnings: cutWarnings(warnings) }),
      ...(Object.keys(auditAnnotations).length > 0 && { auditAnnotations }),
      ...(hasPatch && {
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      }),
    },
  };
}

function statusOf(refusals: readonly Refusal[]): object {
  const [first] = refusals;
  if (first === undefined)
    return { code: 403, reason: 'Forbidden', message: 'forbidden: no reason was given' };
  const { code, reason } = STATUS[first.code];
  const causes = refusals.slice(0, MAX_REFUSALS).map(({ code: why, field, message }) => ({
    reason: why,
    message: cut(message, MAX_MESSAGE_BYTES),
    field,
  }));
  return {
    status: 'Failure',
    code,
    reason,
    message: messageOf(refusals),
    details: { causes, ...retryOf(first) },
  };
}

function retryOf({ code, retryAfterSeconds }: Refusal): { readonly retryAfterSeconds?: number } {
  const seconds = retryAfterSeconds ?? (code === 'rate_limited' ? 1 : undefined);
  return seconds === undefined ? {} : { retryAfterSeconds: seconds };
}

/** All reasons in one text, as far as there is room; the rest is counted. */
function messageOf(refusals: readonly Refusal[]): string {
  const texts: string[] = [];
  let bytes = 0;
  for (const { code, message } of refusals.slice(0, MAX_REFUSALS)) {
    const text = `${code}: ${message}`;
    bytes += Buffer.byteLength(text) + 2;
    if (bytes > MAX_MESSAGE_BYTES && texts.length > 0) break;
    texts.push(cut(text, MAX_MESSAGE_BYTES - 64));
  }
  const more = refusals.length - texts.length;
  return more > 0 ? `${texts.join('; ')}; and ${more} more` : texts.join('; ');
}

function cutWarnings(warnings: readonly string[]): readonly string[] {
  const told: string[] = [];
  let length = 0;
  for (const warning of new Set(warnings)) {
    const text = cut(warning.replaceAll(/[\r\n]+/g, ' '), MAX_WARNING);
    length += Buffer.byteLength(text);
    if (length > MAX_WARNINGS) break;
    told.push(text);
  }
  return told;
}

/** `text` in at most so many bytes; what was cut is told by an ellipsis. Never half a character. */
function cut(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const kept = Buffer.from(text)
    .subarray(0, maxBytes - 3)
    .toString('utf8');
  return `${kept.replace(/\uFFFD+$/, '')}…`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
