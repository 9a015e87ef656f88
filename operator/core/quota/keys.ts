// SPDX-License-Identifier: Apache-2.0
import { type KeyRecord, MAX_KEYS, type Reservation } from '#crds/v1alpha1/quota-ledger';
import { RUN_REASONS } from '#crds/v1alpha1/run';
import { RUN_CALL_REASONS } from '#crds/v1alpha1/run-calls';
import { findCondition, READY, toInstant } from '../conditions.ts';
import { endOf, isForgotten, keyDigest, keyRecord } from '../run/idempotency.ts';
import { isFinished, type Run } from '../run/run.ts';
import type { Candidate, Waiting } from './admit.ts';
import { wantsQuota } from './candidates.ts';
import { keyBytes } from './ledger-size.ts';
import { TOO_MANY_KEYS } from './obstacles.ts';
import { ageOf, isOlder } from './queue-order.ts';
import { runsByUid } from './runs-by-uid.ts';

/** What the keys of a tenant's Runs follow from. */
export interface KeyInput {
  /** As the ledger has them. */
  readonly records: readonly KeyRecord[];
  readonly runs: readonly Run[];
  /** UIDs of Runs that hold a reservation. */
  readonly holders: ReadonlySet<string>;
  /** By uid: Runs that are gone, as they were seen last. */
  readonly departed?: ReadonlyMap<string, Run>;
  /** Bytes that keys may take in the ledger beside the reservations that are held; as many as they need when left out. */
  readonly bytes?: number;
  readonly now: Date;
}

/**
 * Which Run has which idempotency key. A key is a Run's from the write of the ledger that reserves for it, so that no
 * crash and no second leader can start another one; a Run that ends without having started leaves it to the next.
 */
export class KeyBook {
  readonly #byKey: Map<string, KeyRecord>;
  readonly #runs: ReadonlyMap<string, Run>;
  /** The oldest of those who want a key that is nobody's, by key. */
  readonly #first: ReadonlyMap<string, Run>;
  /** Keys of Runs that have ended, and are still there, for whose records there is no room. */
  readonly #unwritten = new Set<string>();

  constructor({ records, runs, holders, departed, bytes = Infinity, now }: KeyInput) {
    this.#runs = runsByUid(runs);
    const settled = records.flatMap((one) => {
      const run = this.#runs.get(one.uid);
      // As long as something of it holds its place, how it ended may still be told.
      if (run === undefined && holders.has(one.uid)) return [one];
      return settle(one, run ?? endedIn(departed, one.uid), now);
    });
    this.#byKey = new Map(settled.map((one) => [one.key, one]));
    const started = runs.filter(
      (run) =>
        run.status?.keyHolder === undefined && (hasUsedKey(run) || holders.has(run.metadata.uid ?? '')),
    );
    // Those who hold a place had room for their keys when they got it.
    for (const run of started.filter((one) => !isFinished(one))) this.#add(run, now);
    this.#addEnded(started.filter(isFinished), { bytes: bytes - this.bytes, now });
    this.#first = firstByKey(runs.filter(wantsQuota));
  }

  /** Keys that can still be remembered. */
  get left(): number {
    return MAX_KEYS - this.#byKey.size;
  }

  /** Bytes that they take in the ledger. */
  get bytes(): number {
    return this.#byKey.values().reduce((sum, one) => sum + keyBytes(one), 0);
  }

  /** When the first of them is forgotten, in milliseconds; infinite while none is about to be. */
  get forgottenMs(): number {
    const untils = [...this.#byKey.values()].map(({ until }) => Date.parse(until ?? ''));
    return Math.min(...untils.filter((ms) => !Number.isNaN(ms)), Infinity);
  }

  /** Whether the key of a waiting Run is somebody else's, so that it never starts. */
  isTaken(run: Run): boolean {
    const record = this.#recordOf(run);
    return record !== undefined && record.uid !== run.metadata.uid;
  }

  /** `candidate` with what its key has to do with it. */
  withKey(candidate: Candidate, run: Run): Candidate {
    const key = keyDigest(run);
    if (key === undefined || this.#byKey.has(key)) return candidate;
    if (this.#unwritten.has(key)) return { ...candidate, blocked: TOO_MANY_KEYS };
    const first = this.#first.get(key);
    if (first !== undefined && first.metadata.uid !== candidate.uid)
      return { ...candidate, blocked: behind(first) };
    return { ...candidate, keyBytes: keyBytes(candidate) };
  }

  /** The records as they are to be written when `admitted` get their reservations. */
  withAdmitted(admitted: readonly Reservation[]): readonly KeyRecord[] {
    for (const { uid } of admitted) {
      const run = this.#runs.get(uid);
      if (run !== undefined) this.#add(run);
    }
    return [...this.#byKey.values()];
  }

  #recordOf(run: Run): KeyRecord | undefined {
    const key = keyDigest(run);
    return key === undefined ? undefined : this.#byKey.get(key);
  }

  /** Keys that were forgotten, and are wanted again while their Runs are there, as many as there is room for. */
  #addEnded(ended: readonly Run[], { bytes, now }: { readonly bytes: number; readonly now: Date }): void {
    let left = bytes;
    for (const run of ended) {
      const key = keyDigest(run);
      if (key === undefined || this.#byKey.has(key)) continue;
      const { uid = '', namespace = '', name } = run.metadata;
      left -= keyBytes({ uid, namespace, name });
      if (left >= 0 && this.left > 0) this.#add(run, now);
      else this.#unwritten.add(key);
    }
  }

  #add(run: Run, now?: Date): void {
    const record = this.#recordOf(run) === undefined ? keyRecord(run) : undefined;
    if (record === undefined) return;
    const settled = now === undefined ? [record] : settle(record, run, now);
    for (const one of settled) this.#byKey.set(one.key, one);
  }
}

/**
 * Whether a Run has used up its key by having started. Not by its attempts: one that gave its reservation back before it was admitted has
 * spent the number of one. One that was ended for its parent, in the midst of its work, leaves it: the next attempt of that may have it done anew.
 */
function hasUsedKey({ status }: Run): boolean {
  if (status?.admittedAt === undefined) return false;
  const ready = findCondition(status.conditions ?? [], READY);
  return status.phase !== 'Cancelled' || ready?.reason !== RUN_CALL_REASONS.ParentEnded;
}

/** A Run that is gone, and was seen to have ended; of others nothing is known. */
function endedIn(departed: KeyInput['departed'], uid: string): Run | undefined {
  const run = departed?.get(uid);
  return run !== undefined && isFinished(run) ? run : undefined;
}

/** A record as time has gone on: none when it is forgotten. `run` is undefined when it is gone, or was never seen. */
function settle(record: KeyRecord, run: Run | undefined, now: Date): readonly KeyRecord[] {
  const { until: _, phase: __, ...live } = record;
  if (run !== undefined && !isFinished(run)) return [live];
  if (run !== undefined && !hasUsedKey(run)) return [];
  // Never later than if it had ended now: the clock may have been set back since.
  const latest = untilOf(record, now);
  const until = record.until === undefined || record.until > latest ? latest : record.until;
  if (isForgotten({ until }, now)) return [];
  const phase = run === undefined ? record.phase : endOf(run);
  return [{ ...live, ...(phase !== undefined && { phase }), until }];
}

/** Until when a key is remembered from now on: an instant has whole seconds, and no time is taken off. */
function untilOf({ seconds }: KeyRecord, now: Date): string {
  return toInstant(new Date(Math.ceil(now.getTime() / 1000 + seconds) * 1000));
}

function firstByKey(runs: readonly Run[]): ReadonlyMap<string, Run> {
  const first = new Map<string, Run>();
  for (const run of runs) {
    const key = keyDigest(run);
    if (key === undefined) continue;
    const known = first.get(key);
    if (known === undefined || isOlder(ageOf(run), ageOf(known))) first.set(key, run);
  }
  return first;
}

function behind({ metadata }: Run): Waiting {
  return {
    reason: RUN_REASONS.Duplicate,
    message: `Run ${metadata.name}, which came first and waits too, has the same idempotency key: it goes first, and this one starts only if that one ends without having started, as when it is cancelled`,
  };
}
