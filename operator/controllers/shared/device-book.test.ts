// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { API_VERSION, LABELS } from '#crds/v1alpha1/names';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import { type DeviceRequest, SHARE_MS } from '../../core/capacity/device-queue.ts';
import { ANY_GPU, makeHolder, makeNode } from '../../core/capacity/testing/make.ts';
import type { KubeObject, Resource } from '../../core/object.ts';
import { makeClass, makeRun, NOW } from '../../core/run/testing/make.ts';
import type { Ledger } from '../../core/tenant/tenant.ts';
import type { Reader } from '../../runtime/controller.ts';
import { DeviceBook } from './device-book.ts';
import { GPU_CLASSES, NODES, QUOTA_LEDGERS, RUNS, TENANTS } from '../../core/resources.ts';
import { PODS } from './workloads.ts';

/** What the watches have told, by kind. */
type Seen = Record<string, readonly KubeObject[]>;

function unasked(): Promise<never> {
  return Promise.reject(new Error('nothing is asked of the API server'));
}

function readerOf(seen: Seen): Reader {
  const list = ({ kind }: Resource) => seen[kind] ?? [];
  return {
    list,
    get: (resource, { namespace, name }) =>
      list(resource).find(({ metadata: one }) => one.name === name && one.namespace === namespace),
    live: unasked,
    listLive: unasked,
    anyLive: unasked,
  };
}

function makeLedger(name: string, resourceVersion: string, reservations: Reservation[] = []): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: QUOTA_LEDGERS.kind,
    metadata: { name, resourceVersion },
    spec: { tenantUID: name, suspended: false },
    status: { reservations },
  };
}

/** What the Run of a tenant asks for: both devices of the node, unless told otherwise. */
function requestOf(tenant: string, count = 2): DeviceRequest {
  return { uid: `${tenant}-uid`, namespace: `${tenant}-x`, name: 'r', class: 'gpu', count };
}

function reservationFor({ uid, namespace, name, count }: DeviceRequest): Reservation {
  return { uid, namespace, name, agent: 'agent', attempt: 1, gpuClass: 'gpu', gpus: count };
}

function runOf(
  { uid, namespace, name }: DeviceRequest,
  spec: Parameters<typeof makeRun>[0] = {},
): KubeObject {
  return { ...makeRun(spec), metadata: { name, namespace, uid } };
}

/** Two tenants, one Run each, and a node with two devices. */
function makeWorld(planWeights: ReadonlyMap<string, number> = new Map()) {
  const book = new DeviceBook(planWeights);
  const seen: Seen = {
    [NODES.kind]: [makeNode('a', { gpus: 2 })],
    [GPU_CLASSES.kind]: [ANY_GPU],
    [QUOTA_LEDGERS.kind]: [makeLedger('north', '1'), makeLedger('south', '1')],
    [RUNS.kind]: ['north', 'south'].map((one) => runOf(requestOf(one))),
  };
  const read = readerOf(seen);
  const ledgerOf = (name: string) => read.get(QUOTA_LEDGERS, { name }) as Ledger;
  /** A pass over the ledger of a tenant: whether its Run gets its devices. */
  const pass = (tenant: string, request = requestOf(tenant), now = NOW): boolean => {
    const held = ledgerOf(tenant).status?.reservations ?? [];
    const desk = book.desk(ledgerOf(tenant), { read, held, now });
    const isServed = desk.obstacleTo(request) === undefined;
    if (isServed) desk.take(request);
    book.settle(ledgerOf(tenant), desk, now);
    return isServed;
  };
  /** A watch tells of a change. */
  const change = (resource: Resource, objects: readonly KubeObject[]): readonly string[] => {
    seen[resource.kind] = objects;
    const watches = book.watches((reader) => book.ready(reader));
    const keys = watches
      .filter((watch) => watch.resource.kind === resource.kind)
      .flatMap((watch) => objects.flatMap((one) => watch.keys(one, read)));
    return [...new Set(keys.map(({ name }) => name))];
  };
  return { book, read, pass, change };
}

test('two tenants are not admitted to the same device, though nothing of it is written yet', (t) => {
  const { pass } = makeWorld();
  t.true(pass('north'));
  t.false(pass('south'));
});

test('what was decided counts until its ledger has another version, and then what is in that', (t) => {
  const { pass, change } = makeWorld();
  t.true(pass('north'));
  change(QUOTA_LEDGERS, [
    makeLedger('north', '2', [reservationFor(requestOf('north'))]),
    makeLedger('south', '1'),
  ]);
  t.false(pass('south'), 'it was written');
  change(QUOTA_LEDGERS, [makeLedger('north', '3'), makeLedger('south', '1')]);
  t.true(pass('south'), 'it was given back, or was never written');
});

test('a reservation counts until its pod is on a node, and then the pod does', (t) => {
  const { pass, change, book, read } = makeWorld();
  const request = requestOf('north');
  change(QUOTA_LEDGERS, [makeLedger('north', '2', [reservationFor(request)]), makeLedger('south', '1')]);
  t.deepEqual(book.nodesFor(request.uid, read), ['a']);
  t.false(pass('south'));
  change(PODS, [makeHolder('a', 2, request.uid)]);
  t.deepEqual(book.nodesFor(request.uid, read), []);
  t.false(pass('south'));
});

test("devices that a Run takes over from another of its tenant are nobody else's in between", (t) => {
  const { pass, change, book, read } = makeWorld();
  const [low, high] = ['low', 'high'].map((uid) => ({ ...requestOf('north'), uid }));
  const ending = { ...reservationFor(low!), serial: 1 };
  const taking = { ...reservationFor(high!), serial: 2, awaits: [1] };
  const south = makeLedger('south', '1');
  change(PODS, [makeHolder('a', 2, 'low')]);
  change(QUOTA_LEDGERS, [makeLedger('north', '2', [ending, taking]), south]);
  t.false(pass('south'), 'the first has them');
  change(PODS, [{ ...makeHolder('a', 2, 'low'), status: { phase: 'Succeeded' } }]);
  t.false(pass('south'), 'its pod has ended, and it has not given back');
  t.deepEqual(book.nodesFor('high', read), []);
  change(QUOTA_LEDGERS, [makeLedger('north', '3', [{ ...taking, awaits: [] }]), south]);
  t.false(pass('south'), 'they are of the second, whose quota is still counted elsewhere');
  t.deepEqual(book.nodesFor('high', read), ['a']);
});

test('of those who wait, the one is woken whose turn it is, and nobody gets ahead of it', (t) => {
  const { pass, change, book, read } = makeWorld();
  change(PODS, [makeHolder('a', 2)]);
  t.false(pass('north'));
  t.false(pass('south', requestOf('south'), new Date(NOW.getTime() + 1)));
  t.false(
    pass('north', requestOf('north'), new Date(NOW.getTime() + 2)),
    'its place is that of its first try',
  );
  t.deepEqual(change(PODS, [{ ...makeHolder('a', 2), status: { phase: 'Succeeded' } }]), ['north']);
  t.false(pass('south'));
  t.true(pass('north'));
  t.deepEqual(book.ready(read), [], 'nothing is left');
});

/** Who is woken when two devices are free: `north`, which holds some already, or `south`, which came that much later. */
function firstOfRivals(plan: string, heldByNorth: number, laterMs: number): readonly string[] {
  const world = makeWorld(new Map([['gold', 4]]));
  const held = reservationFor({ ...requestOf('north', heldByNorth), uid: 'held-uid' });
  world.change(NODES, [makeNode('a', { gpus: 2 }), makeNode('b')]);
  world.change(TENANTS, [
    { apiVersion: API_VERSION, kind: TENANTS.kind, metadata: { name: 'north' }, spec: { plan } },
  ]);
  world.change(QUOTA_LEDGERS, [makeLedger('north', '2', [held]), makeLedger('south', '1')]);
  world.change(PODS, [
    makeHolder('a', 2),
    makeHolder('b', heldByNorth, 'held-uid'),
    makeHolder('b', 8 - heldByNorth),
  ]);
  world.pass('north');
  world.pass('south', requestOf('south'), new Date(NOW.getTime() + laterMs));
  const others = [makeHolder('b', heldByNorth, 'held-uid'), makeHolder('b', 8 - heldByNorth)];
  return world.change(PODS, [{ ...makeHolder('a', 2), status: { phase: 'Succeeded' } }, ...others]);
}

test('who holds less goes first, unless it came later than that is worth', (t) => {
  t.deepEqual(firstOfRivals('standard', 1, SHARE_MS - 1), ['south']);
  t.deepEqual(firstOfRivals('standard', 1, SHARE_MS + 1), ['north']);
});

test('what a tenant holds counts by the weight of its plan', (t) => {
  t.deepEqual(firstOfRivals('gold', 1, SHARE_MS / 4 - 1), ['south']);
  t.deepEqual(firstOfRivals('gold', 1, SHARE_MS / 4 + 1), ['north']);
  t.deepEqual(firstOfRivals('gold', 6, SHARE_MS), ['south']);
});

test('who was cancelled, or is gone, is nobody to wait for', (t) => {
  const { pass, change, book, read } = makeWorld();
  change(PODS, [makeHolder('a', 2)]);
  t.false(pass('north'));
  t.false(pass('south', requestOf('south'), new Date(NOW.getTime() + 1)));
  t.true(book.isWaiter('north-uid'));
  change(PODS, [{ ...makeHolder('a', 2), status: { phase: 'Succeeded' } }]);
  change(RUNS, [runOf(requestOf('north'), { cancel: true }), runOf(requestOf('south'))]);
  t.deepEqual(book.ready(read), [{ name: 'south' }]);
  t.true(pass('south'));
});

/** The pod of that index of a gang, on node `a` with one device. */
function memberOn(request: DeviceRequest, index: number, phase = 'Running'): KubeObject {
  const pod = makeHolder('a', 1, request.uid);
  const labels = { ...pod.metadata.labels, [LABELS.attempt]: '1', [LABELS.gpuClass]: 'gpu' };
  return { ...pod, metadata: { ...pod.metadata, name: `gang-${index}`, labels }, status: { phase } };
}

test('of a gang those pods count as without devices that have none yet; one that has ended comes back for none', (t) => {
  const { pass, change, book, read } = makeWorld();
  const request = { ...requestOf('north', 1), pods: 3 };
  const reservation = { ...reservationFor(request), gpus: 3, pods: 3 };
  change(NODES, [makeNode('a', { gpus: 4 })]);
  change(QUOTA_LEDGERS, [makeLedger('north', '2', [reservation]), makeLedger('south', '1')]);
  t.deepEqual(book.nodesFor(request.uid, read), ['a', 'a', 'a']);
  t.false(pass('south'));
  change(PODS, [memberOn(request, 0)]);
  t.deepEqual(book.nodesFor(request.uid, read), ['a', 'a'], 'two are still to come');
  t.false(pass('south'), 'one device of four is free');
  change(PODS, [memberOn(request, 0, 'Succeeded'), memberOn(request, 1), memberOn(request, 2)]);
  t.deepEqual(book.nodesFor(request.uid, read), []);
  t.true(pass('south'), 'what the one that has ended had is free');
});

test('a gang that was decided on a moment ago counts with all its pods', (t) => {
  const { pass, change } = makeWorld();
  change(NODES, [makeNode('a', { gpus: 4 })]);
  t.true(pass('north', { ...requestOf('north', 1), pods: 3 }));
  t.false(pass('south'));
  t.true(pass('south', requestOf('south', 1)));
});

const ON_DEMAND = makeClass('gpu', { provisioning: 'OnDemand' });
const UNKNOWN = makeClass('gpu', { deviceClassName: 'gpu.example.com' });

test('devices are short where no node has so many, and only where Runs wait for them', (t) => {
  const { change, book, read } = makeWorld();
  const isShort = (count: number) => book.isShort('north', { class: 'gpu', count }, read);
  t.deepEqual([isShort(2), isShort(3)], [false, true]);
  change(PODS, [makeHolder('a', 1)]);
  t.deepEqual([isShort(1), isShort(2)], [false, true]);
  for (const one of [ON_DEMAND, UNKNOWN]) {
    change(GPU_CLASSES, [one]);
    t.is(isShort(2), undefined);
  }
});

/** A node as it reports itself. */
function report(one: KubeObject, resourceVersion: string): readonly KubeObject[] {
  return [{ ...one, metadata: { ...one.metadata, resourceVersion } }];
}

test('a node that reports itself wakes nobody, unless it says something new of its devices', (t) => {
  const { pass, change } = makeWorld();
  const node = makeNode('a', { gpus: 2 });
  const cordoned = makeNode('a', { gpus: 2, cordoned: true });
  change(NODES, report(cordoned, '1'));
  t.false(pass('north'));
  t.deepEqual(change(NODES, report(cordoned, '2')), []);
  t.deepEqual(change(NODES, report(node, '3')), ['north']);
  t.deepEqual(change(NODES, report(node, '4')), []);
  t.true(pass('north'));
});
