// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { IMAGE_VERDICTS, NAMESPACES, SECRETS } from '#operator/core/resources';
import type { Cache, HeldWatch } from '#operator/runtime/cache';
import { clock } from '#operator/runtime/clock';
import type { Credentials } from '#operator/runtime/credentials';
import type { Log } from '#operator/telemetry/log';
import type { KeptBody, KeptFile } from './kept-file.ts';
import { type Keeper, type Manifest, manifestOf } from './manifest.ts';

/** What is kept, and where. */
export interface KeepingOptions {
  readonly cache: Pick<Cache, 'get' | 'held' | 'isSynced' | 'changes' | 'toldAtMs'>;
  readonly file: KeptFile;
  readonly self: () => Promise<Keeper>;
  readonly onKept: (seenAt: Date) => void;
  readonly log: Log;
  readonly timing?: Partial<KeepingTiming>;
}

/** How often is looked, and written. */
export interface KeepingTiming {
  readonly lookMs: number;
  /** Between two times that all is written. */
  readonly gapMs: number;
  /** Between two times that nothing is said but that all is still as it was. */
  readonly renewMs: number;
}

const TIMING: KeepingTiming = { lookMs: 1000, gapMs: 10_000, renewMs: 60_000 };
/** Of its time a replica keeps for no more than one part in so many. */
const SHARE = 100;
/** By whose UID clusters are told apart. */
const CLUSTER = { name: 'kube-system' };

/** Keeps what every watch holds, for a restart without an API server: seldom, a little at a time, and never by who answers. */
export class Keeping {
  readonly #options: KeepingOptions;
  readonly #timing: KeepingTiming;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();
  #isBusy = false;
  /** What counts, and how many changes there had been by then. */
  #manifest: Manifest | undefined;
  #changes = -1;
  #nextMs = 0;
  #trouble = '';

  constructor(options: KeepingOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  /** Begins to look. What was kept before counts until something is. */
  start(): void {
    this.#timer ??= setInterval(() => this.#look(), this.#timing.lookMs).unref();
  }

  /** Ends, once what is being written is. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#work;
  }

  #look(): void {
    const { cache } = this.#options;
    if (this.#isBusy || !cache.isSynced) return;
    const isDue = cache.changes !== this.#changes && performance.now() >= this.#nextMs;
    if (!isDue && !this.#isToBeRenewed()) return;
    this.#isBusy = true;
    this.#work = (isDue ? this.#keep() : this.#renew())
      .then(() => {
        this.#trouble = '';
      })
      .catch((error: unknown) => this.#say(String(error)))
      .finally(() => {
        this.#isBusy = false;
      });
  }

  /** Nothing has changed, and the API server has said so since. */
  #isToBeRenewed(): boolean {
    const { cache } = this.#options;
    if (this.#manifest === undefined || cache.changes !== this.#changes) return false;
    return seenAtOf(cache).getTime() >= Date.parse(this.#manifest.seenAt) + this.#timing.renewMs;
  }

  async #keep(): Promise<void> {
    const { cache, file, self, onKept } = this.#options;
    // Of one moment: objects are never changed once they are held.
    const { changes } = cache;
    const seenAt = seenAtOf(cache);
    const cluster = clusterOf(cache);
    const held = cache.held().map(withoutKeys);
    const fromMs = performance.now();
    const body = await this.#write(held);
    this.#changes = changes;
    if (body !== undefined && cluster !== undefined) {
      this.#manifest = manifestOf(await self(), { cluster, seenAt: seenAt.toISOString(), ...body });
      await file.writeManifest(this.#manifest);
      onKept(seenAt);
    }
    const tookMs = performance.now() - fromMs;
    this.#nextMs = performance.now() + Math.max(this.#timing.gapMs, tookMs * SHARE);
  }

  /** All of it; or all but what is known of images, without which none of them is let pass; or nothing. */
  async #write(held: readonly HeldWatch[]): Promise<KeptBody | undefined> {
    const { file } = this.#options;
    const body = (await file.writeBody(held)) ?? (await file.writeBody(held.map(withoutVerdicts)));
    if (body !== undefined) return body;
    this.#manifest = undefined;
    await file.forget();
    this.#say('there is more than is kept');
    return undefined;
  }

  async #renew(): Promise<void> {
    const { cache, file, self, onKept } = this.#options;
    if (this.#manifest === undefined) return;
    const seenAt = seenAtOf(cache);
    this.#manifest = manifestOf(await self(), {
      ...this.#manifest,
      ...(await self()),
      seenAt: seenAt.toISOString(),
    });
    await file.writeManifest(this.#manifest);
    onKept(seenAt);
  }

  #say(why: string): void {
    this.#nextMs = performance.now() + this.#timing.gapMs;
    if (this.#trouble !== why)
      this.#options.log.warn({ why }, 'what is known cannot be kept for a restart without an API server');
    this.#trouble = why;
  }
}

/** Digest of where the API server is, of who vouches for it, and of the platform's namespace. */
export async function placeOf(
  credentials: Pick<Credentials, 'server' | 'tls'>,
  namespace: string,
): Promise<string> {
  const { ca } = await credentials.tls();
  const text = JSON.stringify([credentials.server, ca?.toString() ?? '', namespace]);
  return createHash('sha256').update(text).digest('hex');
}

/** UID of the cluster, as the API server tells; undefined where it does not. */
export function clusterOf(cache: Pick<Cache, 'get'>): string | undefined {
  return cache.get(NAMESPACES, CLUSTER)?.metadata.uid;
}

function seenAtOf({ toldAtMs }: Pick<Cache, 'toldAtMs'>): Date {
  return new Date(clock.now().getTime() - Math.max(performance.now() - toldAtMs, 0));
}

/** The key of the certificate is nowhere but where the kubelet puts it. */
function withoutKeys(held: HeldWatch): HeldWatch {
  return held.kind === SECRETS.kind ? { ...held, objects: [] } : held;
}

function withoutVerdicts(held: HeldWatch): HeldWatch {
  return held.kind === IMAGE_VERDICTS.kind ? { ...held, objects: [] } : held;
}
