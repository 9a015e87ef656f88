// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { KeyRecord } from '#crds/v1alpha1/quota-ledger';
import { DEFAULT_KEY_SECONDS } from '#crds/v1alpha1/run-idempotency';
import { canonicalJson, isDeepEqual } from '../compare.ts';
import { phaseOf, type Run } from './run.ts';

/** Digests are cut to 128 bits: 22 characters. A tenant that finds two of the same has but its own Runs mixed up. */
const DIGEST_LENGTH = 22;

/** Fields of a spec that may differ between two Runs that are the same: what can be changed, and the key itself. */
const NOT_THE_BODY: ReadonlySet<string> = new Set([
  'idempotencyKey',
  'idempotencyKeySeconds',
  'dryRun',
  'suspend',
  'cancel',
  'approval',
  'answers',
  'ttlSecondsAfterFinished',
]);

/** What the idempotency key of a Run is remembered as; undefined when it has none. Another one in each namespace. */
export const keyDigest = oncePerRun(({ metadata, spec: { idempotencyKey } }) =>
  idempotencyKey === undefined ? undefined : digestOf(`${metadata.namespace}/${idempotencyKey}`),
);

/** The digest of all that a Run is to do, and how: what cannot be changed once it exists. */
export function bodyDigest({ spec }: Run): string {
  return digestOf(canonicalJson(bodyOf(spec)));
}

/** What a ledger remembers of the key of a Run that is started; undefined when it has none. */
export function keyRecord(run: Run): KeyRecord | undefined {
  const key = keyDigest(run);
  if (key === undefined) return undefined;
  const { namespace = '', name, uid = '' } = run.metadata;
  const seconds = run.spec.idempotencyKeySeconds ?? DEFAULT_KEY_SECONDS;
  return { key, body: bodyDigest(run), namespace, name, uid, seconds };
}

/** Whether the time of a record is over. */
export function isForgotten({ until }: Pick<KeyRecord, 'until'>, now: Date): boolean {
  return until !== undefined && Date.parse(until) <= now.getTime();
}

/** How a Run ended, as a ledger remembers it; undefined while it has not. */
export function endOf(run: Run): KeyRecord['phase'] {
  const phase = phaseOf(run);
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Cancelled' ? phase : undefined;
}

/** Fields in which the bodies of two Runs differ, sorted. */
export function differingFields(a: Run, b: Run): readonly string[] {
  const [one, other] = [bodyOf(a.spec), bodyOf(b.spec)];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => !isDeepEqual(one[name], other[name])).toSorted();
}

/** By which pod its parent calls it makes no other Run: the next attempt of that finds what the last one has had done. */
function bodyOf({ parentRef, ...spec }: Run['spec']): Readonly<Record<string, unknown>> {
  const { pod: _, ...parent } = parentRef ?? {};
  // No priority is that of 0: who says so asks for the same.
  const fields = Object.entries({ priority: 0, ...spec, ...(parentRef && { parentRef: parent }) });
  return Object.fromEntries(fields.filter(([field]) => !NOT_THE_BODY.has(field)));
}

/** `digest`, worked out once for each Run as stores hold it: every Run of a queue is asked for its own in each pass. */
export function oncePerRun(digest: (run: Run) => string | undefined): (run: Run) => string | undefined {
  const known = new WeakMap<Run, string>();
  return (run) => {
    const found = known.get(run);
    if (found !== undefined) return found;
    const made = digest(run);
    // Most have none, which is told sooner than remembered.
    if (made !== undefined) known.set(run, made);
    return made;
  };
}

/** 128 bits of the SHA-256 of `text`. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_LENGTH);
}
