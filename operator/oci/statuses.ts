// SPDX-License-Identifier: Apache-2.0
import { broken, type Failure } from '../core/oci/answer.ts';
import { retryAfterMs } from '../core/oci/headers.ts';
import { parsed } from '../core/oci/json.ts';
import { isJsonObject } from '../core/policy/review.ts';
import type { Reply } from '../sources/outbound.ts';

/** Codes by which registries say that there is no such thing. */
const ABSENT: ReadonlySet<string> = new Set([
  'MANIFEST_UNKNOWN',
  'NAME_UNKNOWN',
  'BLOB_UNKNOWN',
  'NOT_FOUND',
]);
const MAX_ERRORS = 20;

/** What an answer that is not the one hoped for comes to. `what` is what was asked for, for people. */
export function failureOfReply(reply: Reply, what: string): Failure {
  const { status, headers, url } = reply;
  const codes = errorCodes(reply.bytes);
  const retry = retryAfterMs(headers['retry-after'], Date.parse(String(headers['date'] ?? '')));
  const wait = retry === undefined ? {} : { retryAfterMs: retry };
  if (status === 429 || codes.includes('TOOMANYREQUESTS'))
    return { kind: 'throttled', message: `${url.host} has had too many requests`, ...wait };
  if (status === 401 || status === 403) return refusedByRegistry(`${url.host} refuses ${what} (${status})`);
  if (status === 404) return missing(reply, { what, codes });
  if (status >= 500)
    return { kind: 'unreachable', message: `${url.host} answered ${status} for ${what}`, ...wait };
  return broken(`${url.host} answered ${status} for ${what}`);
}

/** What credentials there are do not suffice. */
export function refusedByRegistry(message: string): Failure {
  return { kind: 'refused', by: 'Registry', message };
}

/**
 * That something is not there is believed if the registry says it in its own words: a proxy, a storage behind it or a host that is no
 * registry says 404 as well, and knows nothing of it.
 */
function missing(
  { url, isElsewhere }: Reply,
  { what, codes }: { readonly what: string; readonly codes: readonly string[] },
): Failure {
  if (!isElsewhere && codes.some((code) => ABSENT.has(code)))
    return { kind: 'absent', message: `${url.host} has no ${what}` };
  return {
    kind: 'unreachable',
    message: `${url.host} answered 404 for ${what}, though not as registries do`,
  };
}

/** The codes of errors that a registry tells. */
function errorCodes(bytes: Uint8Array): readonly string[] {
  if (bytes.length === 0 || bytes.length > 64 * 1024) return [];
  const json = parsed(bytes);
  const errors = isJsonObject(json) ? json['errors'] : undefined;
  return Array.isArray(errors) ? errors.slice(0, MAX_ERRORS).map(codeOf) : [];
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
