// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { eventually } from '#hack/tools/eventually';
import type { KubeObject, Resource } from '#operator/core/object';
import { createLog } from '#operator/telemetry/log';
import { type ReplicaReportOptions, ReplicaReport } from './replica-report.ts';

type Status = NonNullable<ReturnType<ReplicaReportOptions['status']>>;

/** An API server that takes note of what is written, and can be away. */
function recorder() {
  const writes: { verb: string; kind: string; body?: unknown }[] = [];
  const state = { isAway: false, uid: '1' };
  const note = (verb: string, resource: Resource, body?: unknown): Promise<KubeObject> => {
    if (state.isAway) return Promise.reject(new Error('away'));
    writes.push({ verb, kind: resource.kind, body });
    return Promise.resolve({
      apiVersion: 'v1',
      kind: resource.kind,
      metadata: { name: 'x', uid: state.uid },
    });
  };
  const client: ReplicaReportOptions['client'] = {
    apply: (resource, object) => note('apply', resource, object),
    patch: (resource, _key, patch) => note('patch', resource, patch.body),
    delete: (resource) => note('delete', resource),
  };
  return { client, writes, state, statuses: () => writes.filter(({ verb }) => verb === 'patch') };
}

const STATUS: Status = {
  snapshotDigest: `sha256:${'0'.repeat(64)}`,
  prepared: ['a/b-1'],
  enforcing: ['a/b-1'],
  comparisons: [],
};
const compared = (newlyDenied: number): Status => ({
  ...STATUS,
  comparisons: [{ pack: 'a/b', revision: 'b-2', newlyDenied }],
});

function start(t: ExecutionContext, options: Partial<ReplicaReportOptions> = {}) {
  const recorded = recorder();
  const told: { status: Status | undefined } = { status: STATUS };
  const report = new ReplicaReport({
    client: recorded.client,
    namespace: 'platform',
    name: 'hooks-1',
    podUid: undefined,
    version: undefined,
    status: () => told.status,
    log: createLog({ level: 'silent' }),
    timing: {
      lookMs: 5,
      urgentMs: 20,
      imagesMs: 50,
      figuresMs: 400,
      renewMs: 50,
      leaseMs: 2000,
      retryMs: 30,
    },
    ...options,
  });
  t.teardown(() => report.close());
  report.start();
  return { ...recorded, report, told };
}

const passes = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('what is decided by is told once, and again only when it is something else', async (t) => {
  const { statuses, report, told, writes } = start(t);
  await eventually('it is told', () => Promise.resolve(statuses().length === 1));
  for (let i = 0; i < 10; i += 1) report.changed();
  await passes(200);
  t.is(statuses().length, 1);
  told.status = { ...STATUS, enforcing: [] };
  report.changed();
  await eventually('the change is told', () => Promise.resolve(statuses().length === 2));
  t.is(writes.filter(({ verb, kind }) => verb === 'apply' && kind === 'PolicyReplica').length, 1);
  const renewals = () => writes.filter(({ kind }) => kind === 'Lease').length;
  await eventually('and all the while that it is alive', () => renewals() > 2);
});

test('what is said a thousand times is looked at once', async (t) => {
  let looks = 0;
  const status = (): Status => {
    looks += 1;
    return STATUS;
  };
  const timing = { lookMs: 600_000, urgentMs: 20, imagesMs: 50, figuresMs: 400, renewMs: 600_000 };
  const { statuses, report } = start(t, { status, timing });
  await eventually('it is told', () => Promise.resolve(statuses().length === 1));
  const before = looks;
  for (let i = 0; i < 1000; i += 1) report.changed();
  await passes(50);
  t.is(looks, before, 'not before it is time to look again');
});

test('figures wait for their turn, a rollback does not', async (t) => {
  const timing = {
    lookMs: 5,
    urgentMs: 20,
    imagesMs: 600_000,
    figuresMs: 600_000,
    renewMs: 50,
    leaseMs: 2000,
    retryMs: 30,
  };
  const { statuses, report, told } = start(t, { timing });
  await eventually('it is told', () => Promise.resolve(statuses().length === 1));
  for (let i = 1; i <= 10; i += 1) {
    told.status = compared(i);
    report.changed();
    await passes(10);
  }
  t.is(statuses().length, 1);
  told.status = { ...compared(11), enforcing: ['a/b-0'] };
  report.changed();
  await passes(0);
  report.changed();
  await eventually('it is told, and figures with it', () => Promise.resolve(statuses().length >= 2));
  const last = statuses().at(-1)?.body as { status: Status };
  t.is(last.status.comparisons?.[0]?.newlyDenied, 11);
});

const asked = (count: number): Status => ({
  ...STATUS,
  images: [{ namespace: 'a', image: `registry.example/a:${count}` }],
});

test('images that tenants make up are told at their own pace, before figures and after a rollback', async (t) => {
  const timing = { lookMs: 5, urgentMs: 20, imagesMs: 600_000, figuresMs: 1_200_000 };
  const { statuses, report, told } = start(t, { timing });
  await eventually('it is told', () => Promise.resolve(statuses().length === 1));
  for (let i = 1; i <= 10; i += 1) {
    told.status = asked(i);
    report.changed();
    await passes(10);
  }
  t.is(statuses().length, 1);
  told.status = { ...asked(11), enforcing: ['a/b-0'] };
  report.changed();
  await eventually('it is told with what is urgent', () => Promise.resolve(statuses().length === 2));
  const last = statuses().at(-1)?.body as { status: Status };
  t.is(last.status.images?.[0]?.image, 'registry.example/a:11');
});

test('images do not wait for the turn of figures', async (t) => {
  const timing = { lookMs: 5, urgentMs: 20, imagesMs: 30, figuresMs: 600_000 };
  const { statuses, report, told } = start(t, { timing });
  await eventually('it is told', () => Promise.resolve(statuses().length === 1));
  told.status = asked(1);
  report.changed();
  await eventually('they are told', () => Promise.resolve(statuses().length === 2));
  const last = statuses().at(-1)?.body as { status: Status };
  t.deepEqual(last.status.images, asked(1).images);
});

test('when the API server is away it is told when that is back', async (t) => {
  const { statuses, report, told, state } = start(t);
  await eventually('it is told', () => Promise.resolve(statuses().length === 1));
  state.isAway = true;
  told.status = { ...STATUS, enforcing: [] };
  report.changed();
  await passes(150);
  t.is(statuses().length, 1);
  state.isAway = false;
  await eventually('it is told in the end', () => Promise.resolve(statuses().length === 2));
});

test('what a pod has told goes with it, and who ends in order takes it back', async (t) => {
  const { writes, report, statuses } = start(t, { podUid: 'p-1', version: '1.2.3' });
  await eventually('it is told', () => Promise.resolve(statuses().length === 1));
  const applied = writes.find(({ kind }) => kind === 'PolicyReplica')?.body as KubeObject;
  t.deepEqual(applied['spec'], { podUID: 'p-1', version: '1.2.3' });
  t.deepEqual(applied.metadata.ownerReferences, [
    { apiVersion: 'v1', kind: 'Pod', name: 'hooks-1', uid: 'p-1' },
  ]);
  await report.close();
  t.deepEqual(
    writes.filter(({ verb }) => verb === 'delete').map(({ kind }) => kind),
    ['Lease', 'PolicyReplica'],
  );
  const count = writes.length;
  await passes(200);
  t.is(writes.length, count, 'and writes nothing after');
});

test('who was taken for dead, and is not, tells all of it again', async (t) => {
  const { statuses, writes, state } = start(t);
  await eventually('it is told', () => Promise.resolve(statuses().length === 1));
  await passes(150);
  t.is(statuses().length, 1);
  state.uid = '2';
  await eventually('it is told again', () => Promise.resolve(statuses().length === 2));
  t.is(writes.filter(({ verb, kind }) => verb === 'apply' && kind === 'PolicyReplica').length, 2);
  await passes(150);
  t.is(statuses().length, 2);
});

test('who is no pod has its Lease go with what it tells', async (t) => {
  const { writes } = start(t);
  const owned = await eventually('the Lease has an owner', async () => {
    const leases = writes.filter(({ kind }) => kind === 'Lease').map(({ body }) => body as KubeObject);
    return leases.at(-1)?.metadata.ownerReferences;
  });
  t.deepEqual(owned, [
    { apiVersion: 'nexusos.dev/v1alpha1', kind: 'PolicyReplica', name: 'hooks-1', uid: '1' },
  ]);
});
