// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { PolicyInventory } from '#crds/v1alpha1/policy-inventory';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { Resource } from '#operator/core/object';
import {
  hasInventory,
  inventoryFault,
  inventoryText,
  InventoryTooLarge,
  MAX_INVENTORY_BYTES,
  MAX_INVENTORY_OBJECTS,
  type ObjectTexts,
  objectTexts,
  resourceFor,
  withInventory,
} from '#operator/core/policy/inventory';
import type { PolicyData } from '#operator/policy/evaluate-here';
import type { LoadedRevision, Trouble } from '#operator/policy/packs/load';
import type { Log } from '#operator/telemetry/log';
import { KeptKinds } from './kept-kinds.ts';
import type { KindWatch, OpenKind } from './kind-watches.ts';
import type { PackHost, PackModules, RevisionFault, WantedRevision } from './modules.ts';
import { Rests } from './rests.ts';

/** What the parts of judging know of revisions that are loaded, or are to be. */
export type RevisionModules = Pick<
  PackModules,
  'want' | 'loaded' | 'prepared' | 'faults' | 'quarantined' | 'isSettled' | 'close'
>;

/** What inventories are made with. */
export interface InventoriesOptions {
  readonly modules: RevisionModules;
  readonly host: Pick<PackHost, 'prepare' | 'releaseData'>;
  readonly open: OpenKind;
  /** Kinds that packs may look at. */
  readonly kinds: readonly Resource[];
  /** Namespaces of a tenant, as they are now. */
  readonly namespacesOf: (tenant: string) => ReadonlySet<string>;
  /** Called when another inventory is to be judged by, or one cannot be had. */
  readonly onChange: () => void;
  readonly log: Log;
}

/** Who has begun to judge by an inventory is done with it after so long. */
const RELEASE_MS = 10_000;
/** What failed is tried again after so long. */
const AGAIN_MS = 5000;

type Spec = PolicyPackRevisionSpec;

/** A revision that looks at live objects. */
interface Entry {
  readonly key: string;
  readonly wanted: WantedRevision;
  readonly inventory: PolicyInventory;
  readonly kinds: readonly Resource[];
  /** Of the pack of a tenant: what it sees. */
  own: ReadonlySet<string> | undefined;
  current?: LoadedRevision;
  fault?: RevisionFault;
  /** Since when there is something that `current` does not have. */
  dirtySinceMs: number | undefined;
  isAtWork: boolean;
  /** Whether nothing is decided by it yet. */
  isTrial?: boolean;
  timer?: NodeJS.Timeout | undefined;
}

interface Handing {
  readonly loaded: LoadedRevision;
  readonly data: PolicyData;
  /** Digest of the data that are replaced. */
  readonly before: string | undefined;
}

/**
 * Modules of revisions, those that look at live objects with what they look at: such a revision is ready when all its kinds were read and its workers
 * have them. A change comes to a new document, which takes the place of the one before as a whole. What a request is judged by is never older
 * than the pack says.
 */
export class Inventories implements RevisionModules {
  readonly #options: InventoriesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #kinds: KeptKinds;
  readonly #rests = new Rests();
  readonly #textOf: ObjectTexts = objectTexts();

  constructor(options: InventoriesOptions) {
    this.#options = options;
    this.#kinds = new KeptKinds(options.open, (resource) => this.#changed(resource));
  }

  want(revisions: ReadonlyMap<string, WantedRevision>): void {
    const { modules } = this.#options;
    modules.want(revisions);
    for (const [key, entry] of this.#entries) {
      if (isSame(revisions.get(key), entry.wanted)) continue;
      clearTimeout(entry.timer);
      this.#entries.delete(key);
    }
    for (const [key, wanted] of revisions) this.#wantOne(key, wanted);
    const entries = [...this.#entries.values()];
    this.#kinds.keep(
      entries.flatMap(({ inventory, kinds }) =>
        kinds.map((resource) => ({ resource, fields: fieldsFor(inventory, resource) })),
      ),
    );
  }

  loaded(key: string): LoadedRevision | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined ? this.#options.modules.loaded(key) : entry.current;
  }

  get prepared(): readonly string[] {
    return this.#options.modules.prepared.filter((key) => this.loaded(key) !== undefined);
  }

  get faults(): readonly RevisionFault[] {
    return [
      ...this.#options.modules.faults,
      ...[...this.#entries.values()].flatMap(({ fault }) => fault ?? []),
    ];
  }

  get quarantined(): readonly string[] {
    return this.#options.modules.quarantined;
  }

  get isSettled(): boolean {
    return this.#options.modules.isSettled && ![...this.#entries.values()].some(isWaited);
  }

  close(): void {
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
    this.#entries.clear();
    this.#kinds.close();
    this.#options.modules.close();
  }

  #wantOne(key: string, wanted: WantedRevision): void {
    const { inventory } = wanted.object['spec'] as Spec;
    if (inventory === undefined) return;
    const own = wanted.tenant === undefined ? undefined : this.#options.namespacesOf(wanted.tenant);
    const known = this.#entries.get(key);
    if (known === undefined) this.#entries.set(key, this.#newEntry(key, wanted, { inventory, own }));
    else if (!isSameSet(known.own, own)) {
      known.own = own;
      known.dirtySinceMs ??= performance.now();
    }
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.isTrial = wanted.isTrial === true;
    this.#see(entry);
  }

  #newEntry(
    key: string,
    wanted: WantedRevision,
    { inventory, own }: Pick<Entry, 'inventory' | 'own'>,
  ): Entry {
    const { kinds: allowed } = this.#options;
    const message = inventoryFault(inventory, allowed, wanted.tenant !== undefined);
    const kinds = inventory.kinds.flatMap((one) => resourceFor(one, allowed) ?? []);
    const fault = message && { revision: key, reason: 'InventoryNotAllowed', message };
    const entry = { key, wanted, inventory, own, isAtWork: false, dirtySinceMs: performance.now() };
    return fault ? { ...entry, kinds: [], fault } : { ...entry, kinds };
  }

  #changed({ apiVersion, plural }: Resource): void {
    for (const entry of this.#entries.values()) {
      if (!entry.kinds.some((one) => one.apiVersion === apiVersion && one.plural === plural)) continue;
      entry.dirtySinceMs ??= performance.now();
      this.#see(entry);
    }
  }

  #watchFor({ inventory }: Entry, resource: Resource): KindWatch | undefined {
    return this.#kinds.watchFor({ resource, fields: fieldsFor(inventory, resource) });
  }

  /** Has a document made where one is due and can be made. Each tenant has a line for what decides and one for what is tried, and each pack of the platform one of its own. */
  #see(entry: Entry, afterMs = 0): void {
    if (entry.isAtWork || entry.dirtySinceMs === undefined || entry.kinds.length === 0) return;
    entry.isAtWork = true;
    entry.timer = setTimeout(() => void this.#carryOut(entry), afterMs);
  }

  async #carryOut(entry: Entry): Promise<void> {
    const isDone = await this.#rests.take(lineOf(entry), () => this.#work(entry));
    entry.isAtWork = false;
    if (this.#entries.get(entry.key) !== entry) return;
    if (!isDone) this.#see(entry, AGAIN_MS);
    else if (this.#canBeMade(entry)) this.#see(entry);
  }

  #canBeMade(entry: Entry): boolean {
    const isRead = entry.kinds.every((one) => this.#watchFor(entry, one)?.isSynced === true);
    return isRead && this.#options.modules.loaded(entry.key) !== undefined;
  }

  /** Whether it is done with, until something changes. Never rejects. */
  async #work(entry: Entry): Promise<boolean> {
    if (this.#entries.get(entry.key) !== entry || !this.#canBeMade(entry)) return true;
    const since = entry.dirtySinceMs;
    entry.dirtySinceMs = undefined;
    const message = await this.#renew(entry, this.#options.modules.loaded(entry.key)).catch(wordsOf);
    if (message === undefined) {
      delete entry.fault;
      return true;
    }
    entry.dirtySinceMs = since;
    const fault = { revision: entry.key, reason: 'InventoryNotLoaded', message };
    if (entry.fault?.message !== message)
      this.#options.log.warn(fault, 'what a pack looks at cannot be handed to it');
    entry.fault = fault;
    this.#options.onChange();
    return false;
  }

  /** What is wrong, if anything is. */
  async #renew(entry: Entry, loaded: LoadedRevision | undefined): Promise<string | undefined> {
    const wrong = this.#wrongWith(entry, loaded);
    if (loaded === undefined || wrong !== undefined) return wrong;
    const bytes = withInventory(loaded.data?.bytes, this.#textFor(entry));
    const data = { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, bytes };
    const before = entry.current?.data?.digest;
    return before === data.digest ? undefined : this.#hand(entry, { loaded, data, before });
  }

  #wrongWith(entry: Entry, loaded: LoadedRevision | undefined): string | undefined {
    if (hasInventory(loaded?.data?.bytes))
      return 'the data of the pack have an inventory of their own, beside which there can be no live one';
    const large = entry.kinds.find((one) => (this.#watchFor(entry, one)?.size ?? 0) > MAX_INVENTORY_OBJECTS);
    return large && `there are more than ${MAX_INVENTORY_OBJECTS} objects of kind ${large.kind}`;
  }

  /** Has the workers load it, and then has requests judged by it. */
  async #hand(entry: Entry, { loaded, data, before }: Handing): Promise<string | undefined> {
    const { module } = loaded;
    const spec = entry.wanted.object['spec'] as Spec;
    const { memoryMiB } = spec.evaluation;
    const entrypoints = spec.entrypoints.map(({ path }) => path);
    const { host, onChange } = this.#options;
    const prepared = await host.prepare({
      module,
      data,
      memoryMiB,
      tenant: entry.wanted.tenant,
      entrypoints,
      isTrial: entry.isTrial === true,
    });
    if (prepared.kind === 'refused')
      return `${data.bytes.length} bytes of live objects: ${prepared.reason}: ${prepared.message}; name fewer fields, kinds or namespaces, or give spec.evaluation more memoryMiB (${memoryMiB} now)`;
    entry.current = { ...loaded, data, trouble: () => this.#troubleOf(entry) };
    if (before !== undefined) setTimeout(() => host.releaseData(module.digest, before), RELEASE_MS).unref();
    onChange();
    return undefined;
  }

  #textFor(entry: Entry): string {
    const { inventory, own, kinds } = entry;
    const seen = kinds.map((resource) => ({
      resource,
      objects: this.#watchFor(entry, resource)?.list() ?? [],
    }));
    return inventoryText({ inventory, own }, seen, { maxBytes: MAX_INVENTORY_BYTES, textOf: this.#textOf });
  }

  /** Too old, by the oldest of its parts: a watch that is silent, or a change that was not handed over. */
  #troubleOf(entry: Entry): Trouble | undefined {
    const { inventory, kinds, dirtySinceMs = Infinity } = entry;
    const told = kinds.map((one) => this.#watchFor(entry, one)?.toldAtMs ?? 0);
    const ageMs = performance.now() - Math.min(dirtySinceMs, ...told);
    if (ageMs <= inventory.maxAgeSeconds * 1000) return undefined;
    const message = `the live objects that it looks at are as of ${Math.round(ageMs / 1000)} s ago; at most ${inventory.maxAgeSeconds} s are allowed`;
    return { reason: 'InventoryStale', message };
  }
}

/** Whether it is on its way. */
function isWaited({ current, fault }: Entry): boolean {
  return current === undefined && fault === undefined;
}

/** A namespace that has changed hands has another's packs in it, and what they see is made anew. */
function isSame(a: WantedRevision | undefined, b: WantedRevision): boolean {
  return a !== undefined && a.object.metadata.uid === b.object.metadata.uid && a.tenant === b.tenant;
}

/** Names of tenants have no slash, and those of revisions have. */
function lineOf({ wanted, key, isTrial = false }: Entry): string {
  const whose = wanted.tenant ?? key;
  return isTrial ? `${whose} tried` : whose;
}

function fieldsFor({ kinds }: PolicyInventory, resource: Resource): readonly string[] | undefined {
  return kinds.find((one) => resourceFor(one, [resource]) !== undefined)?.fields;
}

function isSameSet(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && [...a].every((one) => b.has(one));
}

function wordsOf(error: unknown): string {
  if (error instanceof InventoryTooLarge) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
