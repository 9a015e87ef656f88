// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { attachSystem } from '#hack/system/attach';
import { eventually } from '#hack/tools/eventually';
import { type ApiUser, apiUser } from '../api-user.ts';
import { agent, FOREVER, letsSucceed, phase, run, waits, type World, world } from '../run-world.ts';

/** Longer than a revision is kept after another took its place, and than anything else takes. */
const AFTER_CALM_MS = 240_000;

interface Active {
  readonly name: string;
  readonly number: number;
  readonly since: string;
}

interface Revision {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly revision: number; readonly template: { readonly container: object } };
}

/** The Agent `worker` with the image of that number. */
function version(namespace: string, number: number, spec: object = {}) {
  const resources = { requests: { cpu: '100m', memory: '64Mi' } };
  return agent(namespace, { container: { image: `registry.example/worker:${number}`, resources }, ...spec });
}

/** The revision that is active, once the Agent is Ready as it is. */
function active({ user, namespace }: World): Promise<Active> {
  return eventually('the Agent is Ready, and has a revision', async () => {
    const ready = await user.condition('Ready', '-n', namespace, 'agent/worker');
    if (ready?.status !== 'True') return undefined;
    type Seen = { readonly status: { readonly activeRevision: Active } };
    return (await user.sees<Seen>('-n', namespace, 'agent/worker'))?.status.activeRevision;
  });
}

async function changeTo(place: World, number: number, spec: object = {}): Promise<Active> {
  await place.user.applies(version(place.namespace, number, spec));
  return active(place);
}

async function numbers({ user, namespace }: World): Promise<readonly number[]> {
  const list = await user.sees<{ readonly items: readonly Revision[] }>('-n', namespace, 'agentrevisions');
  return (list?.items ?? []).map(({ spec }) => spec.revision).toSorted((a, b) => a - b);
}

/** Images of the pods of a Run, in the order of its attempts. */
async function images({ user, namespace }: World, name: string): Promise<readonly string[]> {
  const text = await user.does([
    'get',
    'pods',
    '-n',
    namespace,
    '-l',
    `nexusos.dev/run=${name}`,
    '--sort-by=.metadata.creationTimestamp',
    '-o',
    'jsonpath={range .items[*]}{.spec.containers[0].image}{"\\n"}{end}',
  ]);
  return text.trim().split('\n');
}

function has(place: World, name: string, wanted: string): Promise<boolean> {
  return eventually(`${name} is ${wanted}`, async () => (await phase(place, name)) === wanted);
}

async function revisionOf({ user, namespace }: World, name: string): Promise<number | undefined> {
  type Seen = { readonly status?: { readonly revision?: { readonly number: number } } };
  return (await user.sees<Seen>('-n', namespace, `run/${name}`))?.status?.revision?.number;
}

function patches({ user, namespace }: World, name: string, spec: object): Promise<string> {
  return user.does(['patch', 'run', name, '-n', namespace, '--type=merge', '-p', JSON.stringify({ spec })]);
}

test('every attempt of a Run is made from one revision, whatever becomes of the Agent', async (t) => {
  const place = await world(t, 'revised', { worker: version('', 1).spec });
  const { user, namespace } = place;
  await user.applies(
    run(namespace, 'long', FOREVER),
    run(namespace, 'flaky', {
      annotations: { 'kwok.nexusos.dev/outcome': 'exit-code', 'kwok.nexusos.dev/exit-code': '3' },
      spec: { retries: { limit: 10, backoffSeconds: 20, maxBackoffSeconds: 20 } },
    }),
  );
  await has(place, 'long', 'Running');
  await waits(place, 'flaky', 'RetryBackoff');
  t.like(await changeTo(place, 2), { number: 2 });
  await letsSucceed(place, 'flaky');
  await user.applies(run(namespace, 'fresh'));
  await patches(place, 'long', { suspend: true });
  await waits(place, 'long', 'Suspended');
  await patches(place, 'long', { suspend: false });
  await has(place, 'fresh', 'Succeeded');
  await has(place, 'flaky', 'Succeeded');
  await has(place, 'long', 'Running');
  t.deepEqual(await images(place, 'fresh'), ['registry.example/worker:2']);
  const retried = await images(place, 'flaky');
  t.true(retried.length >= 2);
  t.deepEqual([...new Set(retried)], ['registry.example/worker:1']);
  await eventually(
    'the pod that was ended when it was suspended is gone',
    async () => (await images(place, 'long')).length === 1,
  );
  t.deepEqual(await images(place, 'long'), ['registry.example/worker:1']);
  for (const name of ['flaky', 'long']) t.is(await revisionOf(place, name), 1, name);
  t.is(await revisionOf(place, 'fresh'), 2);
});

test('a Run names the revision that it wants, and waits for one that is not there', async (t) => {
  const place = await world(t, 'pinner', { worker: version('', 1).spec });
  const { user, namespace } = place;
  const first = await active(place);
  await changeTo(place, 2);
  await user.applies(run(namespace, 'old', { spec: { revision: first.name } }));
  await has(place, 'old', 'Succeeded');
  t.deepEqual(await images(place, 'old'), ['registry.example/worker:1']);

  await user.does(['delete', `agentrevision/${first.name}`, '-n', namespace]);
  await user.applies(run(namespace, 'early', { spec: { revision: first.name } }));
  t.regex(await waits(place, 'early', 'RevisionNotFound'), new RegExp(`spec\\.revision.*${first.name}`));
  // The same template has the same name, and another number.
  t.like(await changeTo(place, 1), { name: first.name, number: 3 });
  await has(place, 'early', 'Succeeded');
  t.deepEqual(await images(place, 'early'), ['registry.example/worker:1']);
});

test('old revisions go, but for those that are used; one that comes back is the same', async (t) => {
  const place = await world(t, 'historian', { worker: version('', 1, { revisionHistoryLimit: 1 }).spec });
  const { user, namespace } = place;
  const first = await active(place);
  await user.applies(run(namespace, 'keeper', FOREVER));
  await has(place, 'keeper', 'Running');
  for (const number of [2, 3, 4]) await changeTo(place, number, { revisionHistoryLimit: 1 });
  const left = async (wanted: readonly number[]) => String(await numbers(place)) === String(wanted);
  await eventually('what is neither used nor recent is gone', () => left([1, 3, 4]), AFTER_CALM_MS);
  t.like(await changeTo(place, 1, { revisionHistoryLimit: 1 }), { name: first.name, number: 1 });
  await patches(place, 'keeper', { cancel: true });
  await has(place, 'keeper', 'Cancelled');
  t.like(await changeTo(place, 5, { revisionHistoryLimit: 0 }), { number: 5 });
  await eventually('only the active one is left', () => left([5]), AFTER_CALM_MS);
  await user.does(['delete', 'agent/worker', '-n', namespace]);
  await eventually('the last one goes with the Agent', () => left([]));
});

interface Owned {
  readonly metadata: {
    readonly uid: string;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
}

function revisionNamed({ user, namespace }: World, name: string): Promise<Owned | undefined> {
  return user.sees<Owned>('-n', namespace, `agentrevision/${name}`);
}

/**
 * Deletes the Agent, of image 1, without its revision; returns the uid of that. Kinds that were installed just now are not all known to
 * the garbage collector at one time: then it takes the revision with the Agent, and it is all done again.
 */
function orphaned(place: World, name: string): Promise<string> {
  const { user, namespace } = place;
  return eventually('a revision is left that nobody owns', async () => {
    await user.does(['delete', 'agent/worker', '-n', namespace, '--cascade=orphan', '--ignore-not-found']);
    const left = await revisionNamed(place, name);
    if (left?.metadata.ownerReferences === undefined && left !== undefined) return left.metadata.uid;
    await changeTo(place, 1);
    return undefined;
  });
}

test('an Agent that is made anew takes over what one of its name left, and Runs of that go on', async (t) => {
  const place = await world(t, 'heritage', { worker: version('', 1).spec });
  const { user, namespace } = place;
  const { name } = await active(place);
  await user.applies(
    run(namespace, 'flaky', {
      annotations: { 'kwok.nexusos.dev/outcome': 'exit-code', 'kwok.nexusos.dev/exit-code': '3' },
      spec: { retries: { limit: 10, backoffSeconds: 5, maxBackoffSeconds: 5 } },
    }),
  );
  await waits(place, 'flaky', 'RetryBackoff');
  const uid = await orphaned(place, name);
  await letsSucceed(place, 'flaky');
  t.like(await changeTo(place, 1), { name, number: 1 });
  const adopted = await revisionNamed(place, name);
  const heir = await user.sees<Owned>('-n', namespace, 'agent/worker');
  t.is(adopted?.metadata.uid, uid);
  t.deepEqual(
    adopted?.metadata.ownerReferences?.map((one) => one.uid),
    [heir?.metadata.uid],
  );
  await has(place, 'flaky', 'Succeeded');
  t.deepEqual([...new Set(await images(place, 'flaky'))], ['registry.example/worker:1']);

  const second = await orphaned(place, name);
  t.like(await changeTo(place, 2), { number: 1 });
  // What was left has the number 1, too, which is given once.
  t.like(await changeTo(place, 1), { name, number: 2 });
  t.not((await revisionNamed(place, name))?.metadata.uid, second);
  await user.does(['delete', 'agent/worker', '-n', namespace]);
  await eventually('what it has goes with the Agent', async () => (await numbers(place)).length === 0);
});

/** Somebody who may write revisions by RBAC: in place of a tenant that has got hold of a role. */
async function writer(namespace: string): Promise<ApiUser> {
  const cluster = await attachSystem();
  const admin = await apiUser(cluster, { user: 'admin', groups: ['system:masters'] });
  const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name: 'revision-writer', namespace };
  const verbs = ['create', 'update', 'patch', 'delete', 'deletecollection'];
  await admin.send('POST', `${path}/roles`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata,
    rules: [{ apiGroups: ['nexusos.dev'], resources: ['agentrevisions'], verbs }],
  });
  const apiGroup = 'rbac.authorization.k8s.io';
  await admin.send('POST', `${path}/rolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup, kind: 'Role', name: 'revision-writer' },
    subjects: [{ apiGroup, kind: 'User', name: 'revision-writer' }],
  });
  await admin.close();
  return apiUser(cluster, { user: 'revision-writer' });
}

test('a tenant reads revisions, and neither makes, changes nor removes one', async (t) => {
  const place = await world(t, 'forger', { worker: version('', 1).spec });
  const { user, namespace } = place;
  const { name } = await active(place);
  const path = `/apis/nexusos.dev/v1alpha1/namespaces/${namespace}/agentrevisions`;
  const real = await user.sees<Revision>('-n', namespace, `agentrevision/${name}`);
  const forged = { ...real, metadata: { name: 'worker-000000000000', namespace } };
  const mark = { metadata: { labels: { mine: 'yes' } } };

  const owner = await apiUser(await attachSystem(), { user: 'forger-admin' });
  t.teardown(() => owner.close());
  await eventually(
    'the owner reads it',
    async () => (await owner.send('GET', `${path}/${name}`)).status === 200,
  );
  const thief = await writer(namespace);
  t.teardown(() => thief.close());
  await eventually('the role is known', async () => {
    return /nexusos-records/.test((await thief.send('POST', path, forged)).message);
  });
  for (const who of [owner, thief]) {
    t.is((await who.send('POST', path, forged)).status, 403);
    t.is((await who.send('PATCH', `${path}/${name}`, mark)).status, 403);
    t.is((await who.send('DELETE', `${path}/${name}`)).status, 403);
  }
  const other = { spec: { template: { container: { image: 'registry.example/worker:evil' } } } };
  const how = ['--type=merge', '-p', JSON.stringify(other)];
  const said = await user.tries(['patch', `agentrevision/${name}`, '-n', namespace, ...how]);
  t.regex(said.text, /an AgentRevision cannot be changed/);
});
