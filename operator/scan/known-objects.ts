// SPDX-License-Identifier: Apache-2.0
import type { PackResult } from '../core/policy/compose.ts';

/** What an object was judged by: what comes to the same verdict need not be asked again. */
export interface JudgedAs {
  /** resourceVersion of the object. */
  readonly version: string;
  /** Digest of what is known of its namespace and tenant. */
  readonly facts: string;
}

interface Known extends JudgedAs {
  readonly atMs: number;
  /** Revisions that have nothing against it. Shared between objects, since of most it is the same. */
  clean: ReadonlySet<string>;
  /** What others have against it. */
  said: Map<string, PackResult> | undefined;
}

/** Objects that are remembered; those beyond are asked about in each round. */
const MAX_KNOWN = 100_000;
/** Answers with something in them, which may be large. */
const MAX_SAID = 20_000;
/** Rules may go by the time of the request. */
const MAX_AGE_MS = 3_600_000;

/** What revisions said of objects that exist, as long as neither has changed. In bounded memory. */
export class KnownObjects {
  readonly #known = new Map<string, Known>();
  readonly #sets = new Map<string, ReadonlySet<string>>();
  #said = 0;

  /** What a revision said of an object as it is; undefined where that is not known any more. */
  find(uid: string, revision: string, { as, nowMs }: { readonly as: JudgedAs; readonly nowMs: number }) {
    const known = this.#known.get(uid);
    if (known === undefined || !isSame(known, as) || nowMs - known.atMs > MAX_AGE_MS) return undefined;
    return known.clean.has(revision) ? 'clean' : known.said?.get(revision);
  }

  /** Takes in what a revision said; undefined: nothing against it. */
  note(
    {
      uid,
      revision,
      said,
    }: { readonly uid: string; readonly revision: string; readonly said: PackResult | undefined },
    { as, nowMs }: { readonly as: JudgedAs; readonly nowMs: number },
  ): void {
    const known = this.#current(uid, as, nowMs);
    if (known === undefined) return;
    if (said === undefined) known.clean = this.#with(known.clean, revision);
    else if (this.#said < MAX_SAID) {
      known.said ??= new Map();
      if (!known.said.has(revision)) this.#said += 1;
      known.said.set(revision, said);
    }
  }

  /** Forgets all but these objects and revisions. */
  keep(uids: ReadonlySet<string>, revisions: ReadonlySet<string>): void {
    for (const [uid, known] of this.#known) {
      if (!uids.has(uid)) this.#drop(uid);
      else this.#trim(known, revisions);
    }
    this.#sets.clear();
  }

  get size(): number {
    return this.#known.size;
  }

  #current(uid: string, as: JudgedAs, nowMs: number): Known | undefined {
    const known = this.#known.get(uid);
    if (known !== undefined && isSame(known, as) && nowMs - known.atMs <= MAX_AGE_MS) return known;
    this.#drop(uid);
    if (this.#known.size >= MAX_KNOWN) return undefined;
    const fresh: Known = { ...as, atMs: nowMs, clean: NONE, said: undefined };
    this.#known.set(uid, fresh);
    return fresh;
  }

  #trim(known: Known, revisions: ReadonlySet<string>): void {
    const left = [...known.clean].filter((one) => revisions.has(one));
    if (left.length < known.clean.size) known.clean = this.#interned(left);
    for (const one of known.said?.keys() ?? []) {
      if (revisions.has(one)) continue;
      known.said?.delete(one);
      this.#said -= 1;
    }
  }

  #drop(uid: string): void {
    this.#said -= this.#known.get(uid)?.said?.size ?? 0;
    this.#known.delete(uid);
  }

  #with(clean: ReadonlySet<string>, revision: string): ReadonlySet<string> {
    return clean.has(revision) ? clean : this.#interned([...clean, revision]);
  }

  #interned(revisions: readonly string[]): ReadonlySet<string> {
    const key = revisions.toSorted().join(' ');
    const known = this.#sets.get(key) ?? new Set(revisions);
    this.#sets.set(key, known);
    return known;
  }
}

const NONE: ReadonlySet<string> = new Set();

function isSame(known: JudgedAs, as: JudgedAs): boolean {
  return known.version === as.version && known.facts === as.facts;
}
