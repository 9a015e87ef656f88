// SPDX-License-Identifier: Apache-2.0
import { type CompiledModule, ENGINE } from './engine.ts';
import type { PolicyData } from './evaluate-here.ts';
import { type PolicyModule, verifyModule } from './module.ts';
import { type Resident, Residents } from './residents.ts';
import { Failure } from './verdict.ts';

/** What is asked for: a module with its data, and whose it is. */
export interface SourceOf {
  readonly module: PolicyModule;
  readonly data?: PolicyData | undefined;
  readonly tenant: string | undefined;
}

/** What instances are made of, or why there is none. */
export type Source =
  | { readonly kind: 'ok'; readonly compiled: CompiledModule; readonly data: Uint8Array | undefined }
  | { readonly kind: 'failed'; readonly reason: Failure; readonly message: string };

/** Gets bytes of a digest that are not in memory; undefined: they are not to be had at the moment. */
export type FetchBytes = (digest: string) => Promise<Uint8Array | undefined>;

/** How sources are kept. */
export interface ModuleSourcesOptions {
  readonly limitBytes: number;
  readonly fetch: FetchBytes;
  /** A module, or data, is not kept any more. */
  readonly onEvict: (digest: string) => void;
}

/** What V8 has of a module: its bytes, and code of the functions that are called, which all threads share. */
const MODULE_FACTOR = 6;

type Kept<T> = Promise<T | Extract<Source, { kind: 'failed' }>>;

/**
 * Compiled modules and data, once for all threads, of no more bytes than there is room for. What has had to go is fetched again when it is
 * asked for.
 */
export class ModuleSources {
  readonly #options: ModuleSourcesOptions;
  readonly #residents: Residents;
  readonly #compiled = new Map<string, Kept<CompiledModule>>();
  readonly #data = new Map<string, Kept<Uint8Array>>();

  constructor(options: ModuleSourcesOptions) {
    this.#options = options;
    this.#residents = new Residents(options.limitBytes, (digest) => {
      this.#drop(digest);
      options.onEvict(digest);
    });
  }

  /** Bytes that are counted for all that is kept. */
  get bytes(): number {
    return this.#residents.bytes;
  }

  /** Whether it is there, so that it need not be fetched. */
  has({ module, data }: SourceOf): boolean {
    return this.#compiled.has(module.digest) && (data === undefined || this.#data.has(data.digest));
  }

  /** What a module is run by. Never rejects. */
  async take({ module, data, tenant }: SourceOf): Promise<Source> {
    const compiled = await this.#compiledOf(module, tenant);
    if ('kind' in compiled) return compiled;
    if (data === undefined) return { kind: 'ok', compiled, data: undefined };
    const bytes = await this.#dataOf(data, { tenant, besides: module.digest });
    return 'kind' in bytes ? bytes : { kind: 'ok', compiled, data: bytes };
  }

  /** Lets go of a module, or of data. */
  release(digest: string): void {
    this.#residents.release(digest);
    this.#drop(digest);
  }

  #drop(digest: string): void {
    this.#compiled.delete(digest);
    this.#data.delete(digest);
  }

  #compiledOf(module: PolicyModule, tenant: string | undefined): Kept<CompiledModule> {
    const { digest } = module;
    const known = this.#compiled.get(digest);
    if (known !== undefined) {
      this.#residents.touch(digest, tenant);
      return known;
    }
    const made = this.#meteredOf(module).then(async (bytes) => {
      if ('kind' in bytes) return bytes;
      const noRoom = this.#residents.keep({ key: digest, bytes: bytes.length * MODULE_FACTOR, tenant });
      if (noRoom !== undefined) return failed(Failure.OutOfMemory, `the module: ${noRoom}`);
      return ENGINE.compile(bytes).catch(() => failed(Failure.Trap, 'the engine takes it for no module'));
    });
    return this.#remember(this.#compiled, digest, made);
  }

  #dataOf(data: PolicyData, whose: Pick<Resident, 'tenant' | 'besides'>): Kept<Uint8Array> {
    const { digest } = data;
    const known = this.#data.get(digest);
    if (known !== undefined) {
      this.#residents.touch(digest, whose.tenant);
      return known;
    }
    // What its owner holds is there anyway: to have it go from here would free half of it at most, and it cannot be fetched.
    const isPinned = data.bytes.length > 0;
    const made = this.#bytesOf(data, 'data').then((bytes) => {
      if ('kind' in bytes) return bytes;
      const size = bytes.length * (isPinned ? 2 : 1);
      const noRoom = this.#residents.keep({ key: digest, bytes: size, ...whose, isPinned });
      if (noRoom !== undefined) return failed(Failure.OutOfMemory, `the data: ${noRoom}`);
      // Threads share it, instead of having a copy each.
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
      shared.set(bytes);
      return shared;
    });
    return this.#remember(this.#data, digest, made);
  }

  /** What failed is tried anew when it is asked for again. */
  #remember<T>(all: Map<string, Kept<T>>, digest: string, made: Kept<T>): Kept<T> {
    const safe = made.catch((error: unknown) =>
      failed(Failure.Overloaded, `it could not be fetched: ${String(error)}`),
    );
    all.set(digest, safe);
    void this.#settle(all, digest, safe);
    return safe;
  }

  async #settle<T>(all: Map<string, Kept<T>>, digest: string, made: Kept<T>): Promise<void> {
    const outcome = await made;
    const isFailed = typeof outcome === 'object' && outcome !== null && 'kind' in outcome;
    if (isFailed && all.get(digest) === made) all.delete(digest);
    // It was let go meanwhile.
    if (!all.has(digest)) this.#residents.release(digest);
  }

  /** What runs is made anew from what was fetched, which is checked again for that. */
  async #meteredOf({ digest, bytes, metered }: PolicyModule): Kept<Uint8Array> {
    if (metered.length > 0) return metered;
    const fetched = await this.#bytesOf({ digest, bytes }, 'module');
    if ('kind' in fetched) return fetched;
    const verified = verifyModule(fetched);
    return verified.kind === 'ok'
      ? verified.module.metered
      : failed(Failure.Trap, 'it is no module any more');
  }

  async #bytesOf(
    { digest, bytes }: { readonly digest: string; readonly bytes: Uint8Array },
    what: string,
  ): Kept<Uint8Array> {
    if (bytes.length > 0) return bytes;
    const fetched = await this.#options.fetch(digest);
    return (
      fetched ??
      failed(Failure.Overloaded, `the ${what} had to leave the memory, and could not be fetched again`)
    );
  }
}

function failed(reason: Failure, message: string): Extract<Source, { kind: 'failed' }> {
  return { kind: 'failed', reason, message };
}
