// SPDX-License-Identifier: Apache-2.0
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import type { KubeObject } from '#operator/core/object';
import type { Evaluate } from '#operator/policy/packs/ask';
import { assembleBlob } from '#operator/policy/packs/blob';
import { type LoadedRevision, loadBytes, type LoadOutcome } from '#operator/policy/packs/load';
import type { PolicyData } from '#operator/policy/evaluate-here';
import type { PolicyModule } from '#operator/policy/module';
import { FairWork } from '#operator/policy/workers/fair-work';
import { backoffMs } from '#operator/runtime/backoff';
import type { Log } from '#operator/telemetry/log';
import type { StateFolder } from './state-folder.ts';

/** What evaluates modules. */
export interface PackHost {
  /** Whether it keeps what it was told to prepare, and fetches what it has not: then nobody else has to. */
  readonly keeps?: boolean;
  readonly evaluate: Evaluate;
  prepare(preparation: {
    readonly module: PolicyModule;
    readonly memoryMiB: number;
    readonly tenant: string | undefined;
    readonly data?: PolicyData | undefined;
    readonly entrypoints: readonly string[];
    readonly isTrial?: boolean;
  }): Promise<
    | { readonly kind: 'ready' }
    | { readonly kind: 'refused'; readonly reason: string; readonly message: string }
  >;
  isQuarantined(owner: { readonly tenant: string | undefined; readonly digest: string }): boolean;
  release(digest: string): void;
  /** Forgets data that a module was asked with. */
  releaseData(digest: string, dataDigest: string): void;
}

/** A revision that is to be loaded, and whose it is. */
export interface WantedRevision {
  readonly object: KubeObject;
  readonly tenant: string | undefined;
  /** Whether it is tried only, and nothing that decides waits for it. */
  readonly isTrial?: boolean;
}

/** What is wrong with a revision. */
export interface RevisionFault {
  readonly revision: string;
  readonly reason: string;
  readonly message: string;
}

/** What modules are loaded with. */
export interface PackModulesOptions {
  readonly host: PackHost;
  readonly state: StateFolder;
  /** Whether a ConfigMap with a part of a module is there. */
  readonly hasPart: (chunk: string) => boolean;
  /** Reads the part of a module that a ConfigMap holds; undefined where it is not there. */
  readonly readPart: (chunk: string) => Promise<Uint8Array | undefined>;
  /** Called when something was loaded, or could not be. */
  readonly onChange: () => void;
  readonly log: Log;
}

interface Entry {
  readonly wanted: WantedRevision;
  state: 'loading' | 'loaded' | 'failed';
  loaded?: LoadedRevision;
  fault?: RevisionFault;
  /** How often it failed in a row, and when it may be tried again. */
  failures: number;
  dueAt: number;
}

/** A revision that waits to be loaded, by whom it is of: they take turns. */
interface Waiting {
  readonly subject: string;
  readonly key: string;
  readonly entry: Entry;
}

/** What failed is tried again later and later: to load it costs time that others wait for. */
const AGAIN = { baseMs: 1000, maxMs: 60_000, jitter: 0.2 };
/** What has a part that the watch has not told yet is tried as soon as that has come. */
const MISSING_MS = 5000;
const AT_LEAST_MS = 1000;

/** Reason of what has parts that are not there (yet). */
const MISSING = 'ChunkMissing';

type Spec = PolicyPackRevisionSpec;

/**
 * The modules of revisions that packs name: loaded, checked and prepared in the host. Those of the platform wait for each other alone, and
 * tenants take turns, so that a module that is slow to load holds up its own tenant; and nothing waits for what is only tried.
 */
export class PackModules {
  readonly #options: PackModulesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #turns: Readonly<Record<'platform' | 'tenants' | 'trials', FairWork<Waiting>>>;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PackModulesOptions) {
    this.#options = options;
    const load = ({ key, entry }: Waiting) => this.#carryOut(key, entry);
    this.#turns = {
      platform: new FairWork(load, { atOnce: 1, waitingPerSubject: Infinity }),
      tenants: new FairWork(load, { atOnce: 2, waitingPerSubject: Infinity }),
      trials: new FairWork(load, { atOnce: 2, waitingPerSubject: Infinity }),
    };
  }

  /** Loads what is wanted and not there yet, and lets go of what is not wanted any more. */
  want(revisions: ReadonlyMap<string, WantedRevision>): void {
    for (const [key, wanted] of revisions) {
      const known = this.#entries.get(key);
      if (known === undefined || !isSame(known.wanted, wanted) || this.#isDue(known, wanted))
        this.#load(key, wanted);
    }
    for (const [key, entry] of this.#entries) if (!revisions.has(key)) this.#forget(key, entry);
  }

  /** Bytes of a module, or of data, that a revision names; undefined where none does, or they are not to be had. */
  async fetch(digest: string): Promise<Uint8Array | undefined> {
    for (const { wanted } of this.#entries.values()) {
      const { module, data } = wanted.object['spec'] as Spec;
      const blob = [module, data].find((one) => one?.digest === digest);
      if (blob === undefined) continue;
      const bytes = await this.#bytesOf(blob);
      if (bytes.kind === 'ok') return bytes.bytes;
    }
    return undefined;
  }

  /** A revision that is ready to be asked. */
  loaded(key: string): LoadedRevision | undefined {
    return this.#entries.get(key)?.loaded;
  }

  /** Keys of revisions that are ready to be asked. */
  get prepared(): readonly string[] {
    return [...this.#entries].filter(([, { state }]) => state === 'loaded').map(([key]) => key);
  }

  /** What cannot be loaded, and why. */
  get faults(): readonly RevisionFault[] {
    return [...this.#entries.values()].flatMap(({ fault }) => fault ?? []);
  }

  /** Revisions that the host evaluates no more. */
  get quarantined(): readonly string[] {
    const isOut = ({ loaded, wanted }: Entry) =>
      loaded !== undefined &&
      this.#options.host.isQuarantined({ tenant: wanted.tenant, digest: loaded.module.digest });
    return [...this.#entries].filter(([, entry]) => isOut(entry)).map(([key]) => key);
  }

  /** Whether nothing is on its way. */
  get isSettled(): boolean {
    return [...this.#entries.values()].every(({ state }) => state !== 'loading');
  }

  /** Ends what it does by itself. */
  close(): void {
    clearTimeout(this.#timer);
  }

  /** What is to decide now is not left to wait in the line of what is tried. */
  #isDue({ state, dueAt, fault, wanted }: Entry, now: WantedRevision): boolean {
    if (state === 'loading') return wanted.isTrial === true && now.isTrial !== true;
    if (state !== 'failed') return false;
    if (performance.now() >= dueAt) return true;
    const { module, data } = wanted.object['spec'] as Spec;
    const chunks = [...module.chunks, ...(data?.chunks ?? [])];
    return fault?.reason === MISSING && chunks.every((chunk) => this.#options.hasPart(chunk));
  }

  #load(key: string, wanted: WantedRevision): void {
    const before = this.#entries.get(key);
    const entry: Entry = {
      wanted,
      state: 'loading',
      ...(before?.fault !== undefined && { fault: before.fault }),
      failures: before !== undefined && isSame(before.wanted, wanted) ? before.failures : 0,
      dueAt: 0,
    };
    this.#entries.set(key, entry);
    const { platform, tenants, trials } = this.#turns;
    const deciding = wanted.tenant === undefined ? platform : tenants;
    const turns = wanted.isTrial === true ? trials : deciding;
    turns.add({ subject: wanted.tenant ?? '', key, entry });
  }

  async #carryOut(key: string, entry: Entry): Promise<void> {
    if (this.#entries.get(key) !== entry) return;
    const outcome = await this.#outcomeOf(entry.wanted).catch(
      (error: unknown): LoadOutcome => ({ kind: 'failed', reason: 'Fault', message: String(error) }),
    );
    if (this.#entries.get(key) !== entry) return this.#releaseUnused(entry);
    const { log, onChange } = this.#options;
    if (outcome.kind === 'ok') {
      entry.state = 'loaded';
      entry.loaded = outcome.loaded;
      entry.failures = 0;
      delete entry.fault;
      log.info({ revision: key, digest: outcome.loaded.module.digest }, 'a policy revision is loaded');
    } else {
      this.#fail(key, entry, outcome);
    }
    onChange();
  }

  #fail(key: string, entry: Entry, { reason, message }: Extract<LoadOutcome, { kind: 'failed' }>): void {
    if (entry.fault?.message !== message)
      this.#options.log.warn({ revision: key, reason, message }, 'a policy revision cannot be loaded');
    entry.state = 'failed';
    entry.fault = { revision: key, reason, message };
    entry.failures += 1;
    const waitMs = reason === MISSING ? MISSING_MS : backoffMs(AGAIN, entry.failures, Math.random());
    entry.dueAt = performance.now() + waitMs;
    this.#tryAgain();
  }

  async #outcomeOf({ object, tenant, isTrial = false }: WantedRevision): Promise<LoadOutcome> {
    const spec = object['spec'] as Spec;
    const module = await this.#bytesOf(spec.module);
    const data = spec.data === undefined ? undefined : await this.#bytesOf(spec.data);
    const outcome = loadBytes(spec, { module, data });
    if (outcome.kind === 'failed') return outcome;
    const { loaded } = outcome;
    const { memoryMiB } = spec.evaluation;
    const prepared = await this.#options.host.prepare({
      module: loaded.module,
      memoryMiB,
      tenant,
      data: loaded.data,
      entrypoints: spec.entrypoints.map(({ path }) => path),
      isTrial,
    });
    if (prepared.kind === 'refused')
      return { kind: 'failed', reason: prepared.reason, message: prepared.message };
    await this.#keep(spec, loaded);
    return this.#options.host.keeps === true ? { kind: 'ok', loaded: withoutBytes(spec, loaded) } : outcome;
  }

  /** From what was kept of an earlier time, or else from the parts in the cluster, which are read one by one and not kept. */
  async #bytesOf(blob: Spec['module']) {
    const kept = await this.#options.state.read(blob.digest);
    if (kept !== undefined) return { kind: 'ok', bytes: kept } as const;
    const parts = new Map<string, Uint8Array>();
    for (const chunk of blob.chunks) {
      const part = this.#options.hasPart(chunk) ? await this.#options.readPart(chunk) : undefined;
      if (part !== undefined) parts.set(chunk, part);
    }
    return assembleBlob(blob, (chunk) => parts.get(chunk));
  }

  async #keep(spec: Spec, { module, data }: LoadedRevision): Promise<void> {
    const { state } = this.#options;
    if ((await state.read(module.digest)) === undefined) await state.save(module.digest, module.bytes);
    if (spec.data === undefined || data === undefined) return;
    if ((await state.read(data.digest)) === undefined) await state.save(data.digest, data.bytes);
  }

  /** Also where it is not loaded, or not yet: its module may be in the host by then. */
  #forget(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#releaseUnused(entry);
  }

  #releaseUnused({ wanted }: Entry): void {
    const digest = moduleDigestOf(wanted);
    if (![...this.#entries.values()].some((one) => moduleDigestOf(one.wanted) === digest))
      this.#options.host.release(digest);
  }

  #tryAgain(): void {
    clearTimeout(this.#timer);
    const failed = [...this.#entries.values()].filter(({ state }) => state === 'failed');
    if (failed.length === 0) return;
    const waitMs = Math.min(...failed.map(({ dueAt }) => dueAt - performance.now()));
    this.#timer = setTimeout(
      () => {
        this.#options.onChange();
        // Others are due later.
        this.#tryAgain();
      },
      Math.max(waitMs, AT_LEAST_MS),
    );
    this.#timer.unref();
  }
}

/** Names of revisions follow from what they are made of, so the same name and digest are the same. */
function isSame(a: WantedRevision, b: WantedRevision): boolean {
  const digest = ({ object }: WantedRevision) => (object['spec'] as Spec).digest;
  return digest(a) === digest(b) && a.tenant === b.tenant;
}

function moduleDigestOf({ object }: WantedRevision): string {
  return (object['spec'] as Spec).module.digest;
}

const AWAY = new Uint8Array();

/** The host has them, and asks for them where it has not. Data that live objects are put into are needed for each document. */
function withoutBytes(spec: Spec, { module, data, ...rest }: LoadedRevision): LoadedRevision {
  const isPlain = data !== undefined && spec.inventory === undefined;
  const light = isPlain ? { digest: data.digest, bytes: AWAY } : data;
  return {
    ...rest,
    module: { ...module, bytes: AWAY, metered: AWAY },
    ...(light !== undefined && { data: light }),
  };
}
