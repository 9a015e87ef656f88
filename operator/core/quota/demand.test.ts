// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { NOW, ago, makeClass } from '../run/testing/make.ts';
import { formatAmounts } from './amounts.ts';
import { containerResources, runDemand } from './demand.ts';
import { refusedDemands } from './refusals.ts';

const resources: Record<string, { agent: object; defaults?: object; want: object }> = {
  'a limit is also the request': {
    agent: { limits: { cpu: '2' } },
    want: { requests: { cpu: '2' }, limits: { cpu: '2' } },
  },
  'what is stated wins over every default': {
    agent: { requests: { cpu: '1' }, limits: { cpu: '2' } },
    defaults: { defaultRequest: { cpu: '3' }, default: { cpu: '4' } },
    want: { requests: { cpu: '1' }, limits: { cpu: '2' } },
  },
  'a default request fills in': {
    agent: {},
    defaults: { defaultRequest: { cpu: '100m' }, default: { cpu: '1' } },
    want: { requests: { cpu: '100m' }, limits: { cpu: '1' } },
  },
  'a default serves as request too': {
    agent: {},
    defaults: { default: { memory: '1Gi' } },
    want: { requests: { memory: '1Gi' }, limits: { memory: '1Gi' } },
  },
  'a limit wins over a default request': {
    agent: { limits: { cpu: '2' } },
    defaults: { defaultRequest: { cpu: '100m' } },
    want: { requests: { cpu: '2' }, limits: { cpu: '2' } },
  },
};

for (const [name, { agent, defaults, want }] of Object.entries(resources)) {
  test(name, (t) => t.deepEqual(containerResources(agent, defaults), want as never));
}

test('a Run takes a pod, what that requests, and its devices', (t) => {
  const asks = { requests: { cpu: '500m', memory: '1Gi' }, limits: { memory: '2Gi' } };
  const demand = runDemand(asks, { class: makeClass('h100').spec, count: 2 });
  t.deepEqual(formatAmounts(demand, { memory: '1Gi', 'requests.memory': '1Gi', 'limits.memory': '1Gi' }), {
    'count/pods': '1',
    cpu: '500m',
    'limits.memory': '2Gi',
    memory: '1Gi',
    pods: '1',
    'requests.cpu': '500m',
    'requests.memory': '1Gi',
    'requests.nvidia.com/gpu': '2',
  });
});

test('devices of a DeviceClass have a key of their own', (t) => {
  const spec = makeClass('dra', { deviceClassName: 'gpu.example.com' }).spec;
  const demand = runDemand({ requests: {}, limits: {} }, { class: spec, count: 3 });
  t.is(demand.get('gpu.example.com.deviceclass.resource.k8s.io/devices'), 3000n);
  t.is(demand.get('count/resourceclaims.resource.k8s.io'), 1000n);
  t.is(demand.get('count/resourceclaimtemplates.resource.k8s.io'), 1000n);
});

function event(uid: string, message: string, lastTimestamp: string) {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `e-${uid}`, namespace: 'acme-dev' },
    involvedObject: { uid },
    message,
    lastTimestamp,
  };
}

const REFUSED =
  'Error creating: pods "x" is forbidden: exceeded quota: nexusos, requested: pods=1,requests.cpu=500m, used: pods=5,requests.cpu=2, limited: pods=5,requests.cpu=2';

const refusals: Record<string, { events: readonly ReturnType<typeof event>[]; want: readonly object[] }> = {
  'what was asked for is read': {
    events: [event('a', REFUSED, ago(5))],
    want: [{ pods: '1', 'requests.cpu': '500m' }],
  },
  'the last refusal of an object counts, once': {
    events: [event('a', REFUSED, ago(9)), event('a', REFUSED.replace('pods=1,', 'pods=2,'), ago(5))],
    want: [{ pods: '2', 'requests.cpu': '500m' }],
  },
  'after a minute it is forgotten': { events: [event('a', REFUSED, ago(61))], want: [] },
  'a refusal by another quota is not ours': {
    events: [event('a', REFUSED.replace('quota: nexusos', 'quota: theirs'), ago(5))],
    want: [],
  },
  'a refusal for another cause is none': {
    events: [event('a', 'Error creating: pods "x" is forbidden', ago(5))],
    want: [],
  },
};

for (const [name, { events, want }] of Object.entries(refusals)) {
  test(`refusals: ${name}`, (t) => {
    t.deepEqual(
      refusedDemands(events, NOW).map(({ amounts }) => formatAmounts(amounts)),
      want as never,
    );
  });
}
