// SPDX-License-Identifier: Apache-2.0
// What a Run costs the operator does not grow with those that have ended and are kept: counted in objects that are handed out by stores.
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { KubeObject, Resource } from './core/object.ts';
import { heldRun, NAMESPACE, namedRun, preemptingLedger } from './core/quota/testing/make-held.ts';
import { AGENTS, QUOTA_LEDGERS, RUNS, TENANTS } from './core/resources.ts';
import type { Run } from './core/run/run.ts';
import { ago, makeAgent, makePod, makeTenant, NOW } from './core/run/testing/make.ts';
import { type AnyController, isParseFailure, keyString, type Reader } from './runtime/controller.ts';
import { Store } from './runtime/store.ts';
import { controllersFor } from './controllers/index.ts';

const SETTINGS = {
  platformNamespace: 'platform',
  pullSecretNamespace: 'pull-secrets',
  operatorServiceAccount: 'operator',
  reservedRanges: [],
};
const { indexes } = controllersFor(SETTINGS);
const FINISHED = { phase: 'Succeeded', attempt: 1, finishedAt: ago(5) } as const;

/** Stores with the indexes of the operator, and how many objects they have handed out. */
class CountingReader implements Reader {
  readonly #stores = new Map<string, Store>();
  handedOut = 0;

  put(...objects: readonly KubeObject[]): void {
    for (const object of objects) this.#storeOf(object.kind).observe('put', object);
  }

  get({ kind }: Resource, key: { readonly namespace?: string; readonly name: string }) {
    return this.#count([this.#storeOf(kind).get(keyString(key))].filter((one) => one !== undefined))[0];
  }

  list({ kind }: Resource, { namespace, index, value = '' }: Parameters<Reader['list']>[1] = {}) {
    const store = this.#storeOf(kind);
    return this.#count(index === undefined ? store.list(namespace) : store.find(index, value));
  }

  live(resource: Resource, key: { readonly namespace?: string; readonly name: string }) {
    return Promise.resolve(this.get(resource, key));
  }

  listLive({ kind }: Resource, { namespace }: { readonly namespace: string }) {
    return Promise.resolve(this.#count(this.#storeOf(kind).list(namespace)));
  }

  anyLive() {
    return Promise.resolve(false);
  }

  #count<T>(objects: T[]): T[] {
    this.handedOut += objects.length;
    return objects;
  }

  #storeOf(kind: string): Store {
    const known = this.#stores.get(kind);
    if (known !== undefined) return known;
    const ofKind = indexes.filter(({ resource }) => resource.kind === kind);
    const store = new Store(Object.fromEntries(ofKind.map(({ name, of }) => [name, of])));
    this.#stores.set(kind, store);
    return store;
  }
}

function podOf({ metadata }: Run): KubeObject {
  const { name, namespace = '', uid = '' } = metadata;
  const labels = { [LABELS.run]: name, [LABELS.runUid]: uid };
  return makePod(
    { terminated: { exitCode: 0, finishedAt: ago(5) } },
    { phase: 'Succeeded' },
    { name: `${name}-1`, namespace, uid: `pod-of-${uid}`, labels },
  );
}

const RUNNING = ['runs-0', 'runs-1', 'runs-2'].map((name, i) => heldRun(i + 1, name));
const WAITING = ['waits-0', 'waits-1', 'waits-2'].map((name) => namedRun(name));

/** A tenant of whose Runs some run, some wait, and `kept` have ended, with their pods. */
function worldOf(kept: number, spec: Partial<TenantSpec>): CountingReader {
  const world = new CountingReader();
  const reserved = RUNNING.map(({ reservation }) => reservation);
  const namespace = { name: NAMESPACE, uid: 'namespace-uid', labels: { [LABELS.tenant]: 'acme' } };
  world.put(
    makeTenant(spec),
    makeAgent(),
    preemptingLedger({ maxConcurrentRuns: 4 }, reserved),
    { apiVersion: 'v1', kind: 'Namespace', metadata: namespace },
    ...RUNNING.map(({ run }) => run),
    ...WAITING,
  );
  const ended = namedRun('ended', { status: FINISHED });
  for (let i = 0; i < kept; i += 1) {
    const run: Run = { ...ended, metadata: { ...ended.metadata, name: `ended-${i}`, uid: `ended-${i}` } };
    world.put(run, podOf(run));
  }
  return world;
}

async function pass(controller: AnyController, object: KubeObject, world: CountingReader): Promise<void> {
  const parsed = controller.parse?.(object) ?? object;
  if (isParseFailure(parsed)) throw new Error(parsed.parseFailure);
  controller.plan(parsed, await controller.observe(parsed, world), NOW);
}

/** Who is woken by a change, and how soon. */
function wake(controller: AnyController, [old, object]: readonly [KubeObject, KubeObject], world: Reader) {
  for (const watch of controller.watches.filter((one) => one.resource.kind === object.kind)) {
    watch.patienceMs?.({ old, object }, world);
    for (const one of [old, object]) watch.keys(one, world);
  }
}

/** Objects that were looked at while one Run of a tenant ends and all who have to do with it look once, by controller. */
async function lookedAt(kept: number, spec: Partial<TenantSpec> = {}): Promise<ReadonlyMap<string, number>> {
  const world = worldOf(kept, spec);
  const before = RUNNING[0]?.run ?? namedRun('none');
  const after: Run = { ...before, status: { ...before.status, ...FINISHED } };
  const counts = new Map<string, number>();
  // Made anew, since they remember what they have seen.
  for (const controller of controllersFor(SETTINGS).controllers) {
    const concerned = [RUNS, QUOTA_LEDGERS, AGENTS, TENANTS].filter(
      ({ kind }) => kind === controller.resource.kind,
    );
    world.handedOut = 0;
    wake(controller, [before, after], world);
    wake(controller, [podOf(before), podOf(after)], world);
    const counted = world.handedOut;
    const objects = concerned.flatMap((resource) =>
      world.list(resource).filter(({ metadata }) => !metadata.name.startsWith('ended-')),
    );
    world.handedOut = counted;
    for (const object of objects) await pass(controller, object, world);
    counts.set(controller.name, world.handedOut);
  }
  return counts;
}

test('nobody looks at more because more Runs have ended and are kept', async (t) => {
  const [few, many] = [await lookedAt(1000), await lookedAt(20_000)];
  t.deepEqual(many, few);
  for (const name of ['run', 'ledger', 'agent', 'tenant']) t.true((few.get(name) ?? 0) > 0, name);
});

function others(counts: ReadonlyMap<string, number>) {
  return [...counts].filter(([name]) => name !== 'run-history');
}

test('but who is to remove those that are too many, which it does every five seconds at most', async (t) => {
  const limited = { runHistory: { limit: 100_000 } } as const;
  const [few, many] = [await lookedAt(1000, limited), await lookedAt(2000, limited)];
  t.is((many.get('run-history') ?? 0) - (few.get('run-history') ?? 0), 1000);
  t.deepEqual(others(many), others(few));
});
