// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import type { PolicyInventory } from '#crds/v1alpha1/policy-inventory';
import type { KubeObject, Resource } from '#operator/core/object';
import { eventually } from '#hack/tools/eventually';
import { askPack } from '#operator/policy/packs/ask';
import type { LoadedRevision } from '#operator/policy/packs/load';
import type { PolicyData } from '#operator/policy/evaluate-here';
import { createLog } from '#operator/telemetry/log';
import { Inventories, type RevisionModules } from './inventories.ts';
import type { KindWatch } from './kind-watches.ts';
import type { WantedRevision } from './modules.ts';

const SERVICES: Resource = { apiVersion: 'v1', kind: 'Service', plural: 'services', namespaced: true };
const MODULE = { digest: 'sha256:module' } as LoadedRevision['module'];

/** A watch that the test speaks for. */
class Played implements KindWatch {
  isSynced = false;
  toldAtMs = performance.now();
  objects: readonly KubeObject[] = [];
  isClosed = false;
  readonly onChange: () => void;

  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  get size(): number {
    return this.objects.length;
  }

  list(): readonly KubeObject[] {
    return this.objects;
  }

  close(): void {
    this.isClosed = true;
  }

  tells(...names: readonly string[]): void {
    this.objects = names.map((one) => service(one));
    this.isSynced = true;
    this.toldAtMs = performance.now();
    this.onChange();
  }
}

function service(place: string): KubeObject {
  const [namespace = '', name = ''] = place.split('/');
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name } };
}

function revision(key: string, inventory: PolicyInventory | undefined, tenant?: string): WantedRevision {
  const [namespace = '', name = ''] = key.split('/');
  const spec = { inventory, entrypoints: [], evaluation: { memoryMiB: 16 } };
  return { object: { apiVersion: 'x/v1', kind: 'X', metadata: { namespace, name, uid: key }, spec }, tenant };
}

const LOOKING: PolicyInventory = { kinds: [{ apiVersion: 'v1', kind: 'Service' }], maxAgeSeconds: 120 };

function open(
  t: ExecutionContext,
  refuses: (data: PolicyData | undefined) => string | undefined = () => undefined,
  handedOver: (digest: string) => Promise<void> = () => Promise.resolve(),
) {
  const watches: Played[] = [];
  const prepared: string[] = [];
  const base = new Map<string, LoadedRevision>();
  const told: { onChange?: () => void } = {};
  const modules: RevisionModules = {
    want: () => undefined,
    loaded: (key) => base.get(key),
    get prepared() {
      return [...base.keys()];
    },
    faults: [],
    quarantined: [],
    isSettled: true,
    close: () => undefined,
  };
  const namespaces = { acme: new Set(['acme-dev']) };
  const inventories = new Inventories({
    modules,
    host: {
      prepare: async ({ module, data }) => {
        await handedOver(module.digest);
        prepared.push(new TextDecoder().decode(data?.bytes));
        const why = refuses(data);
        return why === undefined
          ? { kind: 'ready' }
          : { kind: 'refused', reason: 'OutOfMemory', message: why };
      },
      releaseData: () => undefined,
    },
    open: (_, changed) => {
      const watch = new Played(changed);
      watches.push(watch);
      return watch;
    },
    kinds: [SERVICES],
    namespacesOf: (tenant) => namespaces[tenant as 'acme'],
    onChange: () => told.onChange?.(),
    log: createLog({ level: 'fatal' }),
  });
  // Rests between two documents keep no process from ending, nor this one from doing so.
  const awake = setInterval(() => undefined, 1000);
  t.teardown(() => {
    clearInterval(awake);
    inventories.close();
  });
  const changed = () => new Promise<void>((resolve) => (told.onChange = resolve));
  return { inventories, base, watches, prepared, namespaces, changed };
}

function textOf(loaded: LoadedRevision | undefined): string {
  return loaded?.data === undefined ? 'none' : new TextDecoder().decode(loaded.data.bytes);
}

test('a revision is ready when what it looks at was read and handed over, and never before', async (t) => {
  const { inventories, base, watches, changed } = open(t);
  const wanted = new Map([
    ['p/a-1', revision('p/a-1', LOOKING)],
    ['p/b-1', revision('p/b-1', undefined)],
  ]);
  inventories.want(wanted);
  base.set('p/a-1', { module: MODULE }).set('p/b-1', { module: MODULE });
  inventories.want(wanted);
  t.deepEqual(inventories.prepared, ['p/b-1'], 'one that looks at nothing does not wait');
  t.false(inventories.isSettled);
  const handed = changed();
  watches[0]?.tells('a/web');
  await handed;
  t.deepEqual(inventories.prepared, ['p/a-1', 'p/b-1']);
  t.true(inventories.isSettled);
  t.regex(textOf(inventories.loaded('p/a-1')), /"inventory":\{"namespace":\{"a":\{"v1":\{"Service":\{"web"/);
  t.is(watches.length, 1);
});

test('a change comes to another document; what makes no difference does not', async (t) => {
  const { inventories, base, watches, prepared, changed } = open(t);
  base.set('p/a-1', { module: MODULE });
  inventories.want(new Map([['p/a-1', revision('p/a-1', LOOKING)]]));
  let next = changed();
  watches[0]?.tells('a/web');
  await next;
  watches[0]?.tells('a/web');
  next = changed();
  setTimeout(() => watches[0]?.tells('a/web', 'a/api'), 200);
  await next;
  t.is(prepared.length, 2);
  t.regex(textOf(inventories.loaded('p/a-1')), /"api".*"web"/);
});

test('the watch of a kind ends with the last revision that looks at it, and is one for all', (t) => {
  const { inventories, watches } = open(t);
  const both = new Map([
    ['p/a-1', revision('p/a-1', LOOKING)],
    ['p/a-2', revision('p/a-2', LOOKING)],
  ]);
  inventories.want(both);
  t.is(watches.length, 1);
  both.delete('p/a-1');
  inventories.want(both);
  t.false(watches[0]?.isClosed);
  inventories.want(new Map());
  t.true(watches[0]?.isClosed);
});

test('the pack of a tenant sees a namespace when it is its own', async (t) => {
  const { inventories, base, watches, namespaces, changed } = open(t);
  base.set('acme-dev/a-1', { module: MODULE });
  const wanted = new Map([['acme-dev/a-1', revision('acme-dev/a-1', LOOKING, 'acme')]]);
  inventories.want(wanted);
  let next = changed();
  watches[0]?.tells('acme-dev/web', 'other/web', 'acme-new/web');
  await next;
  t.notRegex(textOf(inventories.loaded('acme-dev/a-1')), /other|acme-new/);
  namespaces.acme = new Set(['acme-dev', 'acme-new']);
  next = changed();
  inventories.want(wanted);
  await next;
  t.regex(textOf(inventories.loaded('acme-dev/a-1')), /acme-dev.*acme-new/);
  t.notRegex(textOf(inventories.loaded('acme-dev/a-1')), /other/);
});

test('a namespace that has changed hands: what the packs in it see is made anew, of what its tenant has', async (t) => {
  const { inventories, base, watches, namespaces, changed } = open(t);
  Object.assign(namespaces, { umbrella: new Set(['umbrella-dev']) });
  base.set('acme-dev/a-1', { module: MODULE });
  inventories.want(new Map([['acme-dev/a-1', revision('acme-dev/a-1', LOOKING, 'acme')]]));
  let next = changed();
  watches[0]?.tells('acme-dev/web', 'umbrella-dev/secret');
  await next;
  const before = inventories.loaded('acme-dev/a-1');
  t.regex(textOf(before), /acme-dev/);
  next = changed();
  inventories.want(new Map([['acme-dev/a-1', revision('acme-dev/a-1', LOOKING, 'umbrella')]]));
  t.is(inventories.loaded('acme-dev/a-1'), undefined, 'what another tenant had is not judged by');
  t.false(inventories.isSettled);
  await next;
  t.regex(textOf(inventories.loaded('acme-dev/a-1')), /umbrella-dev/);
  t.notRegex(textOf(inventories.loaded('acme-dev/a-1')), /acme-dev/);
});

test('a pack of the platform whose document takes long to hand over does not keep the others waiting', async (t) => {
  const handed = Promise.withResolvers<void>();
  const { inventories, base, watches } = open(
    t,
    () => undefined,
    (digest) => (digest === 'sha256:slow' ? handed.promise : Promise.resolve()),
  );
  const slow = { digest: 'sha256:slow' } as LoadedRevision['module'];
  base.set('p/a-1', { module: slow }).set('p/b-1', { module: MODULE }).set('p/c-1', { module: MODULE });
  inventories.want(new Map([...base.keys()].map((key) => [key, revision(key, LOOKING)])));
  watches[0]?.tells('a/web');
  await eventually('the others have theirs', () => inventories.prepared.length === 2);
  t.deepEqual(inventories.prepared, ['p/b-1', 'p/c-1']);
  handed.resolve();
  await eventually('it has its own', () => inventories.prepared.length === 3);
});

test('what is older than the pack allows is an evaluation that failed, and the module is not asked', async (t) => {
  const { inventories, base, watches, changed } = open(t);
  base.set('p/a-1', { module: MODULE });
  inventories.want(new Map([['p/a-1', revision('p/a-1', LOOKING)]]));
  const next = changed();
  watches[0]?.tells('a/web');
  await next;
  const loaded = inventories.loaded('p/a-1');
  t.is(loaded?.trouble?.(), undefined);
  const toldAtMs = performance.now() - 121_000;
  watches[0]!.toldAtMs = toldAtMs;
  const { result } = await askPack(() => Promise.reject(new Error('asked')), {
    revision: { entrypoints: [{ path: 'x', role: 'decision' }], deadlineMs: 10 } as never,
    loaded,
    input: new Uint8Array(),
    nowNs: 0n,
    leftMs: () => 1000,
    tenant: undefined,
  });
  t.like(result, { kind: 'failed', reason: 'InventoryStale' });
  const message = result.kind === 'failed' ? result.message : '';
  const [, seconds] = /as of (\d+) s ago; at most 120 s are allowed/.exec(message) ?? [];
  const mostSeconds = Math.round((performance.now() - toldAtMs) / 1000);
  t.true(Number(seconds) >= 121 && Number(seconds) <= mostSeconds, message);
});

test('a kind that is not kept, and what does not fit into the memory, are told', async (t) => {
  const { inventories, base, watches, changed } = open(t, () => 'memory');
  base.set('p/a-1', { module: MODULE });
  const secret = { ...LOOKING, kinds: [{ apiVersion: 'v1', kind: 'Secret' }] };
  inventories.want(
    new Map([
      ['p/a-1', revision('p/a-1', LOOKING)],
      ['p/s-1', revision('p/s-1', secret)],
    ]),
  );
  const next = changed();
  watches[0]?.tells('a/web');
  await next;
  t.deepEqual(inventories.prepared, []);
  t.deepEqual(
    inventories.faults.map(({ revision: key, reason }) => `${key} ${reason}`),
    ['p/a-1 InventoryNotLoaded', 'p/s-1 InventoryNotAllowed'],
  );
  t.is(watches.length, 1, 'nothing is watched that may not be');
});
