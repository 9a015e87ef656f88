// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { BlastRadius } from '#crds/v1alpha1/policy-rollout';
import { canonicalJson } from '../compare.ts';
import { toInstant, truncate } from '../conditions.ts';

/** What a revision says of an object. */
export type Says = 'Allowed' | 'Denied';

/** An object that exists, and what two revisions say of it; of no policy at all, that it is allowed. */
export interface JudgedObject {
  readonly kind: string;
  /** Undefined for what is in no namespace. */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly active: Says;
  readonly candidate: Says;
  /** What the one that denies says. */
  readonly message?: string | undefined;
}

/** Of which revisions it is told. */
export interface BlastPair {
  readonly revision: string;
  readonly against?: string | undefined;
}

/** How much was looked at. */
export interface BlastScope {
  /** false: there was more than there was time for, or than could be read. */
  readonly complete: boolean;
  readonly total?: number | undefined;
}

type Example = NonNullable<BlastRadius['examples']>[number];
type Bucket = NonNullable<BlastRadius['byKind']>[number];
interface Counts {
  denied: number;
  allowed: number;
}

const MAX_BUCKETS = 20;
const MAX_EXAMPLES = 20;
const MAX_MESSAGE = 512;
/** Namespaces beyond are counted together, so that a count takes no more memory than that. */
const MAX_COUNTED = 10_000;
const REST = 'others';

/** Counts what a candidate would do to what exists, object by object, in bounded memory. */
export class BlastCount {
  readonly #kinds = new Map<string, Counts>();
  readonly #namespaces = new Map<string, Counts>();
  #examples: Example[] = [];
  #scanned = 0;
  #newlyDenied = 0;
  #newlyAllowed = 0;
  #bothDenied = 0;

  get scanned(): number {
    return this.#scanned;
  }

  add(object: JudgedObject): void {
    this.#scanned += 1;
    if (object.active === object.candidate) {
      if (object.active === 'Denied') this.#bothDenied += 1;
      return;
    }
    const isDenied = object.candidate === 'Denied';
    if (isDenied) this.#newlyDenied += 1;
    else this.#newlyAllowed += 1;
    count(this.#kinds, object.kind, isDenied);
    if (object.namespace !== undefined) count(this.#namespaces, object.namespace, isDenied);
    this.#keep(exampleOf(object));
  }

  /** The report. The same objects and verdicts give the same digest, in whatever order they came and whenever that is. */
  report({ revision, against }: BlastPair, { complete, total }: BlastScope, now: Date): BlastRadius {
    const told = {
      revision,
      ...(against !== undefined && { against }),
      scanned: this.#scanned,
      ...(total !== undefined && { total }),
      complete,
      newlyDenied: this.#newlyDenied,
      newlyAllowed: this.#newlyAllowed,
      bothDenied: this.#bothDenied,
      byKind: bucketsOf(this.#kinds),
      byNamespace: bucketsOf(this.#namespaces),
      examples: this.#examples,
    };
    const digest = `sha256:${createHash('sha256').update(canonicalJson(told)).digest('hex')}`;
    return { ...told, digest, at: toInstant(now) };
  }

  /** The first by kind, namespace and name, and not those that happened to come first. */
  #keep(example: Example): void {
    if (this.#examples.length >= MAX_EXAMPLES) {
      const last = this.#examples.at(-1);
      if (last !== undefined && byPlace(last, example) <= 0) return;
    }
    this.#examples = [...this.#examples, example].toSorted(byPlace).slice(0, MAX_EXAMPLES);
  }
}

function count(counts: Map<string, Counts>, name: string, isDenied: boolean): void {
  const key = counts.has(name) || counts.size < MAX_COUNTED ? name : REST;
  const known = counts.get(key) ?? { denied: 0, allowed: 0 };
  if (isDenied) known.denied += 1;
  else known.allowed += 1;
  counts.set(key, known);
}

function exampleOf({ kind, namespace, name, candidate, message }: JudgedObject): Example {
  return {
    kind,
    ...(namespace !== undefined && { namespace }),
    name,
    newly: candidate,
    ...(message !== undefined && { message: truncate(message, MAX_MESSAGE) }),
  };
}

/** What would newly be refused first: that is what somebody has to read. */
function byPlace(a: Example, b: Example): number {
  if (a.newly !== b.newly) return a.newly === 'Denied' ? -1 : 1;
  return order(placeOf(a), placeOf(b));
}

function placeOf({ kind, namespace = '', name }: Example): string {
  return `${kind}/${namespace}/${name}`;
}

/** Most first; the rest is counted together. */
function bucketsOf(counts: ReadonlyMap<string, Counts>): Bucket[] {
  const all = [...counts].map(([name, { denied, allowed }]) => ({
    name,
    newlyDenied: denied,
    newlyAllowed: allowed,
  }));
  const sorted = all.toSorted((a, b) => sizeOf(b) - sizeOf(a) || order(a.name, b.name));
  if (sorted.length <= MAX_BUCKETS) return sorted;
  const rest = sorted.slice(MAX_BUCKETS - 1);
  const sum = (of: (one: Bucket) => number) => rest.reduce((total, one) => total + of(one), 0);
  const others = {
    name: `${REST} (${rest.length})`,
    newlyDenied: sum((one) => one.newlyDenied),
    newlyAllowed: sum((one) => one.newlyAllowed),
  };
  return [...sorted.slice(0, MAX_BUCKETS - 1), others];
}

function sizeOf({ newlyDenied, newlyAllowed }: Bucket): number {
  return newlyDenied + newlyAllowed;
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
