// SPDX-License-Identifier: Apache-2.0
import { addTo, type Amounts, amountOf, lacking, larger, NO_AMOUNTS, smaller, sumOf } from './amounts.ts';
import { type Needs, targetsOf } from './targets.ts';

/** What the ledger grants to a namespace. */
export interface Grant {
  readonly namespace: string;
  readonly hard: Amounts;
  /** Grows whenever `hard` changes; the ResourceQuota carries the revision that it was written for. */
  readonly revision: number;
  /** The most that any grant since the last one confirmed has allowed, where that is more than `hard`. */
  readonly ceiling: Amounts;
}

/** A namespace's ResourceQuota as it was last seen. */
export interface SeenQuota {
  /** Revision of the grant that its spec was written for; 0 when it carries none of ours. */
  readonly revision: number;
  readonly specHard: Amounts;
  /** What the API server enforces now. */
  readonly hard: Amounts;
  readonly used: Amounts;
}

/** A namespace that shares the totals, or has shared them and may still use some. */
export interface NamespaceQuota {
  readonly name: string;
  /** No longer wanted: what it does not use is taken back. */
  readonly isLeaving: boolean;
  readonly grant: Grant | undefined;
  readonly seen: SeenQuota | undefined;
}

/** Something that wants to start in a namespace, and what it takes. */
export interface Demand {
  readonly namespace: string;
  readonly amounts: Amounts;
}

/** What is dealt out, to whom. */
export interface Deal {
  readonly totals: Amounts;
  readonly namespaces: readonly NamespaceQuota[];
  /** The most urgent first. Each is met as a whole or not at all. */
  readonly demands: readonly Demand[];
}

/** The outcome of dealing. */
export interface Dealt {
  /** One for each namespace, by name. */
  readonly grants: readonly Grant[];
  /** Keys of which more is in use than the total. Nothing is taken from whoever uses it. */
  readonly overCommitted: readonly string[];
  /** Some namespace waits for another one's ResourceQuota to show that it gave back. */
  readonly isMoving: boolean;
}

/**
 * Deals the totals of a tenant out to its namespaces, such that native quota in each holds the total over all.
 *
 * For every key, with `claim(n)` the most that namespace n may use by anything that was ever committed:
 *
 *     sum over n of claim(n) <= total,  claim = max(grant, ceiling, ResourceQuota spec.hard, status.hard, used)
 *
 * Lowering a grant is always safe and frees nothing by itself: the old amount stays in `ceiling` until the
 * ResourceQuota is seen with the grant's revision and with `status.hard` that low. Admission in the API server is a
 * compare-and-swap on that very status, so `hard` and `used` of one ResourceQuota are exact together. Raising takes
 * only what no claim covers. (A total lowered below what is in use cannot hold; then nothing is raised.)
 *
 * Two writers: grants are committed by compare-and-swap on the ledger, so a stale writer commits nothing. What a
 * stale writer can still do is to write a ResourceQuota late, from a grant that was committed: `ceiling` covers
 * it until a newer revision is seen there, and from then on its write fails on the resourceVersion; and who sees a
 * revision newer than its own ledger leaves the ResourceQuota alone (`isOutdated`).
 *
 * Example: total 10, `a` and `b` have 5 each, `a` uses 5 and wants 2. Pass 1: b's grant 5 → 1, ceiling 5. Pass 2,
 * b's ResourceQuota shows 1: a's grant 5 → 9.
 */
export function dealGrants(deal: Deal): Dealt {
  const namespaces = deal.namespaces.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const demanded = acceptDemands(deal);
  const hard = new Map(namespaces.map(({ name }) => [name, new Map<string, bigint>()]));
  const overCommitted: string[] = [];
  let isMoving = false;
  for (const [key, total] of deal.totals) {
    const holders = namespaces.map((one) => holderOf(one, key, demanded.get(one.name)));
    const { targets, isOverCommitted } = targetsOf(key, total, holders);
    if (isOverCommitted) overCommitted.push(key);
    const dealt = dealKey(total, holders, targets);
    isMoving ||= dealt.some((amount, i) => amount < (targets[i] ?? 0n));
    for (const [i, amount] of dealt.entries()) hard.get(namespaces[i]?.name ?? '')?.set(key, amount);
  }
  const grants = namespaces.map((one) => nextGrant(one, hard.get(one.name) ?? NO_AMOUNTS));
  return { grants, overCommitted, isMoving };
}

/** Whether `quota` was written from a later ledger than the one in hand, so that nothing may be written to it. */
export function isOutdated(grant: Grant, quota: SeenQuota | undefined): boolean {
  return (quota?.revision ?? 0) > grant.revision;
}

/** The demands that fit into what nobody uses, in order, summed by namespace. */
function acceptDemands(deal: Deal): ReadonlyMap<string, Amounts> {
  const free = new Map(deal.totals);
  const active = new Set<string>();
  for (const { name, isLeaving, seen } of deal.namespaces) {
    const used = [...(seen?.used ?? NO_AMOUNTS)].filter(([key]) => free.has(key));
    addTo(free, new Map(used), -1n);
    if (!isLeaving) active.add(name);
  }
  const accepted = new Map<string, Map<string, bigint>>();
  for (const { namespace, amounts } of deal.demands) {
    if (!active.has(namespace) || lacking(amounts, free).length > 0) continue;
    const limited = new Map([...amounts].filter(([key]) => free.has(key)));
    addTo(free, limited, -1n);
    accepted.set(namespace, sumOf([accepted.get(namespace) ?? NO_AMOUNTS, limited]));
  }
  return accepted;
}

/** How one namespace stands with one key. */
interface Holder extends Needs {
  /** What the ledger has committed to it, old grants that may still be in force included. */
  readonly covered: bigint;
  /** What it may use whatever the ledger says next, as far as can be seen; the view may be old. */
  readonly held: bigint;
}

function holderOf(namespace: NamespaceQuota, key: string, demanded: Amounts = NO_AMOUNTS): Holder {
  const { grant, seen, isLeaving } = namespace;
  const used = amountOf(seen?.used ?? NO_AMOUNTS, key);
  const enforced = larger(
    amountOf(seen?.hard ?? NO_AMOUNTS, key),
    amountOf(seen?.specHard ?? NO_AMOUNTS, key),
  );
  const granted = amountOf(grant?.hard ?? NO_AMOUNTS, key);
  const covered = larger(granted, ceilingOf(namespace, key));
  const held = larger(larger(enforced, used), covered);
  return { used, demanded: amountOf(demanded, key), granted, covered, held, isLeaving };
}

/** The most that an unconfirmed grant of `key` may still allow: none once the ResourceQuota shows the present one. */
function ceilingOf({ grant, seen }: NamespaceQuota, key: string): bigint {
  if (grant === undefined || isConfirmed(grant, seen)) return 0n;
  return larger(amountOf(grant.ceiling, key), amountOf(grant.hard, key));
}

/** A later revision than ours is no proof either: our view of the ledger is stale then. */
function isConfirmed(grant: Grant, seen: SeenQuota | undefined): boolean {
  if (seen?.revision !== grant.revision) return false;
  return (
    lacking(seen.hard, grant.hard).length === 0 && [...grant.hard.keys()].every((key) => seen.hard.has(key))
  );
}

/** One key: what each holder is granted now, on the way to its target. */
function dealKey(total: bigint, holders: readonly Holder[], targets: readonly bigint[]): readonly bigint[] {
  const lowered = holders.map(({ granted }, i) => smaller(granted, targets[i] ?? 0n));
  const claims = holders.map(({ held }) => held);
  let free = total - claims.reduce((sum, claim) => sum + claim, 0n);
  const isSettling = claims.some((claim, i) => claim > (targets[i] ?? 0n));
  const raised = [...lowered];
  const raiseTo = (i: number, wanted: bigint): void => {
    const claim = claims[i] ?? 0n;
    const extra = larger(0n, smaller(wanted - claim, free));
    // Claims beyond the total: some of what is seen is old, and only what the ledger covers is sure.
    const most = free < 0n ? (holders[i]?.covered ?? 0n) : claim + extra;
    raised[i] = larger(raised[i] ?? 0n, smaller(wanted, most));
    claims[i] = claim + extra;
    free -= extra;
  };
  // First what is needed; what is only comfortable waits until all have given back, which saves writes.
  for (const [i, { used, demanded }] of holders.entries())
    raiseTo(i, smaller(used + demanded, targets[i] ?? 0n));
  for (const [i, target] of targets.entries()) if (!isSettling) raiseTo(i, target);
  return raised;
}

function nextGrant(namespace: NamespaceQuota, hard: Amounts): Grant {
  const { name, grant } = namespace;
  if (grant === undefined) return { namespace: name, hard, revision: 1, ceiling: NO_AMOUNTS };
  const keys = new Set([...grant.hard.keys(), ...hard.keys()]);
  const isChanged = [...keys].some((key) => grant.hard.get(key) !== hard.get(key));
  const ceiling = new Map<string, bigint>();
  for (const key of hard.keys()) {
    const before = larger(ceilingOf(namespace, key), isChanged ? amountOf(grant.hard, key) : 0n);
    if (before > amountOf(hard, key)) ceiling.set(key, before);
  }
  return { namespace: name, hard, revision: grant.revision + (isChanged ? 1 : 0), ceiling };
}
