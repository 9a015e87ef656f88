// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../../core/object.ts';
import { hasStatus } from '../api-error.ts';
import type { Client } from '../client.ts';
import { clock } from '../clock.ts';
import { LEASES, type LeaseSighting, microTime, nextStep, releasedSpec, sight } from '../lease.ts';
import { collectionPath, objectPath } from '../resource.ts';
import type { ShardView } from './deal.ts';
import { claimOf, claimText, shardCountOf, shardLeaseName, shardOfLease } from './shard-lease.ts';

/** Where the Leases are, and who looks. */
export interface ShardBoardOptions {
  readonly client: Client;
  readonly namespace: string;
  /** Name of the Lease of the lead. */
  readonly name: string;
  readonly identity: string;
  /** How long a claim stands, and at most a request may take. */
  readonly leaseDurationMs: number;
}

interface SeenClaim {
  readonly text: string;
  readonly by: string;
  readonly seenAtMs: number;
}

const PAGE = 500;

/**
 * The Leases of all shards as one process has seen them, and since when by a clock of its own: as with the lead, no times of other
 * machines are compared. They are read all at once, so that it costs one request however many there are.
 */
export class ShardBoard {
  readonly #options: ShardBoardOptions;
  #sightings = new Map<number, LeaseSighting>();
  #claims = new Map<number, SeenClaim>();
  #count: number | undefined;
  #firstLookMs: number | undefined;
  #lastLookMs = -Infinity;
  #looking: Promise<void> = Promise.resolve();
  #nextLook: Promise<void> | undefined;

  constructor(options: ShardBoardOptions) {
    this.#options = options;
  }

  /** Number of shards that who leads deals out, or who led last; undefined while there is no Lease of the lead. */
  get count(): number | undefined {
    return this.#count;
  }

  /**
   * Reads all Leases as they are after this was called; who calls while another look is under way shares the next one.
   *
   * @throws ApiError when the API server does not tell.
   */
  look(): Promise<void> {
    this.#nextLook ??= this.#looking.then(() => {
      this.#nextLook = undefined;
      const look = this.#look();
      this.#looking = look.catch(() => undefined);
      return look;
    });
    return this.#nextLook;
  }

  async #look(): Promise<void> {
    const { name, leaseDurationMs } = this.#options;
    const askedAtMs = performance.now();
    const leases = await this.#list();
    const nowMs = performance.now();
    // Who has not looked for so long cannot tell who is silent: this process stalled, or the API server was away for everybody.
    if (askedAtMs - this.#lastLookMs > leaseDurationMs / 2) this.#sightings.clear();
    this.#lastLookMs = nowMs;
    this.#firstLookMs ??= nowMs;
    const lead = leases.find(({ metadata }) => metadata.name === name);
    this.#count = lead && shardCountOf(lead);
    const shards = leases.flatMap((lease) => {
      const index = shardOfLease(name, lease.metadata.name);
      return index === undefined ? [] : [[index, lease] as const];
    });
    this.#sightings = new Map(
      shards.map(([index, lease]) => [index, sight(this.#sightings.get(index), lease, nowMs)]),
    );
    this.#claims = new Map(
      shards.flatMap(([index, lease]) => {
        const claim = claimOf(lease);
        if (claim === undefined) return [];
        const [known, text] = [this.#claims.get(index), claimText(claim)];
        return [[index, known?.text === text ? known : { text, by: claim.by, seenAtMs: nowMs }] as const];
      }),
    );
  }

  /** The Lease of a shard as seen last. */
  sightingOf(index: number): LeaseSighting | undefined {
    return this.#sightings.get(index);
  }

  /** The first `count` shards. */
  view(count: number): readonly ShardView[] {
    const nowMs = performance.now();
    return Array.from({ length: count }, (_, index) => this.#viewOf(index, nowMs));
  }

  /** In how many milliseconds the next Lease of somebody else runs out, if nobody renews it; Infinity when none does. */
  nextEndMs(): number {
    const nowMs = performance.now();
    const ends = [...this.#sightings.values()]
      .filter(({ spec: { holderIdentity = '' } }) => !['', this.#options.identity].includes(holderIdentity))
      .map((seen) => endOf(seen) - nowMs)
      .filter((leftMs) => leftMs > 0);
    return Math.min(Infinity, ...ends);
  }

  /** Asks the holder of a shard for it. Not an error when the Lease has changed meanwhile. */
  async claim(index: number): Promise<void> {
    const seen = this.#sightings.get(index);
    if (seen === undefined) return;
    const { lease } = seen;
    const text = claimText({ by: this.#options.identity, at: microTime(clock.now()) });
    const annotations = { ...lease.metadata.annotations, [ANNOTATIONS.claimedBy]: text };
    await this.#put(index, { ...lease, metadata: { ...lease.metadata, annotations } });
  }

  /**
   * Whether nobody works by another number of shards than `count`. Those who did see what is wanted, and give theirs back; a Lease
   * that has run out is taken from its holder, so that a renewal that is under way fails.
   */
  async areOthersGone(count: number): Promise<boolean> {
    await this.look();
    const others = [...this.#sightings].filter(
      ([, seen]) => !isFree(seen) && shardCountOf(seen.lease) !== count,
    );
    for (const [index, seen] of others) {
      if (nextStep(seen, '', performance.now()) !== 'take') continue;
      await this.#put(index, { ...seen.lease, spec: releasedSpec(seen.spec, clock.now()) });
    }
    return others.length === 0;
  }

  #viewOf(index: number, nowMs: number): ShardView {
    const seen = this.#sightings.get(index);
    const claimedBy = this.#claimantOf(index, nowMs);
    if (seen === undefined || isFree(seen)) {
      const sinceMs = seen?.seenAtMs ?? this.#firstLookMs ?? nowMs;
      return { index, holder: undefined, lapsed: undefined, freeForMs: nowMs - sinceMs, claimedBy };
    }
    const { holderIdentity: holder } = seen.spec;
    const isOver = holder !== this.#options.identity && nowMs >= endOf(seen);
    if (!isOver) return { index, holder, lapsed: undefined, freeForMs: 0, claimedBy };
    return { index, holder: undefined, lapsed: holder, freeForMs: nowMs - endOf(seen), claimedBy };
  }

  /** Who has asked for a shard, unless that was long ago. */
  #claimantOf(index: number, nowMs: number): string | undefined {
    const claim = this.#claims.get(index);
    const isYoung = claim !== undefined && nowMs - claim.seenAtMs < this.#options.leaseDurationMs;
    return isYoung ? claim.by : undefined;
  }

  async #put(index: number, body: KubeObject): Promise<void> {
    const { namespace, name } = this.#options;
    const path = objectPath(LEASES, { namespace, name: shardLeaseName(name, index) });
    try {
      await this.#send({ verb: 'update', path, body });
    } catch (error) {
      if (!hasStatus(error, 409) && !hasStatus(error, 404)) throw error;
    }
  }

  async #list(): Promise<readonly KubeObject[]> {
    const found: KubeObject[] = [];
    let next: string | undefined;
    do {
      const path = collectionPath(LEASES, this.#options.namespace);
      const answer = await this.#send({ verb: 'list', path, query: { limit: PAGE, continue: next } });
      const { items, metadata } = answer as {
        readonly items?: readonly KubeObject[] | null;
        readonly metadata?: { readonly continue?: string };
      };
      const { apiVersion, kind } = LEASES;
      found.push(...(items ?? []).map((item) => ({ ...item, apiVersion, kind })));
      next = metadata?.continue === '' ? undefined : metadata?.continue;
    } while (next !== undefined);
    return found;
  }

  #send(request: {
    readonly verb: 'list' | 'update';
    readonly path: string;
    readonly query?: Readonly<Record<string, string | number | undefined>>;
    readonly body?: unknown;
  }): Promise<unknown> {
    const timeoutMs = Math.max(this.#options.leaseDurationMs / 4, 500);
    return this.#options.client.raw({ ...request, timeoutMs, attempts: 1, isUrgent: true });
  }
}

function isFree({ spec: { holderIdentity = '' } }: LeaseSighting): boolean {
  return holderIdentity === '';
}

function endOf({ seenAtMs, spec }: LeaseSighting): number {
  return seenAtMs + (spec.leaseDurationSeconds ?? 0) * 1000;
}
