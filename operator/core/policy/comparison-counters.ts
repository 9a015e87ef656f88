// SPDX-License-Identifier: Apache-2.0
import { largestShares } from './comparison-shares.ts';

/** Which revisions of a pack are compared: the new one, and what is active, which may be no policy at all. */
export interface ComparedPair {
  readonly pack: string;
  readonly revision: string;
  readonly against?: string | undefined;
}

/** What a revision says of a request. */
export type Verdict = 'Allowed' | 'Denied';

/** An object that both revisions have judged. */
export interface ComparedObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** One request that both revisions have judged. */
export interface PairedVerdict {
  readonly active: Verdict;
  /** Failed and TimedOut: what the failure comes to is not its opinion, and is counted apart. */
  readonly candidate: Verdict | 'Failed' | 'TimedOut';
  readonly micros: number;
  readonly budgetMicros: number;
  readonly object: ComparedObject;
  readonly message?: string | undefined;
  /** Whose namespace the request is in. */
  readonly tenant?: string | undefined;
  /** How many tenants the pair is about. */
  readonly tenants?: number | undefined;
  /** Whether the request is of Kubernetes or of NexusOS itself. */
  readonly isProtected: boolean;
}

/** An object that the two judge differently. */
export interface DifferingExample extends ComparedObject {
  readonly newly: 'Denied' | 'Allowed';
  readonly message?: string;
}

/**
 * What has been counted of a pair since the process began to compare it. A figure that is lower than it was says that the
 * process was restarted.
 */
export interface ComparisonCounters {
  readonly pair: ComparedPair;
  readonly bothDenied: number;
  readonly bothAllowed: number;
  readonly newlyDenied: number;
  readonly newlyAllowed: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly slow: number;
  readonly protectedDenied: number;
  /** Tenants that the pair is about. */
  readonly tenants: number;
  /** What of this is whose. Requests that are in no tenant are nobody's. */
  readonly byTenant: ReadonlyMap<string, TenantCells>;
  /** Evaluations by how long they took: index i counts those of at most `boundOf(i)` microseconds. */
  readonly micros: readonly number[];
  readonly examples: readonly DifferingExample[];
}

/** What of the figures is one tenant's. */
export type TenantCells = Readonly<Record<Cell | 'slow', number>>;

/** Requests of more tenants are not counted: what is nobody's counts as what no tenant could have made up. */
const MAX_TENANTS = 1024;
const NO_CELLS: TenantCells = {
  bothDenied: 0,
  bothAllowed: 0,
  newlyDenied: 0,
  newlyAllowed: 0,
  errors: 0,
  timeouts: 0,
  slow: 0,
};

/** Examples that are kept of a pair. */
export const MAX_EXAMPLES = 5;
const MAX_EXAMPLE_MESSAGE = 512;
/** Bounds grow by a fifth, so a quantile is told to a fifth; the last holds all that is beyond 100 ms. */
const GROWTH = 1.2;
const BUCKETS = 65;

/** The upper bound of a bucket in microseconds. */
function boundOf(index: number): number {
  return Math.ceil(GROWTH ** index);
}

/** Counters of a pair that nothing is known of yet. */
export function emptyCounters(pair: ComparedPair): ComparisonCounters {
  return {
    pair,
    bothDenied: 0,
    bothAllowed: 0,
    newlyDenied: 0,
    newlyAllowed: 0,
    errors: 0,
    timeouts: 0,
    slow: 0,
    protectedDenied: 0,
    tenants: 0,
    byTenant: new Map(),
    micros: Array.from({ length: BUCKETS }, () => 0),
    examples: [],
  };
}

/** Counters with one request more. */
export function countPair(counters: ComparisonCounters, verdict: PairedVerdict): ComparisonCounters {
  const cell = cellOf(verdict);
  const isSlow = verdict.micros > verdict.budgetMicros;
  const isLockOut = verdict.isProtected && verdict.candidate !== 'Allowed';
  const byTenant = withTenant(counters.byTenant, verdict.tenant, { cell, isSlow });
  if (byTenant === undefined) return counters;
  return {
    ...counters,
    tenants: verdict.tenants ?? counters.tenants,
    byTenant,
    [cell]: counters[cell] + 1,
    slow: counters.slow + (isSlow ? 1 : 0),
    protectedDenied: counters.protectedDenied + (isLockOut ? 1 : 0),
    micros: counters.micros.with(
      bucketOf(verdict.micros),
      (counters.micros[bucketOf(verdict.micros)] ?? 0) + 1,
    ),
    examples: withExample(counters.examples, verdict),
  };
}

type Cell = 'bothDenied' | 'bothAllowed' | 'newlyDenied' | 'newlyAllowed' | 'errors' | 'timeouts';

/** Undefined where there is no room for one tenant more. */
function withTenant(
  byTenant: ComparisonCounters['byTenant'],
  tenant: string | undefined,
  { cell, isSlow }: { readonly cell: Cell; readonly isSlow: boolean },
): ComparisonCounters['byTenant'] | undefined {
  if (tenant === undefined) return byTenant;
  const known = byTenant.get(tenant);
  if (known === undefined && byTenant.size >= MAX_TENANTS) return undefined;
  const before = known ?? NO_CELLS;
  const cells = { ...before, [cell]: before[cell] + 1, slow: before.slow + (isSlow ? 1 : 0) };
  return new Map(byTenant).set(tenant, cells);
}

function cellOf({ active, candidate }: PairedVerdict): Cell {
  if (candidate === 'Failed') return 'errors';
  if (candidate === 'TimedOut') return 'timeouts';
  if (active === candidate) return active === 'Denied' ? 'bothDenied' : 'bothAllowed';
  return candidate === 'Denied' ? 'newlyDenied' : 'newlyAllowed';
}

function bucketOf(micros: number): number {
  const exact = Math.ceil(Math.log(Math.max(micros, 1)) / Math.log(GROWTH));
  return Math.min(exact, BUCKETS - 1);
}

/** The first of each kind and namespace, so that five examples show five things. */
function withExample(
  examples: readonly DifferingExample[],
  verdict: PairedVerdict,
): readonly DifferingExample[] {
  const { active, candidate, object, message } = verdict;
  if (examples.length >= MAX_EXAMPLES || candidate === 'Failed' || candidate === 'TimedOut') return examples;
  if (active === candidate) return examples;
  const newly = candidate;
  const isKnown = examples.some(
    (one) => one.kind === object.kind && one.namespace === object.namespace && one.newly === newly,
  );
  if (isKnown) return examples;
  const told = message === undefined ? {} : { message: message.slice(0, MAX_EXAMPLE_MESSAGE) };
  return [...examples, { ...object, newly, ...told }];
}

/** What `share` of the evaluations took at most, in microseconds; 0 where there were none. */
export function quantileMicros(counters: Pick<ComparisonCounters, 'micros'>, share: number): number {
  const total = counters.micros.reduce((sum, one) => sum + one, 0);
  let left = Math.ceil(total * share);
  if (total === 0) return 0;
  for (const [index, count] of counters.micros.entries()) {
    left -= count;
    if (left <= 0) return boundOf(index);
  }
  return boundOf(BUCKETS - 1);
}

/** The counters as the status of a PolicyReplica tells them. */
export function toComparison(counters: ComparisonCounters) {
  const { pair, micros: _, byTenant, tenants, ...figures } = counters;
  const shares = largestShares([...byTenant].map(([tenant, cells]) => ({ tenant, ...cells })));
  return {
    pack: pair.pack,
    revision: pair.revision,
    ...(pair.against !== undefined && { against: pair.against }),
    ...(tenants > 0 && { tenants }),
    ...(shares.length > 0 && { byTenant: shares }),
    ...figures,
    p95Micros: quantileMicros(counters, 0.95),
  };
}
