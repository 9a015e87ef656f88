// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../object.ts';
import { membersOf, rendezvous } from './gang.ts';
import { planLeave } from './leave.ts';
import { desiredWorkload } from './pod.ts';
import { leftoversOf } from './plan.ts';
import { childName, memberName } from './run.ts';
import { as, makeMember, RUNNING_GANG } from './testing/gang-cases.ts';
import { makeAgent, makeClass, makeRun, makeTenant } from './testing/make.ts';

const run = makeRun({}, RUNNING_GANG);
const identity = { name: 'r', uid: 'run-uid' };

test('names of pods are those of the attempt with the index, and stay labels however long the Run is called', (t) => {
  t.is(memberName(identity, 1, 0), `${childName(identity, 1)}-0`);
  const long = memberName({ name: 'x'.repeat(63), uid: 'u' }, 123, 63);
  t.is(long.length, 63);
  t.true(long.endsWith('-123-63'));
});

const strangers: Record<string, KubeObject> = {
  'one of another attempt': makeMember(
    0,
    {},
    { metadata: { labels: { [LABELS.runUid]: 'run-uid', [LABELS.attempt]: '2', [LABELS.index]: '0' } } },
  ).pod,
  'one with the labels and another name': makeMember(0, {}, { metadata: { name: 'r-x-1-0' } }).pod,
  'one with the name and no labels': makeMember(0, {}, { metadata: { labels: {} } }).pod,
  'one with the name of an index that it does not say': makeMember(
    0,
    {},
    { metadata: { name: memberName(identity, 1, 1) } },
  ).pod,
  'one of another Run': makeMember(
    0,
    {},
    {
      metadata: {
        ownerReferences: [],
        labels: { [LABELS.runUid]: 'other', [LABELS.attempt]: '1', [LABELS.index]: '0' },
      },
    },
  ).pod,
};

for (const [sentence, pod] of Object.entries(strangers)) {
  test(`no pod of the gang is ${sentence}`, (t) => t.deepEqual(membersOf(run, [pod]), []));
}

test('pods of the gang are found by index, also when an orphan deletion took their owner off', (t) => {
  const orphan = as(makeMember(1), (pod) => ({ ...pod, metadata: { ...pod.metadata, ownerReferences: [] } }));
  const found = membersOf(run, [makeMember(2).pod, orphan.pod, makeMember(0).pod]);
  t.deepEqual(
    found.map(({ index }) => index),
    [0, 1, 2],
  );
  const { child: _, ...unseen } = RUNNING_GANG;
  t.deepEqual(membersOf(makeRun({}, unseen), [orphan.pod]), [], 'not before all were seen');
});

test('pods of a gang are leftovers by their attempt, and not by their index', (t) => {
  const third = { ...run, status: { ...RUNNING_GANG, attempt: 3 } };
  const [zero, ten] = [makeMember(0).pod, makeMember(10).pod];
  t.deepEqual(leftoversOf(run, [zero, ten]), []);
  t.deepEqual(leftoversOf(third, [zero, ten]), [zero, ten]);
});

test('a pod of a gang may go when its attempt is settled', (t) => {
  const { pod } = makeMember(7);
  const mayGo = (status: object) =>
    planLeave(pod, { run: makeRun({}, { ...RUNNING_GANG, ...status }), isReserved: true }).result.kind ===
    'finalized';
  t.false(mayGo({}));
  t.true(mayGo({ phase: 'Queued' }));
  t.true(mayGo({ attempt: 2 }));
});

interface Spec {
  readonly hostname: string;
  readonly subdomain: string;
  readonly affinity?: object;
  readonly containers: readonly [
    { readonly env: readonly { name: string; value?: string }[]; readonly resources: object },
  ];
}

function workload(env: readonly { readonly name: string; readonly value: string }[] = []) {
  const gpu = { class: makeClass('h100'), count: 2, node: undefined };
  const agent = makeAgent({
    container: { image: 'registry.example.com/a:1', env: [...env] },
    gang: { pods: 3, startTimeoutSeconds: 60 },
  });
  const gang = { pods: 3, nodes: ['a', undefined, 'b'] };
  return desiredWorkload({ run: makeRun(), agent, tenant: makeTenant(), attempt: 1, gang, gpu });
}

test('each pod has its name, its labels and its node, and a Service without an address knows them all', (t) => {
  const [service, ...pods] = workload();
  t.like(service, {
    kind: 'Service',
    spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: { [LABELS.runUid]: 'run-uid' } },
  });
  t.deepEqual(
    pods.map(({ metadata }) => metadata.name),
    [0, 1, 2].map((index) => memberName(identity, 1, index)),
  );
  for (const [index, pod] of pods.entries()) {
    const spec = pod['spec'] as Spec;
    t.like(pod.metadata, {
      labels: { [LABELS.attempt]: '1', [LABELS.index]: String(index) },
      finalizers: ['nexusos.dev/run'],
    });
    t.is(spec.hostname, pod.metadata.name);
    t.is(spec.subdomain, service!.metadata.name);
    t.like(spec.containers[0].resources, { limits: { 'nvidia.com/gpu': '2' } });
    const node = ['"a"', undefined, '"b"'][index];
    if (node === undefined) t.is(spec.affinity, undefined);
    else t.true(JSON.stringify(spec.affinity).includes(node));
  }
});

test('the variables of the gang cannot be replaced by the Agent', (t) => {
  const [, first] = workload([
    { name: 'NEXUSOS_INDEX', value: '9' },
    { name: 'NEXUSOS_LEADER', value: 'evil.example' },
  ]);
  const { env } = (first!['spec'] as Spec).containers[0];
  const seat = { index: 0, pods: 3, attempt: 1, namespace: 'acme-dev' };
  const wanted = rendezvous(identity, seat);
  for (const one of wanted)
    t.deepEqual(
      env.filter(({ name }) => name === one.name),
      [one],
    );
  t.is(
    wanted[2]?.value,
    `${memberName(identity, 1, 0)}.nexusos-gang-${childName(identity, 1).split('-')[1]}.acme-dev.svc`,
  );
});

test('a Run of one pod is made as ever: no Service, no index, no variables of a gang', (t) => {
  const all = desiredWorkload({ run: makeRun(), agent: makeAgent(), tenant: makeTenant(), attempt: 1 });
  t.deepEqual(
    all.map(({ kind }) => kind),
    ['Pod'],
  );
  t.false(JSON.stringify(all).match(/index|hostname|NEXUSOS_(INDEX|WORKERS|LEADER)/i) !== null);
});
