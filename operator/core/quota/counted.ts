// SPDX-License-Identifier: Apache-2.0
import type { KubeObject } from '../object.ts';
import type { Run } from '../run/run.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { addTo, type Amounts, amountOf, larger } from './amounts.ts';
import { demandOf, sourceOf } from './candidates.ts';
import type { SeenQuota } from './grants.ts';
import type { LedgerObserved } from './ledger.ts';
import { MILLI } from './quantity.ts';
import { seenQuota } from './resource-quota.ts';
import { runsByUid } from './runs-by-uid.ts';

/** By pass and namespace: what pods of Runs hold. */
const heldIn = new WeakMap<LedgerObserved, ReadonlyMap<string, Amounts>>();

/**
 * A ResourceQuota in which pods of Runs that are seen count in any case. Kubernetes counts anew from a cache that lacks
 * the newest pods, and then says less than is there; and of two watches, that on ResourceQuotas may be the later one. Who believed that
 * would give away once more what is taken, in this namespace or in another one.
 */
export function countedQuota(ledger: Ledger, quota: KubeObject, observed: LedgerObserved): SeenQuota {
  const seen = seenQuota(quota);
  const held = heldByPods(ledger, observed).get(quota.metadata.namespace ?? '');
  if (held === undefined) return seen;
  const used = new Map([...seen.used].map(([key, milli]) => [key, larger(milli, amountOf(held, key))]));
  return { ...seen, used };
}

const NOBODY: ReadonlySet<string> = new Set();

function heldByPods(ledger: Ledger, observed: LedgerObserved): ReadonlyMap<string, Amounts> {
  const known = heldIn.get(observed);
  if (known !== undefined) return known;
  const held = new Map<string, Map<string, bigint>>();
  // Nothing is counted where there are no totals.
  const uids =
    ledger.spec.hard === undefined
      ? NOBODY
      : new Set([...observed.started, ...(observed.unmade?.keys() ?? [])]);
  for (const uid of uids) {
    const run = runsByUid(observed.runs).get(uid);
    if (run === undefined) continue;
    const { namespace = '' } = run.metadata;
    const amounts = held.get(namespace) ?? new Map<string, bigint>();
    held.set(namespace, amounts);
    addTo(amounts, podAmounts(run, observed));
  }
  heldIn.set(observed, held);
  return held;
}

/** What the pods of a Run that are made and have not ended well request, as it was fixed at the admission: its Agent, and defaults of the tenant, may say something else by now. */
function podAmounts(run: Run, observed: LedgerObserved): Amounts {
  const { rate } = run.status?.usage?.open ?? {};
  // That it was admitted has not been seen yet.
  if (rate === undefined) return demandOf(run, sourceOf(run, observed).agent, observed);
  const pods = podsLeft(run, observed);
  const [cpu, memory] = [BigInt(rate.cpuMillicores) * pods, BigInt(rate.memoryBytes) * MILLI * pods];
  return new Map([
    ['pods', MILLI * pods],
    ['count/pods', MILLI * pods],
    ['cpu', cpu],
    ['requests.cpu', cpu],
    ['memory', memory],
    ['requests.memory', memory],
  ]);
}

function podsLeft({ metadata, status }: Run, observed: LedgerObserved): bigint {
  const { pods = 1 } = status?.usage?.open?.rate ?? {};
  const unmade = observed.unmade?.get(metadata.uid ?? '') ?? 0;
  return BigInt(Math.max(0, pods - unmade - endedWell(status)));
}

function endedWell(status: Run['status']): number {
  return status?.gang?.succeeded ?? 0;
}
