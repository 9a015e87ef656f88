// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import { type KubeObject, refOf, type Resource } from '../core/object.ts';
import type { PlanEvent } from '../core/plan.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { hasStatus } from './api-error.ts';
import type { Client } from './client.ts';
import { clock } from './clock.ts';
import { microTime } from './lease.ts';
import { Ring } from './ring.ts';
import { TokenBuckets } from './token-buckets.ts';

/** Events of the new API, with series. */
export const EVENTS: Resource = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

/** Limits of the API server, in bytes and characters. */
const MAX_NOTE_BYTES = 1024;
const MAX_REASON_LENGTH = 128;
const MAX_NAME_LENGTH = 236;
/** An Event that is told again within this time is the same one, seen more often. */
const SERIES_MS = 10 * 60_000;
const DEFAULT_SERIES_WRITE_MS = 6 * 60_000;
/** Series that are remembered; the oldest is forgotten first. */
const MAX_SERIES = 4096;
/** Events that wait to be written; more are dropped rather than to hold anything up. */
const MAX_WAITING = 1000;
/** For each object: as client-go has it, 25 at once and then one every five minutes. */
const PER_OBJECT = { burst: 25, perSecond: 1 / 300, maxBuckets: 4096 };

/** What a recorder writes with. */
export interface EventRecorderOptions {
  /** Fenced: only the leader tells. */
  readonly client: Client;
  /** Which process tells. */
  readonly identity: string;
  readonly metrics: Metrics;
  readonly log: Log;
  /** How often the count of a series is written, in milliseconds. Default 6 minutes. */
  readonly seriesWriteMs?: number;
}

interface Series {
  readonly namespace: string;
  name: string;
  count: number;
  lastSeenMs: number;
  lastWrittenMs: number;
}

/** Writes Events beside the work, never in its way: what cannot be written soon is dropped and counted. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #budgets = new TokenBuckets(PER_OBJECT);
  readonly #waiting = new Ring<() => Promise<unknown>>();
  #writing: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Tells `event` of `regarding`, in its namespace, or in `default` for what has none. */
  record(controller: string, regarding: KubeObject, event: PlanEvent): void {
    const nowMs = performance.now();
    const id = [regarding.metadata.uid, controller, event.type, event.reason, event.message].join('\n');
    const known = this.#series.get(id);
    if (known !== undefined && nowMs - known.lastSeenMs < SERIES_MS) {
      this.#again(known, nowMs, () => this.#newEvent(controller, regarding, event));
      return;
    }
    if (!this.#budgets.take(regarding.metadata.uid ?? '', nowMs)) {
      this.#count('dropped');
      return;
    }
    const object = this.#newEvent(controller, regarding, event);
    const { name, namespace = 'default' } = object.metadata;
    this.#remember(id, { namespace, name, count: 1, lastSeenMs: nowMs, lastWrittenMs: nowMs });
    this.#enqueue(() => this.#options.client.create(EVENTS, object, reporter(controller)));
  }

  /** Resolves when all that waits is written, or after `withinMs`. */
  async flush(withinMs: number): Promise<void> {
    const end = new AbortController();
    const deadline = sleep(withinMs, undefined, { signal: end.signal }).catch(() => undefined);
    await Promise.race([this.#writing, deadline]);
    end.abort();
  }

  #again(series: Series, nowMs: number, newEvent: () => KubeObject): void {
    series.count += 1;
    series.lastSeenMs = nowMs;
    this.#count('aggregated');
    const intervalMs = this.#options.seriesWriteMs ?? DEFAULT_SERIES_WRITE_MS;
    if (nowMs - series.lastWrittenMs < intervalMs) return;
    series.lastWrittenMs = nowMs;
    const { count } = series;
    const body = { series: { count, lastObservedTime: microTime(clock.now()) } };
    this.#enqueue(() => this.#writeSeries(series, body, newEvent));
  }

  async #writeSeries(series: Series, body: object, newEvent: () => KubeObject): Promise<void> {
    const { client } = this.#options;
    const { namespace, name } = series;
    try {
      await client.patch(EVENTS, { namespace, name }, { body });
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
      // Somebody deleted it, or its time was over; what it tells goes on.
      const object = { ...newEvent(), ...body };
      await client.create(EVENTS, object, String(object['reportingController']));
      series.name = object.metadata.name;
    }
  }

  #newEvent(controller: string, regarding: KubeObject, event: PlanEvent): KubeObject {
    const { name, namespace = 'default', resourceVersion } = regarding.metadata;
    const suffix = crypto.randomUUID().replaceAll('-', '').slice(0, 16);
    return {
      apiVersion: EVENTS.apiVersion,
      kind: EVENTS.kind,
      metadata: { namespace, name: `${name.slice(0, MAX_NAME_LENGTH)}.${suffix}` },
      eventTime: microTime(clock.now()),
      reportingController: reporter(controller),
      reportingInstance: this.#options.identity.slice(0, 128),
      action: 'Reconcile',
      type: event.type,
      reason: event.reason.slice(0, MAX_REASON_LENGTH),
      regarding: { ...refOf(regarding), resourceVersion },
      note: cutBytes(event.message, MAX_NOTE_BYTES),
    };
  }

  #remember(id: string, series: Series): void {
    this.#series.delete(id);
    this.#series.set(id, series);
    if (this.#series.size <= MAX_SERIES) return;
    const [oldest] = this.#series.keys();
    if (oldest !== undefined) this.#series.delete(oldest);
  }

  #enqueue(write: () => Promise<unknown>): void {
    if (this.#waiting.size >= MAX_WAITING) {
      this.#count('dropped');
      return;
    }
    this.#waiting.push(write);
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    for (let write = this.#waiting.shift(); write !== undefined; write = this.#waiting.shift()) {
      try {
        await write();
        this.#count('written');
      } catch (error) {
        this.#count('failed');
        this.#options.log.debug({ err: error }, 'could not write an Event');
      }
    }
    this.#writing = undefined;
  }

  #count(outcome: 'written' | 'aggregated' | 'dropped' | 'failed'): void {
    this.#options.metrics.eventsTotal.inc({ outcome });
  }
}

function reporter(controller: string): string {
  return `nexusos-${controller}`;
}

/** `text` of at most `max` bytes of UTF-8, never half a character. */
function cutBytes(text: string, max: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= max) return text;
  let end = max - 3;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.toString('utf8', 0, end)}…`;
}
