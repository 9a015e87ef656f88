// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { ReconcileError } from '../core/errors.ts';
import type { KubeObject } from '../core/object.ts';
import type { Log } from '../telemetry/log.ts';
import type { ArchiveOutcome, Metrics } from '../telemetry/metrics.ts';
import type { ArchiveClient } from './archive-client.ts';
import { backoffMs } from './backoff.ts';

/** What an archive works with. */
export interface ArchiveOptions {
  readonly client: ArchiveClient;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Between attempts on records that could not be sent. Default 1 s to a minute. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
}

/** An object that goes when it is on record elsewhere. */
export interface Departure {
  /** As it is kept on record. */
  readonly record: KubeObject;
  /** Removes it from the cluster. */
  readonly remove: () => Promise<void>;
}

const BACKOFF = { baseMs: 1000, maxMs: 60_000 };
/** Sent together. */
const MAX_LINES = 100;
const MAX_BYTES = 1_000_000;
/** Beyond, who wants to remove more is told that it cannot be done now: what waits here is memory. */
const MAX_WAITING = 5000;
/** Objects that it will not have, so that they are not sent again and again. */
const MAX_REFUSED = 10_000;

interface Waiting {
  readonly uid: string;
  readonly line: string;
  readonly remove: () => Promise<void>;
}

/**
 * Sends objects to an archive, and removes each from the cluster when, and only when, the archive has answered that it has it. What is sent
 * and not answered, or not removed since we ended, is sent again: an archive can tell by `metadata.uid`. Nothing is kept here for good: who
 * wanted an object removed wants it again after a restart.
 */
export class Archive {
  readonly #options: ArchiveOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #refused = new Set<string>();
  readonly #stopping = new AbortController();
  #work: Promise<void> | undefined;

  constructor(options: ArchiveOptions) {
    this.#options = options;
  }

  /**
   * Has an object removed when it is on record. One that waits for that already waits once, and is removed as was asked for last: what
   * was asked for before may be of a tenure that is over.
   *
   * @throws ReconcileError when too many wait.
   */
  add({ record, remove }: Departure): void {
    const { uid = '' } = record.metadata;
    if (this.hasRefused(uid) || this.#stopping.signal.aborted) return;
    const known = this.#waiting.get(uid);
    if (known !== undefined) {
      this.#waiting.set(uid, { ...known, remove });
      return;
    }
    if (this.#waiting.size >= MAX_WAITING) {
      const message = `${MAX_WAITING} objects wait for the archive: no more are removed before it takes them`;
      throw new ReconcileError('dependency_unavailable', message);
    }
    this.#waiting.set(uid, { uid, line: JSON.stringify(record), remove });
    this.#begin();
  }

  /** Whether the archive has answered that it will never have the object of that uid, as far as is remembered. */
  hasRefused(uid: string): boolean {
    return this.#refused.has(uid);
  }

  #begin(): void {
    this.#work ??= this.#sendAll().finally(() => {
      this.#work = undefined;
      // Came when the last of the others had just gone.
      if (this.#waiting.size > 0 && !this.#stopping.signal.aborted) this.#begin();
    });
  }

  /** Ends: what is being sent is still removed, the rest stays in the cluster. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#work;
    await this.#options.client.close();
  }

  async #sendAll(): Promise<void> {
    let failures = 0;
    while (this.#waiting.size > 0 && !this.#stopping.signal.aborted) {
      const isDone = await this.#send(batchOf(this.#waiting.values()));
      failures = isDone ? 0 : failures + 1;
      if (!isDone) await this.#pause(failures);
    }
  }

  /** Whether the archive has answered for good. */
  async #send(batch: readonly Waiting[]): Promise<boolean> {
    const answer = await this.#options.client.send(batch.map(({ line }) => line));
    if (answer.kind === 'taken') {
      await Promise.all(batch.map((one) => this.#remove(one)));
      return true;
    }
    if (answer.kind === 'refused' && batch.length > 1) return this.#sendOneByOne(batch);
    const outcome = answer.kind === 'refused' ? 'refused' : 'failed';
    this.#count(outcome, batch.length);
    const words = answer.kind === 'refused' ? 'it stays in the cluster' : 'tried again';
    this.#options.log.warn({ objects: batch.length, why: answer.why }, `the archive takes nothing: ${words}`);
    if (answer.kind === 'refused') for (const { uid } of batch) this.#refuse(uid);
    return answer.kind === 'refused';
  }

  /** One of them keeps the others from being taken. */
  async #sendOneByOne(batch: readonly Waiting[]): Promise<boolean> {
    for (const one of batch) {
      if (!(await this.#send([one]))) return false;
    }
    return true;
  }

  async #remove(sent: Waiting): Promise<void> {
    const { uid, remove } = this.#waiting.get(sent.uid) ?? sent;
    this.#waiting.delete(uid);
    this.#count('taken', 1);
    try {
      await remove();
    } catch (error) {
      // Whoever wants it removed wants it again, as the object is still there.
      this.#options.log.warn({ err: error }, 'an object that is on record could not be removed');
    }
  }

  #refuse(uid: string): void {
    this.#waiting.delete(uid);
    if (this.#refused.size >= MAX_REFUSED) this.#refused.clear();
    this.#refused.add(uid);
  }

  #count(outcome: ArchiveOutcome, objects: number): void {
    this.#options.metrics.archivedTotal.inc({ outcome }, objects);
  }

  async #pause(failures: number): Promise<void> {
    const policy = { ...(this.#options.backoff ?? BACKOFF), jitter: 0.2 };
    const { signal } = this.#stopping;
    await sleep(backoffMs(policy, failures, Math.random()), undefined, { signal }).catch(() => undefined);
  }
}

/** As many as go into one request, in the order in which they came. */
function batchOf(waiting: Iterable<Waiting>): readonly Waiting[] {
  const batch: Waiting[] = [];
  let bytes = 0;
  for (const one of waiting) {
    bytes += Buffer.byteLength(one.line);
    if (batch.length > 0 && (bytes > MAX_BYTES || batch.length >= MAX_LINES)) return batch;
    batch.push(one);
  }
  return batch;
}
