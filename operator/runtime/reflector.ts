// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject, Resource } from '../core/object.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics, WatchEnd } from '../telemetry/metrics.ts';
import { ApiError } from './api-error.ts';
import { type BackoffPolicy, backoffMs, jittered } from './backoff.ts';
import type { Client, Selection } from './client.ts';
import { keyOf, keyString } from './controller.ts';
import { LineTooLongError } from './lines.ts';
import { toVersion } from './store.ts';
import { MalformedEventError, type WatchEvent, watchEvents } from './watch-stream.ts';

/** Where a reflector tells what it sees. */
export interface Sink {
  /** Called on every object before it is kept: the place to drop fields; undefined drops the whole object. */
  prepare(object: KubeObject): KubeObject | undefined;
  /** Everything there is; what is not among it is gone. */
  replace(objects: Iterable<KubeObject>, resourceVersion: string): void;
  change(type: 'put' | 'delete', object: KubeObject): void;
  /** Nothing more happened up to `resourceVersion`. */
  advance(resourceVersion: string): void;
}

/** Times of a reflector, in milliseconds. */
export interface ReflectorTiming {
  /** A watch that says nothing for so long is dead: bookmarks come about every minute. Default 130 s. */
  readonly idleMs: number;
  /** A watch ends by itself after so long, up to twice that. Default 5 min. */
  readonly watchMs: number;
  /** Everything is read anew about so often, should an event ever have been lost. Default 30 min. */
  readonly resyncMs: number;
  readonly backoff: BackoffPolicy;
}

/** What the defaults of `ReflectorTiming` are. */
export const REFLECTOR_TIMING: ReflectorTiming = {
  idleMs: 130_000,
  watchMs: 300_000,
  resyncMs: 1_800_000,
  backoff: { baseMs: 100, maxMs: 30_000, jitter: 0.5 },
};

/** What is reflected, and where to. */
export interface ReflectorOptions {
  readonly client: Client;
  readonly resource: Resource;
  readonly selection: Selection;
  readonly sink: Sink;
  /** The version that everything of the kind is at, at some instant after this was called. */
  readonly look: () => Promise<bigint>;
  readonly timing: ReflectorTiming;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** A connection that lasted so long was a good one: the next failure is the first. */
const GOOD_MS = 1000;
/** So many streamed lists are waited for in vain, each for the idle time, before it is taken for granted that none will come. */
const MAX_SILENCES = 3;
/** All watches come back within so long after an outage, and not all in the same moment. */
const WAKE_SPREAD_MS = 1000;

/**
 * Keeps a sink equal to what the API server holds. Reads everything once (as a stream where served, else in
 * pages), then follows changes; after a cut it goes on where it was, and reads everything anew only when
 * that place is too old.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #log: Log;
  #version: string | undefined;
  #syncedAt = 0;
  #canStreamList = true;
  /** Streamed lists that were waited for in vain, since one came. */
  #silences = 0;
  #failures = 0;
  /** The watch before lasted for as long as it was asked to: the API server that it goes on from was there throughout. */
  #wasWhole = false;
  /** Of the connection that there is. */
  #connection = new AbortController();

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#log = options.log.child({ watch: options.resource.plural });
  }

  /** Lets go of the watch that there is, and reads everything anew: versions went back, and what it tells cannot be compared. */
  beginAnew(): void {
    this.#version = undefined;
    this.#connection.abort();
  }

  /** Runs until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedAt = performance.now();
      const ended = await this.#session(signal);
      if (signal.aborted) return;
      if (performance.now() - startedAt >= GOOD_MS) this.#failures = 0;
      this.#count(ended.why);
      await this.#pause(ended, signal);
    }
  }

  /** One connection, from its start to its end. */
  async #session(signal: AbortSignal): Promise<Ended> {
    if (this.#version !== undefined && this.#isResyncDue()) {
      this.#version = undefined;
      // It may have been an outage that we took for an API server that cannot.
      this.#canStreamList = this.#silences < MAX_SILENCES;
    }
    const connection = new AbortController();
    this.#connection = connection;
    try {
      await this.#readAndFollow(AbortSignal.any([signal, connection.signal]));
      if (!connection.signal.aborted) return { why: 'closed', error: undefined };
      this.#version = undefined;
      return { why: 'expired', error: undefined };
    } catch (error) {
      const why = connection.signal.aborted ? 'expired' : endOf(error);
      if (why === 'expired') this.#version = undefined;
      if (this.#version === undefined && isUnservedList(error, why)) {
        this.#canStreamList = false;
        if (why === 'idle') this.#silences += 1;
      }
      return { why, error };
    }
  }

  async #readAndFollow(signal: AbortSignal): Promise<void> {
    if (await this.#hasGoneBack()) this.#version = undefined;
    const streamsList = this.#version === undefined && this.#canStreamList;
    if (this.#version === undefined && !streamsList) await this.#list();
    await this.#watch(signal, streamsList);
  }

  /**
   * Whether versions are below that from which the watch would go on, as they are when a backup was restored. An API server takes up such a watch all the same,
   * and tells nothing until it has come that far, and then not what has happened by then.
   */
  async #hasGoneBack(): Promise<boolean> {
    const from = toVersion(this.#version);
    const isSure = this.#wasWhole;
    this.#wasWhole = false;
    if (from === 0n || isSure) return false;
    const version = await this.#options.look();
    if (version >= from) return false;
    this.#log.warn({ from: `${from}`, version: `${version}` }, 'versions went back: all is read anew');
    return true;
  }

  async #list(): Promise<void> {
    const { client, resource, selection, sink } = this.#options;
    const objects: KubeObject[] = [];
    let version = '';
    for await (const page of client.list(resource, selection)) {
      objects.push(...page.items.map((object) => sink.prepare(object)).filter((one) => one !== undefined));
      version = page.resourceVersion;
    }
    this.#replace(objects, version);
  }

  async #watch(signal: AbortSignal, streamsList: boolean): Promise<void> {
    const { client, resource, selection, timing } = this.#options;
    const timeoutSeconds = Math.ceil(jittered(timing.watchMs * 1.5, 1 / 3, Math.random()) / 1000);
    const startedAt = performance.now();
    const stream = await client.watch(resource, {
      ...selection,
      ...(this.#version !== undefined && { resourceVersion: this.#version }),
      sendInitialEvents: streamsList,
      timeoutSeconds,
      idleMs: timing.idleMs,
      signal,
    });
    let initial = streamsList ? new Map<string, KubeObject>() : undefined;
    for await (const event of watchEvents(stream)) {
      if (event.type === 'error') throw watchError(resource, event);
      initial = initial === undefined ? this.#follow(event) : this.#collect(event, initial);
    }
    this.#wasWhole = performance.now() - startedAt >= timeoutSeconds * 1000;
  }

  #follow(event: FollowedEvent): undefined {
    const { sink, metrics, resource } = this.#options;
    if (event.type === 'bookmark') {
      this.#version = event.resourceVersion;
      sink.advance(event.resourceVersion);
      return;
    }
    metrics.watchEventsTotal.inc({ resource: resource.plural });
    const prepared = sink.prepare(event.object);
    // What is not to be kept any more is as good as gone.
    if (prepared === undefined) sink.change('delete', event.object);
    else sink.change(event.type, prepared);
    this.#version = event.object.metadata.resourceVersion ?? this.#version;
  }

  /** Gathers what is there at the start, until the bookmark that ends it. */
  #collect(event: FollowedEvent, initial: Map<string, KubeObject>): Map<string, KubeObject> | undefined {
    if (event.type === 'bookmark') {
      if (!event.endsInitial) return initial;
      this.#silences = 0;
      this.#replace(initial.values(), event.resourceVersion);
      return undefined;
    }
    const key = keyString(keyOf(event.object));
    const prepared = event.type === 'delete' ? undefined : this.#options.sink.prepare(event.object);
    if (prepared === undefined) initial.delete(key);
    else initial.set(key, prepared);
    return initial;
  }

  #replace(objects: Iterable<KubeObject>, version: string): void {
    const { sink, metrics, resource } = this.#options;
    metrics.watchListsTotal.inc({ resource: resource.plural });
    sink.replace(objects, version);
    this.#version = version;
    this.#syncedAt = performance.now();
  }

  #isResyncDue(): boolean {
    const { resyncMs } = this.#options.timing;
    return performance.now() - this.#syncedAt > jittered(resyncMs, 0.2, Math.random());
  }

  #count(why: WatchEnd): void {
    const { metrics, resource } = this.#options;
    metrics.watchEndsTotal.inc({ resource: resource.plural, why });
  }

  async #pause({ why, error }: Ended, signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    // The first end after a good connection is everyday life: go on at once.
    if (why === 'closed' && this.#failures === 1) return;
    const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    const delayMs = Math.max(backoffMs(this.#options.timing.backoff, this.#failures, Math.random()), askedMs);
    const level = this.#failures > 2 || why === 'refused' ? 'warn' : 'debug';
    this.#log[level]({ why, delayMs: Math.round(delayMs), error: messageOf(error) }, 'watch ended');
    // A wait that was asked for is kept to.
    if (askedMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    else await this.#waitOrWake(delayMs, signal);
  }

  /** Waits, and no longer than until the API server is back for anybody who was cut off like us. */
  async #waitOrWake(delayMs: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const forget = this.#options.client.outage.onceOver(() => woken.abort());
    const ends = AbortSignal.any([signal, woken.signal]);
    await sleep(delayMs, undefined, { signal: ends }).catch(() => undefined);
    forget();
    if (!woken.signal.aborted || signal.aborted) return;
    // It may take a moment until it serves this kind too.
    this.#failures = 0;
    await sleep(Math.random() * WAKE_SPREAD_MS, undefined, { signal }).catch(() => undefined);
  }
}

type FollowedEvent = Exclude<WatchEvent, { type: 'error' }>;

interface Ended {
  readonly why: WatchEnd;
  readonly error: unknown;
}

/** 410 for a version that is too old; 504 with this cause for one that this server has never heard of. */
function isExpired(error: ApiError): boolean {
  if (error.status === 410) return true;
  return error.details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') === true;
}

function endOf(error: unknown): WatchEnd {
  if (error instanceof MalformedEventError || error instanceof LineTooLongError) return 'malformed';
  if (error instanceof ApiError && error.status > 0) return isExpired(error) ? 'expired' : 'refused';
  const isIdle = error instanceof Error && 'code' in error && error.code === 'UND_ERR_BODY_TIMEOUT';
  return isIdle ? 'idle' : 'cut';
}

/**
 * Whether the API server cannot stream a list: it says so, or it lets us wait for the end of the list for
 * ever.
 */
function isUnservedList(error: unknown, why: WatchEnd): boolean {
  return why === 'idle' || (error instanceof ApiError && (error.status === 400 || error.status === 422));
}

function watchError(
  resource: Resource,
  event: { readonly status: number; readonly message: string },
): ApiError {
  return new ApiError({
    status: event.status === 0 ? 500 : event.status,
    code: event.status === 410 ? 'conflict' : 'dependency_unavailable',
    reason: event.status === 410 ? 'Expired' : 'WatchError',
    message: `watch ${resource.plural}: ${event.message}`,
  });
}

function messageOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  return error instanceof Error ? error.message : 'unknown';
}
