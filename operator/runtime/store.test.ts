// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { KubeObject, ObjectMeta } from '../core/object.ts';
import { type Change, Store, withoutBallast } from './store.ts';

function pod(name: string, version: number, metadata: Partial<ObjectMeta> = {}): KubeObject {
  const identity = { name, namespace: 'n', uid: `uid-${name}`, resourceVersion: String(version) };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...identity, ...metadata } };
}

/** `+a@1` is new, `~a@1>2` changed, `-a@1` gone. */
function told(changes: readonly Change[]): string[] {
  return changes.map(({ old, object }) => {
    const name = (object ?? old)?.metadata.name ?? '';
    const [before, after] = [old?.metadata.resourceVersion, object?.metadata.resourceVersion];
    if (before === undefined) return `+${name}@${after ?? ''}`;
    return after === undefined ? `-${name}@${before}` : `~${name}@${before}>${after}`;
  });
}

type Step = (store: Store) => readonly Change[];
const put =
  (one: KubeObject): Step =>
  (store) =>
    store.observe('put', one);
const gone =
  (one: KubeObject): Step =>
  (store) =>
    store.observe('delete', one);
const wrote =
  (one: KubeObject): Step =>
  (store) =>
    store.observeWrite(one);
const removed =
  (uid: string): Step =>
  (store) =>
    store.observeRemoval('n/a', uid);
/** The watch has told everything up to `version`. */
const upTo =
  (version: number): Step =>
  (store) => {
    store.advance(String(version));
    return [];
  };
const all =
  (version: number, ...objects: KubeObject[]): Step =>
  (store) =>
    store.replace(objects, String(version));

const STORIES: Record<string, readonly (readonly [Step, readonly string[]])[]> = {
  'new, changed, gone': [
    [put(pod('a', 1)), ['+a@1']],
    [put(pod('a', 2)), ['~a@1>2']],
    [gone(pod('a', 3)), ['-a@2']],
  ],
  'an event that comes twice is told once': [
    [put(pod('a', 1)), ['+a@1']],
    [put(pod('a', 1)), []],
  ],
  'an event that comes late changes nothing': [
    [put(pod('a', 5)), ['+a@5']],
    [put(pod('a', 4)), []],
    [gone(pod('a', 4)), []],
  ],
  'versions are numbers, not words': [
    [put(pod('a', 9)), ['+a@9']],
    [put(pod('a', 10)), ['~a@9>10']],
  ],
  'a namesake made anew is gone and new': [
    [put(pod('a', 1, { uid: 'first' })), ['+a@1']],
    [put(pod('a', 4, { uid: 'second' })), ['-a@1', '+a@4']],
  ],
  'what is not in a new list is gone, what is the same is not told': [
    [all(2, pod('a', 1), pod('b', 2)), ['+a@1', '+b@2']],
    [all(9, pod('b', 2), pod('c', 7)), ['+c@7', '-a@1']],
  ],
  'our own write goes in at once, and its event is not told again': [
    [wrote(pod('a', 5)), ['+a@5']],
    [put(pod('a', 5)), []],
    [put(pod('a', 6)), ['~a@5>6']],
  ],
  'the answer to a write that comes after its event changes nothing': [
    [put(pod('a', 5)), ['+a@5']],
    [gone(pod('a', 6)), ['-a@5']],
    [wrote(pod('a', 5)), []],
  ],
  'a list from before our write does not undo it': [
    [wrote(pod('a', 5)), ['+a@5']],
    [all(4), []],
    [all(6), ['-a@5']],
  ],
  'what we deleted does not come back with a late event': [
    [put(pod('a', 1)), ['+a@1']],
    [removed('uid-a'), ['-a@1']],
    [put(pod('a', 2)), []],
    [gone(pod('a', 3)), []],
    [put(pod('a', 4, { uid: 'second' })), ['+a@4']],
  ],
  'nor with the late answer to a write': [
    [put(pod('a', 1)), ['+a@1']],
    [removed('uid-a'), ['-a@1']],
    [wrote(pod('a', 2)), []],
    [gone(pod('a', 3)), []],
    [wrote(pod('a', 4, { uid: 'second' })), ['+a@4']],
  ],
  'deleting one does not touch its namesake': [
    [put(pod('a', 1, { uid: 'second' })), ['+a@1']],
    [removed('first'), []],
  ],
  'a cluster restored from a backup counts backwards, and is believed': [
    [all(100, pod('a', 90), pod('b', 95)), ['+a@90', '+b@95']],
    [all(50, pod('a', 40)), ['~a@90>40', '-b@95']],
    [put(pod('a', 51)), ['~a@40>51']],
  ],
  'and so is one that has written more since than was lost': [
    [all(4900, pod('a', 4000), pod('b', 4100)), ['+a@4000', '+b@4100']],
    [put(pod('a', 5000)), ['~a@4000>5000']],
    [upTo(5010), []],
    // Here the backup is restored.
    [wrote(pod('b', 5005)), []],
    [all(5050, pod('a', 4000), pod('b', 5005)), ['~a@5000>4000', '~b@4100>5005']],
    [put(pod('a', 5051)), ['~a@4000>5051']],
  ],
  'also of an object that was made anew in what was lost': [
    [all(5010, pod('a', 5000, { uid: 'second' })), ['+a@5000']],
    [all(5050, pod('a', 4000, { uid: 'first' })), ['-a@5000', '+a@4000']],
  ],
  'a list with an object from before our write does not undo the write': [
    [all(4900, pod('a', 4000)), ['+a@4000']],
    [wrote(pod('a', 5060)), ['~a@4000>5060']],
    [all(5050, pod('a', 4000)), []],
    [put(pod('a', 5060)), []],
  ],
};

for (const [sentence, steps] of Object.entries(STORIES)) {
  test(sentence, (t) => {
    const store = new Store();
    for (const [step, want] of steps) t.deepEqual(told(step(store)), want);
  });
}

test('indexes follow changes', (t) => {
  const store = new Store({ app: ({ metadata }) => Object.values(metadata.labels ?? {}) });
  store.observe('put', pod('a', 1, { labels: { app: 'web' } }));
  store.observe('put', pod('b', 2, { labels: { app: 'web', more: 'db' } }));
  t.deepEqual(
    store.find('app', 'web').map((one) => one.metadata.name),
    ['a', 'b'],
  );
  store.observe('put', pod('a', 3, { labels: { app: 'db' } }));
  t.deepEqual(
    store.find('app', 'web').map((one) => one.metadata.name),
    ['b'],
  );
  store.observe('delete', pod('b', 4));
  t.deepEqual(
    store.find('app', 'db').map((one) => one.metadata.name),
    ['a'],
  );
  t.deepEqual(store.find('app', 'web'), []);
  t.is(store.list('n').length, 1);
  t.is(store.list('other').length, 0);
});

test('objects are frozen through and through', (t) => {
  const store = new Store();
  store.observe('put', pod('a', 1));
  t.throws(() => Object.assign(store.get('n/a')?.metadata ?? {}, { name: 'b' }));
});

test('what bears no ballast is not copied', (t) => {
  const light = { ...pod('a', 1), metadata: { name: 'a', annotations: { kept: 'x' } } };
  t.is(withoutBallast(light), light);
});

test('ballast is left out', (t) => {
  const last = 'kubectl.kubernetes.io/last-applied-configuration';
  const heavy = {
    ...pod('a', 1),
    metadata: { name: 'a', managedFields: [{}], annotations: { [last]: '{}', kept: 'x' } },
  };
  t.deepEqual(withoutBallast(heavy).metadata, { name: 'a', annotations: { kept: 'x' } });
  const { annotations, ...alone } = heavy.metadata;
  t.deepEqual(withoutBallast({ ...heavy, metadata: alone }).metadata, { name: 'a' });
  const copied = { ...heavy, metadata: { name: 'a', annotations } };
  t.deepEqual(withoutBallast(copied).metadata, { name: 'a', annotations: { kept: 'x' } });
});

test('what was kept of an earlier time gives way to the next list, whatever the versions', (t) => {
  for (const version of ['3', '7', '50']) {
    const store = new Store();
    const kept = [made('same', '7', 'u1'), made('gone', '9', 'u2'), made('changed', '9', 'u3')];
    t.is(store.recall(kept).length, 3);
    t.is(store.list().length, 3);
    store.replace([made('same', '7', 'other'), made('changed', '2', 'u3'), made('new', '1', 'u4')], version);
    t.deepEqual(
      store
        .list()
        .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion} ${metadata.uid}`)
        .toSorted(),
      ['changed 2 u3', 'new 1 u4', 'same 7 other'],
    );
    // From then on as ever: what is older is not believed.
    store.observe('put', made('changed', '60', 'u3'));
    t.deepEqual(store.observe('put', made('changed', '59', 'u3')), []);
  }
});

test('what was kept takes the place of what was told before', (t) => {
  const store = new Store();
  store.replace([made('told', '5', 'u1')], '5');
  store.recall([made('kept', '3', 'u2')]);
  t.deepEqual(
    store.list().map(({ metadata }) => metadata.name),
    ['kept'],
  );
});

function made(name: string, resourceVersion: string, uid: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'n', resourceVersion, uid } };
}
