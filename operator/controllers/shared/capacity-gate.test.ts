// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { makeClass } from '../../core/run/testing/make.ts';
import type { Kueue } from '../../core/kueue/kueue.ts';
import { KUEUE } from '../../core/kueue/testing/make.ts';
import type { KubeObject } from '../../core/object.ts';
import type { Reader } from '../../runtime/controller.ts';
import { CapacityGate } from './capacity-gate.ts';

const SERVED: Kueue = { isServed: true, ...KUEUE };
const API_VERSION = 'kueue.x-k8s.io/v1beta2';

function localQueue(namespace: string, labels = {}): KubeObject {
  return { apiVersion: API_VERSION, kind: 'LocalQueue', metadata: { name: 'nexusos', namespace, labels } };
}

/** Stores that hold `objects`; an index finds by the first owner. */
function readerOf(objects: readonly KubeObject[]): Reader {
  const reader: Pick<Reader, 'get' | 'list'> = {
    get: (resource, { namespace, name }) =>
      objects.find(
        ({ kind, metadata }) =>
          kind === resource.kind && metadata.namespace === namespace && metadata.name === name,
      ),
    list: (resource, { value } = {}) =>
      objects.filter(
        ({ kind, metadata }) => kind === resource.kind && metadata.ownerReferences?.[0]?.uid === value,
      ),
  };
  return reader as Reader;
}

/** A Workload for what it names, as the API server has it. */
function workload(kind: string, apiVersion: string): KubeObject {
  const owner = { apiVersion, kind, name: 'p', uid: 'pod-uid', controller: true };
  const spec = { podSets: [{ template: {} }] };
  const status = {
    conditions: [{ type: 'Admitted' }],
    admissionChecks: [],
    admission: { clusterQueue: 'q' },
  };
  const metadata = { name: 'w', namespace: 'a', uid: 'w', ownerReferences: [owner] };
  return { apiVersion: API_VERSION, kind: 'Workload', metadata, spec, status };
}

test('without Kueue nothing is watched, indexed, asked for or in the way', (t) => {
  const gate = new CapacityGate();
  const read = readerOf([]);
  t.deepEqual([gate.indexes, gate.watchWorkloads(() => []), gate.watchQueues(() => [])], [[], [], []]);
  t.is(gate.obstacles(['a'], read), undefined);
  t.is(gate.capacityOf(undefined, read), undefined);
  t.false(gate.decides(makeClass('h100').spec));
});

test('where it is required and not served, nothing is watched, and everything waits', (t) => {
  const gate = new CapacityGate({ isServed: false });
  t.deepEqual([gate.indexes, gate.watchWorkloads(() => []), gate.watchQueues(() => [])], [[], [], []]);
  t.is(gate.obstacles(['a'], readerOf([]))?.get('a')?.reason, 'KueueMissing');
  t.is(gate.capacityOf(undefined, readerOf([])), undefined);
});

test('a namespace without a LocalQueue of ours is told apart from one with', (t) => {
  const gate = new CapacityGate(SERVED);
  const ours = { 'app.kubernetes.io/managed-by': 'nexusos' };
  const read = readerOf([localQueue('good', ours), localQueue('foreign')]);
  const found = gate.obstacles(['good', 'foreign', 'none'], read);
  t.deepEqual(
    [...(found ?? [])].map(([namespace, { reason }]) => [namespace, reason]),
    [
      ['foreign', 'QueueNotReady'],
      ['none', 'QueueNotReady'],
    ],
  );
});

test('of Workloads those of pods are kept, without what they are made of', (t) => {
  const [watch] = new CapacityGate(SERVED).watchWorkloads(() => []);
  const kept = watch?.trim?.(workload('Pod', 'v1'));
  t.like(kept, { spec: undefined, status: { conditions: [{ type: 'Admitted' }], admissionChecks: [] } });
  t.deepEqual(Object.keys(kept?.['status'] ?? {}), ['conditions', 'admissionChecks']);
  t.is(watch?.trim?.(workload('Job', 'batch/v1')), undefined);
});

test('a Workload wakes the pod that it is for, and is found by that', (t) => {
  const gate = new CapacityGate(SERVED);
  const [watch] = gate.watchWorkloads((pod) => [pod]);
  const ofPod = workload('Pod', 'v1');
  t.deepEqual(watch?.keys(ofPod, readerOf([])), [{ namespace: 'a', name: 'p' }]);
  t.deepEqual(gate.indexes[0]?.of(ofPod), ['pod-uid']);
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', uid: 'pod-uid' } };
  t.like(gate.capacityOf(pod, readerOf([ofPod])), { workload: ofPod });
  t.like(gate.capacityOf(undefined, readerOf([ofPod])), { workload: undefined });
});
