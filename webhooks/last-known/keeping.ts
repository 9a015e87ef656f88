// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { KubeObject } from '#operator/core/object';
import { AGENTS, IMAGE_VERDICTS, NAMESPACES, SECRETS } from '#operator/core/resources';
import type { Cache, HeldWatch } from '#operator/runtime/cache';
import { clock } from '#operator/runtime/clock';
import type { Credentials } from '#operator/runtime/credentials';
import type { Log } from '#operator/telemetry/log';
import type { KeptBody, KeptFile } from './kept-file.ts';
import { type Keeper, type Manifest, manifestOf } from './manifest.ts';
import { uptimeOfMachine } from './uptime.ts';

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
  /** Between two times that nothing is said but that all is still as it was; what has changed is kept after so long however much it is. */
  readonly renewMs: number;
  /** Of its time a replica keeps for no more than one part in so many. */
  readonly share: number;
}

const TIMING: KeepingTiming = { lookMs: 1000, gapMs: 10_000, renewMs: 60_000, share: 100 };
/** What is left out where all is too much, by what is tried in turn: what is not known of these is refused. */
const LEFT_OUT: readonly (readonly string[])[] = [
  [],
  [AGENTS.kind],
  [IMAGE_VERDICTS.kind],
  [AGENTS.kind, IMAGE_VERDICTS.kind],
];
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
    this.#work = this.#do(isDue);
  }

  /** Never rejects. */
  async #do(isDue: boolean): Promise<void> {
    try {
      await (isDue ? this.#keep() : this.#renew());
    } catch (error) {
      this.#say(String(error));
    } finally {
      this.#isBusy = false;
    }
  }

  /** Nothing has changed, and the API server has said so since. */
  #isToBeRenewed(): boolean {
    const { cache } = this.#options;
    if (this.#manifest === undefined || cache.changes !== this.#changes) return false;
    return Date.parse(momentOf(cache).seenAt) >= Date.parse(this.#manifest.seenAt) + this.#timing.renewMs;
  }

  async #keep(): Promise<void> {
    const { cache, file, self, onKept } = this.#options;
    // Until all of it is there, nothing is said anew of what was kept before.
    this.#manifest = undefined;
    const keeper = await self();
    // Of one moment: objects are never changed once they are held.
    const { changes } = cache;
    const moment = momentOf(cache);
    const cluster = clusterOf(cache);
    if (cluster === undefined) throw new Error('which cluster it is cannot be told');
    const held = cache.held().map(withoutMore);
    const spentMs = file.spentMs;
    const { leftOut, ...body } = await this.#write(held);
    const { gapMs, renewMs, share } = this.#timing;
    this.#nextMs = performance.now() + Math.max(gapMs, Math.min((file.spentMs - spentMs) * share, renewMs));
    const manifest = manifestOf(keeper, { cluster, ...moment, ...body });
    await file.writeManifest(manifest);
    this.#manifest = manifest;
    this.#changes = changes;
    onKept(new Date(moment.seenAt));
    if (leftOut.length > 0)
      this.#say(`there is more than is kept, so there is left out ${leftOut.join(', ')}`);
    else this.#trouble = '';
  }

  /** All of it, or as much as is kept without what is refused where it is not known. */
  async #write(held: readonly HeldWatch[]): Promise<KeptBody & { readonly leftOut: readonly string[] }> {
    for (const leftOut of LEFT_OUT) {
      const rest = held.map((one) => (leftOut.includes(one.kind) ? { ...one, objects: [] } : one));
      const body = await this.#options.file.writeBody(rest);
      if (body !== undefined) return { ...body, leftOut };
    }
    throw new Error('there is more than is kept');
  }

  async #renew(): Promise<void> {
    const { cache, file, self, onKept } = this.#options;
    if (this.#manifest === undefined) return;
    const moment = momentOf(cache);
    const manifest = manifestOf(await self(), { ...this.#manifest, ...moment });
    await file.writeManifest(manifest);
    this.#manifest = manifest;
    onKept(new Date(moment.seenAt));
  }

  #say(why: string): void {
    this.#nextMs = Math.max(this.#nextMs, performance.now() + this.#timing.gapMs);
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

/** When the API server vouched last for what is held. */
function momentOf({ toldAtMs }: Pick<Cache, 'toldAtMs'>): Pick<Manifest, 'seenAt' | 'boot' | 'upMs'> {
  const sinceMs = Math.max(performance.now() - toldAtMs, 0);
  const seenAt = new Date(clock.now().getTime() - sinceMs).toISOString();
  const uptime = uptimeOfMachine();
  return { seenAt, ...(uptime && { ...uptime, upMs: uptime.upMs - sinceMs }) };
}

/** The key of the certificate is nowhere but where the kubelet puts it. By what tenants note on their Agents nothing is decided. */
function withoutMore(held: HeldWatch): HeldWatch {
  if (held.kind === SECRETS.kind) return { ...held, objects: [] };
  return held.kind === AGENTS.kind ? { ...held, objects: held.objects.map(withoutNotes) } : held;
}

function withoutNotes(agent: KubeObject): KubeObject {
  const { annotations: _, ...metadata } = agent.metadata;
  return { ...agent, metadata };
}
