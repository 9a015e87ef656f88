// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { AGENT, type AgentSpec } from '#crds/v1alpha1/agent';
import { remote } from '#crds/v1alpha1/agent-remote';
import { AGENT_REVISION } from '#crds/v1alpha1/agent-revision';
import { PLAIN_SERVICE } from '#crds/v1alpha1/agent-service';
import { defined } from '../object.ts';
import { makeAgent } from '../run/testing/make.ts';
import { revisionName, templateDigest, templateOf, withTemplate } from './template.ts';

function digestOf(spec: Partial<AgentSpec>): string {
  return templateDigest(templateOf(makeAgent(spec).spec));
}

/** What changes nothing of a pod: how many there are, when, how long, for whom they end, what people decide, what is expected of them, and what people read. */
const NOT_OF_TEMPLATES = [
  'approval',
  'calls',
  'description',
  'estimate',
  'history',
  'preemptible',
  'questions',
  'revisionHistoryLimit',
  'schedule',
];

const FULL = {
  tier: 'heavy',
  container: { image: 'r.example.com/a:2', env: [{ name: 'A', value: '1' }], args: ['x'] },
  parameters: [{ name: 'style', required: false, default: 'short' }],
  gpu: { class: 'h100', count: 2 },
  limits: { timeoutSeconds: 60, maxRetries: 3, terminationGracePeriodSeconds: 5 },
} satisfies Partial<AgentSpec>;
const MANY = {
  ...FULL,
  gang: { pods: 4, startTimeoutSeconds: 60 },
  entitlements: { tools: ['search'] },
  dataClassification: 'public',
} satisfies Partial<AgentSpec>;

/** What an Agent of shape service has beside those fields, which it has not. */
const SERVED = templateOf(
  makeAgent({
    shape: 'service',
    service: { ...PLAIN_SERVICE, port: 9000, readinessPath: '/ready', livenessPath: '/live' },
  }).spec,
);

test('every field of an Agent is part of its revisions, or known to be none', (t) => {
  const { template } = AGENT_REVISION.spec.shape;
  const known = [...Object.keys(template.shape), ...NOT_OF_TEMPLATES].toSorted();
  t.deepEqual(Object.keys(AGENT.spec.shape).toSorted(), known);
});

test('a template holds all that the schema of revisions has, and survives it', (t) => {
  const url = 'https://a.example.com/';
  const others = { service: SERVED.service, remote: remote.parse({ url }) };
  const kept = { ...templateOf(makeAgent(MANY).spec), ...defined(others) };
  t.deepEqual(Object.keys(kept).toSorted(), Object.keys(AGENT_REVISION.spec.shape.template.shape).toSorted());
  t.deepEqual(AGENT_REVISION.spec.shape.template.parse(kept), kept);
});

test('an Agent with the template of another is that one, but for its limits and what is beside', (t) => {
  const then = makeAgent(FULL);
  const now = makeAgent({ description: 'new', limits: { timeoutSeconds: 7, maxConcurrentRuns: 1 } });
  const pinned = withTemplate(now, templateOf(then.spec));
  t.deepEqual(templateOf(pinned.spec), templateOf(then.spec));
  t.is(pinned.spec.description, 'new');
  t.deepEqual(pinned.spec.limits, {
    timeoutSeconds: 7,
    maxConcurrentRuns: 1,
    terminationGracePeriodSeconds: 5,
  });
});

test('what another template has and this one has not is gone', (t) => {
  const pinned = withTemplate(makeAgent(FULL), templateOf(makeAgent().spec));
  t.deepEqual(templateOf(pinned.spec), templateOf(makeAgent().spec));
});

test('of a gang, how many pods there are is part of a revision, and how long they may take to start is not', (t) => {
  const slow = makeAgent({ ...MANY, gang: { pods: 4, startTimeoutSeconds: 900 } });
  t.deepEqual(templateOf(slow.spec), templateOf(makeAgent(MANY).spec));
  t.deepEqual(withTemplate(slow, templateOf(makeAgent(MANY).spec)).spec.gang, {
    pods: 4,
    startTimeoutSeconds: 900,
  });
  const alone = withTemplate(makeAgent(), templateOf(makeAgent(MANY).spec));
  t.deepEqual(alone.spec.gang, { pods: 4, startTimeoutSeconds: 300 }, 'as if it had been left out');
});

test('a revision of many pods, or of another shape, calls nobody, whatever its Agent does today', (t) => {
  const calls = { agents: ['other'], maxDepth: 1, maxChildren: 1, maxTotal: 1 };
  const caller = makeAgent({ calls });
  t.deepEqual(withTemplate(caller, templateOf(makeAgent().spec)).spec.calls, calls);
  t.is(withTemplate(caller, templateOf(makeAgent(MANY).spec)).spec.calls, undefined);
  t.is(withTemplate(caller, { ...templateOf(makeAgent().spec), shape: 'service' }).spec.calls, undefined);
});

test('of a service, only what its pods are made from is part of a revision', (t) => {
  t.deepEqual(SERVED.service, { port: 9000, readinessPath: '/ready', livenessPath: '/live' });
  t.deepEqual(Object.keys(AGENT_REVISION.spec.shape.template.shape.service.unwrap().shape).toSorted(), [
    'livenessPath',
    'port',
    'readinessPath',
  ]);
  const scaled = { min: 3, max: 9 };
  const more = {
    replicas: scaled,
    autoscaling: { cpuUtilizationPercent: 50 },
    rollout: PLAIN_SERVICE.rollout,
  };
  const plain = { shape: 'service' } as const;
  t.is(digestOf({ ...plain, service: { ...PLAIN_SERVICE, ...more } }), digestOf(plain));
  t.not(digestOf({ ...plain, service: { ...PLAIN_SERVICE, port: 9 } }), digestOf(plain));
  const now = makeAgent({ ...plain, service: { ...PLAIN_SERVICE, ...more, readinessPath: '/new' } });
  const then = templateOf(makeAgent({ ...plain, service: { ...PLAIN_SERVICE, port: 9 } }).spec);
  t.deepEqual(withTemplate(now, then).spec.service, { port: 9, ...more });
  t.is(withTemplate(now, templateOf(makeAgent().spec)).spec.service, undefined);
});

function remoteAt(url: string) {
  return makeAgent({ shape: 'remote', container: undefined, remote: remote.parse({ url }) });
}

test('of a remote agent, all that says how it is spoken to is part of a revision', (t) => {
  const [then, now] = [remoteAt('https://a.example.com/'), remoteAt('https://b.example.com/')];
  t.not(templateDigest(templateOf(then.spec)), templateDigest(templateOf(now.spec)));
  t.is(withTemplate(now, templateOf(then.spec)).spec.remote?.url, 'https://a.example.com/');
  const asJob = withTemplate(now, templateOf(makeAgent().spec)).spec;
  t.like(asJob, { shape: 'job', remote: undefined });
  t.truthy(asJob.container);
  t.is(withTemplate(makeAgent(), templateOf(now.spec)).spec.container, undefined);
});

test('the digest of a template stays the same over releases', (t) => {
  const digest = templateDigest(templateOf(makeAgent(FULL).spec));
  t.is(digest, 'sha256:884b03a2f2de1e6113dc7f812b38314e1258071482998dc6a56a9f829fb3737b');
  t.is(revisionName('agent', digest), 'agent-db1bae42c430');
});

test('limits and schedules make no other template; what a container gets does', (t) => {
  t.is(digestOf({ limits: { timeoutSeconds: 1 }, description: 'x', revisionHistoryLimit: 3 }), digestOf({}));
  t.is(digestOf({ preemptible: false }), digestOf({}));
  for (const field of ['tier', 'container', 'parameters', 'gpu', 'limits'] as const) {
    t.not(digestOf({ [field]: FULL[field] }), digestOf({}), field);
  }
});

test('Agents whose names begin alike do not share a revision', (t) => {
  const long = 'a'.repeat(62);
  const digest = templateDigest(templateOf(makeAgent().spec));
  const names = [`${long}b`, `${long}c`].map((name) => revisionName(name, digest));
  t.is(new Set(names).size, 2);
  for (const name of names) t.is(name.length, 63);
});
