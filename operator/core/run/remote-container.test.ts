// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { AGENT, type AgentSpec } from '#crds/v1alpha1/agent';
import { remote, type RemoteSpec } from '#crds/v1alpha1/agent-remote';
import type { RunSpec } from '#crds/v1alpha1/run';
import { remoteAttempt } from '#crds/v1alpha1/remote-attempt';
import type { Agent } from '../agent/agent.ts';
import { desiredWorkload, type WorkloadInput } from './pod.ts';
import { makeAgent, makeRun, makeTenant } from './testing/make.ts';
import { RESERVED, testPlans } from './testing/plan-cases.ts';

const URL = 'https://agents.example.com/a2a';
const IMAGE = 'registry.example.com/nexusos:1';

function remoteAgent(spec: Partial<RemoteSpec> = {}, more: Partial<AgentSpec> = {}): Agent {
  const parsed = remote.parse({ url: URL, ...spec });
  return makeAgent({ shape: 'remote', container: undefined, remote: parsed, ...more });
}

interface PodSpec {
  readonly volumes: readonly { readonly name: string; readonly projected?: object }[];
  readonly containers: readonly {
    readonly image: string;
    readonly command?: readonly string[];
    readonly resources: object;
    readonly env: readonly { readonly name: string; readonly value: string }[];
    readonly volumeMounts: readonly object[];
  }[];
}

function podOf(agent: Agent, run: Partial<RunSpec> = {}, more: Partial<WorkloadInput> = {}): PodSpec {
  const input = { run: makeRun(run), agent, tenant: makeTenant(), attempt: 2, remoteImage: IMAGE, ...more };
  return desiredWorkload(input).at(-1)!['spec'] as PodSpec;
}

/** As the program reads it. */
function told(pod: PodSpec) {
  const found = pod.containers[0]?.env.find(({ name }) => name === 'NEXUSOS_REMOTE');
  return remoteAttempt.parse(JSON.parse((found?.value ?? '').replaceAll('$$(', '$(')));
}

test('the container is ours, with what it asks for, and no variable of a tenant', (t) => {
  const pod = podOf(remoteAgent());
  t.like(pod.containers[0], { image: IMAGE, command: ['node', 'remote.mjs'] });
  t.deepEqual(pod.containers[0]?.resources, {
    requests: { cpu: '50m', memory: '64Mi' },
    limits: { memory: '256Mi' },
  });
  const names = (pod.containers[0]?.env ?? []).map(({ name }) => name);
  t.deepEqual(
    names.filter((name) => !name.startsWith('NEXUSOS_')),
    [],
  );
});

test('what a container of the Agent says has no part in it, should there be one', (t) => {
  const env = [{ name: 'NODE_OPTIONS', value: '--require /tmp/x' }];
  const container = { image: 'evil.example/agent:1', command: ['sh'], env };
  const pod = podOf(remoteAgent({}, { container }));
  t.is(pod.containers[0]?.image, IMAGE);
  t.notRegex(JSON.stringify(pod), /evil|NODE_OPTIONS|"sh"/);
});

test('parameters cannot become variables that a program goes by', (t) => {
  const pod = podOf(remoteAgent(), { parameters: { NODE_OPTIONS: '--inspect' } });
  const names = (pod.containers[0]?.env ?? []).map(({ name }) => name);
  t.true(names.includes('NEXUSOS_PARAMETER_NODE_OPTIONS'));
  t.false(names.includes('NODE_OPTIONS'));
});

test('it is told what to do, and each attempt sends a message of its own', (t) => {
  const agent = remoteAgent({ pollSeconds: 7 }, { limits: { timeoutSeconds: 60 } });
  t.like(told(podOf(agent)), {
    url: URL,
    messageId: 'run-uid-2',
    pollSeconds: 7,
    timeoutSeconds: 60,
    graceSeconds: 30,
    auth: undefined,
    contextId: undefined,
  });
  t.is(told(podOf(agent, { timeoutSeconds: 5 })).timeoutSeconds, 5);
});

test('of what the agent may use, the container hands tools and steps on', (t) => {
  const entitlements = { tools: ['search', 'shell'], modelTiers: ['large'] };
  const agent = remoteAgent({}, { entitlements, dataClassification: 'internal' });
  const env = podOf(agent, { tools: ['search'], maxSteps: 5 }).containers[0]?.env ?? [];
  t.deepEqual(
    env.filter(({ name }) => /TOOLS|STEPS|MODEL|CLASSIFICATION/.test(name)),
    [
      { name: 'NEXUSOS_TOOLS', value: '["search"]' },
      { name: 'NEXUSOS_MAX_STEPS', value: '5' },
    ],
  );
});

test('nothing in an address is expanded', (t) => {
  const url = `${URL}/$(NEXUSOS_RUN)`;
  const pod = podOf(remoteAgent({ url }));
  const value = pod.containers[0]?.env.find(({ name }) => name === 'NEXUSOS_REMOTE')?.value ?? '';
  t.true(value.includes('$$(NEXUSOS_RUN)'));
  t.is(told(pod).url, url);
});

test('credentials and certificates are mounted, and named by their paths alone', (t) => {
  const agent = remoteAgent({
    auth: { scheme: 'Header', header: 'X-Key', secretKeyRef: { name: 'peer', key: 'token' } },
    tls: { caConfigMapKeyRef: { name: 'roots', key: 'ca.crt' }, serverName: 'agents.example.com' },
  });
  const pod = podOf(agent, { input: { secretKeyRef: { name: 'prompt', key: 'text' } } });
  const volume = pod.volumes.find(({ name }) => name === 'remote');
  t.deepEqual(volume?.projected, {
    sources: [
      { secret: { name: 'peer', items: [{ key: 'token', path: 'credential' }] } },
      { configMap: { name: 'roots', items: [{ key: 'ca.crt', path: 'ca.pem' }] } },
    ],
  });
  const folder = '/var/run/nexusos/remote';
  t.true(JSON.stringify(pod.containers[0]?.volumeMounts).includes(`"mountPath":"${folder}","readOnly":true`));
  t.like(told(pod), {
    auth: { scheme: 'Header', header: 'X-Key', file: `${folder}/credential` },
    tls: { caFile: `${folder}/ca.pem`, serverName: 'agents.example.com' },
  });
  t.notRegex(JSON.stringify(told(pod)), /peer|token|roots/);
});

function contextOf(uid: string, session: string): string | undefined {
  const agent = remoteAgent();
  const other: Agent = { ...agent, metadata: { ...agent.metadata, uid } };
  return told(podOf(other, { session })).contextId;
}

test('sessions of one name are the same context for one Agent, and for no other', (t) => {
  t.is(contextOf('a', 'chat'), contextOf('a', 'chat'));
  t.not(contextOf('a', 'chat'), contextOf('b', 'chat'));
  t.not(contextOf('a', 'chat'), contextOf('a', 'chat2'));
  t.regex(contextOf('a', 'chat') ?? '', /^[0-9a-f]{32}$/);
});

test('what an Agent says by default is what its program takes', (t) => {
  const { remote: parsed } = AGENT.spec.parse({ shape: 'remote', remote: { cardUrl: `${URL}/card` } });
  t.like(told(podOf(remoteAgent(parsed))), {
    protocolVersions: ['1.0', '0.3'],
    retries: { limit: 5, lostAnswer: 'Fail', statuses: [429, 502, 503, 504] },
  });
});

testPlans({
  'a Run of a remote agent waits where the platform has turned these off': {
    seen: { agent: remoteAgent(), reservation: RESERVED, remoteImage: undefined },
    want: { phase: 'Queued', reason: 'AgentNotReady' },
    wantWords: 'turned off',
  },
  'and starts where it has not': {
    seen: { agent: remoteAgent(), reservation: RESERVED, remoteImage: IMAGE },
    want: { phase: 'Admitted', reason: 'Admitted' },
    wantCreated: ['Pod'],
  },
});
