// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { AGENT, type AgentSpec } from '#crds/v1alpha1/agent';
import { remote } from '#crds/v1alpha1/agent-remote';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { ago, makeAgent, makeClass, makeTenant, NOW } from '../run/testing/make.ts';
import type { Agent, GPUClass } from './agent.ts';
import { checkAgent, checkRemote } from './checks.ts';
import { isFromRegistry, repositoryOf } from './image.ts';
import { planAgent } from './plan.ts';
import { settledRevisions } from './testing/revisions.ts';

interface Case {
  readonly agent?: Partial<AgentSpec>;
  readonly tenant?: Partial<TenantSpec>;
  readonly noTenant?: boolean;
  readonly isDeleted?: true;
  readonly noClass?: boolean;
  readonly want: string | undefined;
  /** What the message must name. */
  readonly wantSaid?: readonly string[];
}

const quotas = { gpus: [{ class: 'h100', count: 4 }] };
const shared = { isolation: { tier: 'Hard', runtimeClassName: 'gvisor' } } as const;
const gpu = { class: 'h100', count: 1 };

const REMOTE: Partial<AgentSpec> = {
  shape: 'remote',
  container: undefined,
  remote: remote.parse({ url: 'https://agents.example.com/a2a' }),
};

const cases: Record<string, Case> = {
  'an Agent that fits': { want: undefined },
  'an Agent in no tenant': {
    noTenant: true,
    want: 'TenantNotFound',
    wantSaid: ['metadata.namespace', 'acme-dev'],
  },
  'an Agent that was deleted, and is kept by a finalizer': {
    isDeleted: true,
    want: 'Terminating',
    wantSaid: ['deleted', 'example.com/audit'],
  },
  'an Agent of a suspended tenant': {
    tenant: { suspended: true },
    want: 'TenantSuspended',
    wantSaid: ['suspended'],
  },
  'an image of another registry': {
    tenant: {
      entitlements: { registries: ['registry.example.com/team'] },
      branding: { supportContact: 'help@acme' },
    },
    want: 'RegistryNotAllowed',
    wantSaid: [
      'spec.container.image',
      'registry.example.com/agent',
      'registry.example.com/team',
      'help@acme',
    ],
  },
  'a remote agent, whatever registries are allowed: its image is not of the tenant': {
    agent: REMOTE,
    tenant: { entitlements: { registries: ['registry.example.com/team'] } },
    want: undefined,
  },
  'a remote agent, of whose pods the tenant has not enough': {
    agent: REMOTE,
    tenant: { quotas: { compute: { 'requests.cpu': '10m' } } },
    want: 'NeverFits',
    wantSaid: ['spec.remote.resources', 'one Run takes 50m of requests.cpu', '10m'],
  },
  'a remote agent, larger than a container may be': {
    agent: REMOTE,
    tenant: { containerDefaults: { max: { memory: '128Mi' } } },
    want: 'NeverFits',
    wantSaid: ['spec.remote.resources.limits.memory', '256Mi', '128Mi'],
  },
  'more than the default limit': {
    agent: { container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '4' } } } },
    tenant: { containerDefaults: { default: { cpu: '1' } } },
    want: 'NeverFits',
    wantSaid: [
      'spec.container.resources.requests.cpu',
      'found 4',
      'at most 1',
      'containerDefaults',
      'platform team',
    ],
  },
  'a limit above the most for one container': {
    agent: {
      container: {
        image: 'registry.example.com/agent:1',
        resources: { requests: { cpu: '1' }, limits: { cpu: '4' } },
      },
    },
    tenant: { containerDefaults: { max: { cpu: '2' } } },
    want: 'NeverFits',
    wantSaid: ['spec.container.resources.limits.cpu', 'found 4', 'at most 2'],
  },
  'tools and models of which the tenant has some': {
    agent: { entitlements: { tools: ['search', 'shell', 'browser'], modelTiers: ['small'] } },
    tenant: { entitlements: { tools: ['search'], modelTiers: ['small', 'large'] } },
    want: 'NotEntitled',
    wantSaid: ['spec.entitlements.tools', 'found shell, browser', 'allowed are search', 'platform team'],
  },
  'a model of a tenant that may use none': {
    agent: { entitlements: { modelBackends: ['gpt'] } },
    tenant: { entitlements: { modelBackends: [] } },
    want: 'NotEntitled',
    wantSaid: ['spec.entitlements.modelBackends', 'allowed are none'],
  },
  'tools that look like those of the tenant': {
    agent: { entitlements: { tools: ['Search', 'search '] } },
    tenant: { entitlements: { tools: ['search'] } },
    want: 'NotEntitled',
    wantSaid: ['found Search, search '],
  },
  'what the tenant is entitled to, and what it says nothing of': {
    agent: { entitlements: { tools: ['search'], modelTiers: ['large'] } },
    tenant: { entitlements: { tools: ['search', 'shell'] } },
    want: undefined,
  },
  'data of a higher class than the tenant may work on': {
    agent: { dataClassification: 'restricted' },
    tenant: { residency: { primaryRegion: 'eu', maxDataClassification: 'confidential' } },
    want: 'ClassificationTooHigh',
    wantSaid: ['spec.dataClassification', 'found restricted', 'confidential'],
  },
  'data of no class that is said, where only public data is: it counts as public': {
    tenant: { residency: { primaryRegion: 'eu', maxDataClassification: 'public' } },
    want: undefined,
  },
  'internal data that is said, where only public data is': {
    agent: { dataClassification: 'internal' },
    tenant: { residency: { primaryRegion: 'eu', maxDataClassification: 'public' } },
    want: 'ClassificationTooHigh',
    wantSaid: ['spec.dataClassification', 'found internal', 'public'],
  },
  'data of the highest class that the tenant may work on': {
    agent: { dataClassification: 'confidential' },
    tenant: { residency: { primaryRegion: 'eu', maxDataClassification: 'confidential' } },
    want: undefined,
  },
  'data of any class where nothing is said of where it may be': {
    agent: { dataClassification: 'restricted' },
    want: undefined,
  },
  'a class that does not exist': {
    agent: { gpu },
    tenant: { quotas },
    noClass: true,
    want: 'GPUClassNotFound',
    wantSaid: ['spec.gpu.class', 'h100 (4)'],
  },
  'a class without quota': {
    agent: { gpu },
    want: 'GPUClassNotAllowed',
    wantSaid: ['spec.gpu.class', 'none'],
  },
  'more devices than ever': {
    agent: { gpu: { class: 'h100', count: 8 } },
    tenant: { quotas },
    want: 'NeverFits',
    wantSaid: ['spec.gpu.count', '8', '4'],
  },
  'a class with quota': { agent: { gpu }, tenant: { quotas }, want: undefined },
  'a shared class for a tenant of tier Hard': {
    agent: { gpu: { class: 'shared', count: 1 } },
    tenant: { quotas: { gpus: [{ class: 'shared', count: 4 }] }, ...shared },
    want: 'GPUClassNotAllowed',
    wantSaid: ['Hard'],
  },
  'more cores than ever': {
    agent: { container: { image: 'x', resources: { requests: { cpu: '8' } } } },
    tenant: { quotas: { compute: { 'requests.cpu': '4' } } },
    want: 'NeverFits',
    wantSaid: ['requests.cpu', '8', '4'],
  },
  'more memory than ever, in the words of the user': {
    agent: { container: { image: 'x', resources: { limits: { memory: '100Gi' } } } },
    tenant: { quotas: { compute: { 'limits.memory': '40Gi' } } },
    want: 'NeverFits',
    wantSaid: ['takes 100Gi of limits.memory', 'at most 40Gi'],
  },
  'nothing stated of what has a quota': {
    tenant: { quotas: { compute: { 'limits.memory': '4Gi' } } },
    want: 'NeverFits',
    wantSaid: [
      'spec.container.resources.limits.memory: found none',
      '512Mi',
      'quota of limits.memory',
      'containerDefaults',
    ],
  },
  'nothing stated of what has a quota by its short name: the field is that of requests': {
    tenant: { quotas: { compute: { cpu: '4' } } },
    want: 'NeverFits',
    wantSaid: ['spec.container.resources.requests.cpu: found none', '500m', 'quota of cpu'],
  },
  'nothing stated, and a default of the tenant': {
    tenant: {
      quotas: { compute: { 'limits.memory': '4Gi' } },
      containerDefaults: { default: { memory: '1Gi' } },
    },
    want: undefined,
  },
};

/** The class that an Agent asks for; the one named `shared` is. */
function classOf(spec: Partial<AgentSpec>): GPUClass | undefined {
  const name = spec.gpu?.class;
  if (name === undefined) return undefined;
  return makeClass(name, name === 'shared' ? { sharing: 'Shared' } : {});
}

/** `agent` after its deletion, kept by the finalizer of somebody else. */
function deleted(agent: Agent): Agent {
  const metadata = { ...agent.metadata, deletionTimestamp: ago(1), finalizers: ['example.com/audit'] };
  return { ...agent, metadata };
}

for (const [name, given] of Object.entries(cases)) {
  test(name, (t) => {
    const { agent = {}, tenant, noTenant, noClass, want, wantSaid = [] } = given;
    const made = makeAgent(agent);
    const refusal = checkAgent(given.isDeleted === true ? deleted(made) : made, {
      tenant: noTenant ? undefined : makeTenant(tenant),
      gpuClass: noClass ? undefined : classOf(agent),
    });
    t.is(refusal?.reason, want);
    for (const word of wantSaid) t.true(refusal?.message.includes(word), `${word} in: ${refusal?.message}`);
  });
}

const references: Record<string, { readonly image: string; readonly isRead: boolean }> = {
  'a bare name': { image: 'nginx', isRead: true },
  'a host with a port, a tag and a digest': {
    image: `r.example.com:5000/team/a_b-c.d:1.0@sha256:${'0'.repeat(64)}`,
    isRead: true,
  },
  'a blank at the end': { image: 'x/y ', isRead: false },
  'a blank inside': { image: 'x y', isRead: false },
  'upper case in the path': { image: 'r.example.com/Team/x', isRead: false },
  'an empty tag': { image: 'x/y:', isRead: false },
  'an empty part': { image: 'x//y', isRead: false },
  'a scheme': { image: 'https://r.example.com/x', isRead: false },
};

for (const [name, { image, isRead }] of Object.entries(references)) {
  test(`an image with ${name} is ${isRead ? 'accepted' : 'refused by the schema'}`, (t) => {
    t.is(AGENT.spec.safeParse({ container: { image } }).success, isRead);
  });
}

const images: Record<string, { image: string; want: string }> = {
  'a bare name is of the Docker library': { image: 'nginx', want: 'docker.io/library/nginx' },
  'a tag is no part of it': { image: 'nginx:1.27', want: 'docker.io/library/nginx' },
  'a user without registry is of Docker': { image: 'acme/tool:1', want: 'docker.io/acme/tool' },
  'a host with a port is a registry': { image: 'localhost:5000/tool:1', want: 'localhost:5000/tool' },
  'a digest is no part of it': {
    image: `r.example.com/a/b@sha256:${'0'.repeat(64)}`,
    want: 'r.example.com/a/b',
  },
};

for (const [name, { image, want }] of Object.entries(images)) {
  test(`repositoryOf: ${name}`, (t) => t.is(repositoryOf(image), want));
}

test('without the image that speaks to endpoints there are no remote agents', (t) => {
  t.is(checkRemote(makeAgent(REMOTE), 'registry.example.com/nexusos:1'), undefined);
  t.is(checkRemote(makeAgent(), undefined), undefined);
  const refusal = checkRemote(makeAgent(REMOTE), undefined);
  t.is(refusal?.reason, 'RemoteDisabled');
  t.regex(refusal?.message ?? '', /spec\.shape: found remote.*allowed are job and service/);
});

test('a registry path opens what is under it and no namesake beside it', (t) => {
  t.true(isFromRegistry('r.example.com/team/x:1', ['r.example.com/team']));
  t.false(isFromRegistry('r.example.com/team-of-others/x:1', ['r.example.com/team']));
  t.false(isFromRegistry('r.example.com.evil.example/x:1', ['r.example.com']));
});

test('counts of Runs are written at most every five seconds', (t) => {
  const surroundings = {
    tenant: makeTenant(),
    gpuClass: undefined,
    scheduled: [],
    starting: undefined,
    ...settledRevisions(makeAgent()),
  };
  const at = (seconds: number) => {
    const agent = makeAgent();
    const status = { ...agent.status, runs: { queued: 1, active: 1, countedAt: ago(seconds) } };
    return planAgent({ ...agent, status }, { ...surroundings, runs: { queued: 2, active: 1 } }, NOW);
  };
  t.is(at(2).status.runs?.queued, 1);
  t.like(at(2).result, { kind: 'requeueAfter', afterMs: 3000 });
  t.is(at(6).status.runs?.queued, 2);
});
