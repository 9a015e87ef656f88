// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { KubeObject } from '#operator/core/object';
import type { Exemption } from '#operator/core/policy/exemption';
import { makeAgent, makeClass, makeRun, makeTenant } from '#operator/core/run/testing/make';
import type { Tenant } from '#operator/core/tenant/tenant';
import type { AdmissionRequest } from '../review.ts';
import { judgeAgent } from './agent.ts';
import type { Facts } from './facts.ts';
import { judgeGPUClass } from './gpu-class.ts';
import { judgePolicyExemption } from './policy-exemption.ts';
import { judgePolicyPack } from './policy-pack.ts';
import { judgeRun } from './run.ts';
import { judgeTenant } from './tenant.ts';
import { asksForChange, type Verdict } from './verdict.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const PLATFORM = { platformNamespace: 'platform' };
const TENANT = makeTenant();
const NAMESPACE = 'acme-dev';

function factsOf(known: Partial<Facts> = {}): Facts {
  return {
    tenant: () => undefined,
    tenantOf: (name) => (name === NAMESPACE ? TENANT : undefined),
    tenantsWanting: () => [],
    namespace: () => undefined,
    gpuClass: () => undefined,
    agent: () => undefined,
    agentsOfClass: () => [],
    tenantsOfClass: () => [],
    policyPack: () => undefined,
    packRevisions: () => [],
    exemptions: () => [],
    registered: () => undefined,
    now: () => NOW,
    ...known,
  };
}

function requestOf(object: unknown, more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  const { metadata } = object as KubeObject;
  return {
    uid: 'u',
    kind: { group: '', version: '', kind: '' },
    resource: { group: '', version: '', resource: '' },
    name: metadata.name,
    namespace: NAMESPACE,
    operation: 'CREATE',
    userInfo: { username: 'jane', groups: [] },
    object: object as KubeObject,
    oldObject: null,
    dryRun: false,
    ...more,
  };
}

interface Case {
  readonly verdict: Verdict;
  /** Code and words of each refusal. */
  readonly refused?: readonly (readonly [string, RegExp])[];
  readonly warned?: readonly RegExp[];
}

function pack(namespace: string, binding: object): AdmissionRequest {
  return requestOf({ metadata: { name: 'p', namespace }, spec: { binding } }, { namespace });
}

function withDeadline(deadlineMs: number): AdmissionRequest {
  const request = pack('platform', {});
  const evaluation = { deadlineMs, memoryMiB: 16 };
  const spec = { ...(request.object?.['spec'] as object), evaluation };
  return { ...request, object: { ...request.object!, spec } };
}

function exemption(expiresAt: string, more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  const spec = { expiresAt, packRef: { namespace: 'platform', name: 'baseline' } };
  return requestOf({ metadata: { name: 'e' }, spec }, { namespace: 'platform', ...more });
}

function tenant(spec: Partial<TenantSpec>, name = 'acme'): Tenant {
  const made = makeTenant(spec);
  return { ...made, metadata: { ...made.metadata, name } };
}

const agent = makeAgent;
const KNOWN: Partial<Facts> = { policyPack: () => TENANT };
const counting = (index: number): Exemption => ({
  name: `e${index}`,
  packRef: { namespace: 'platform', name: index === 0 ? 'another' : 'baseline' },
  subjects: { namespaces: [NAMESPACE] },
  expiresAt: '2026-12-01T00:00:00Z',
  ticket: 'OPS-1',
  requestedBy: 'ann',
  approval: { decision: 'Approved', by: 'bob' },
});
const manyExemptions = (count: number): Partial<Facts> => ({
  ...KNOWN,
  exemptions: () => Array.from({ length: count + 1 }, (_, index) => counting(index)),
});
const mine = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, uid: 'x', labels: { [LABELS.tenant]: 'umbrella' } },
});

const CASES: Readonly<Record<string, Case>> = {
  'a Tenant that nobody is in the way of': {
    verdict: judgeTenant(requestOf(tenant({ namespaces: [{ suffix: 'dev' }] })), factsOf(), PLATFORM),
  },
  'a Tenant that wants what another wants': {
    verdict: judgeTenant(
      requestOf(tenant({ namespaces: [{ suffix: 'b-c' }] }, 'a')),
      factsOf({ tenantsWanting: () => [tenant({}, 'a-b')] }),
      PLATFORM,
    ),
    refused: [['conflict', /spec\.namespaces: namespace a-b-c is wanted by tenant a-b as well/]],
  },
  'a Tenant that keeps what it wanted before': {
    verdict: judgeTenant(
      requestOf(tenant({ namespaces: [{ suffix: 'b-c' }] }, 'a'), {
        operation: 'UPDATE',
        oldObject: tenant({ namespaces: [{ suffix: 'b-c' }] }, 'a'),
      }),
      factsOf({ tenantsWanting: () => [tenant({}, 'a-b')], namespace: mine }),
      PLATFORM,
    ),
  },
  'a Tenant whose namespace is of another': {
    verdict: judgeTenant(
      requestOf(tenant({ namespaces: [{ suffix: 'dev' }] })),
      factsOf({ namespace: mine }),
      PLATFORM,
    ),
    refused: [['conflict', /namespace acme-dev exists and belongs to tenant umbrella/]],
  },
  'a Tenant that adopts what nobody has let go yet': {
    verdict: judgeTenant(
      requestOf(tenant({ namespaces: [], adoptNamespaces: [{ name: 'legacy' }] })),
      factsOf({ namespace: (name) => ({ ...mine(name), metadata: { name } }) }),
      PLATFORM,
    ),
    warned: [/namespace legacy cannot be adopted: its annotation .* is not set/],
  },
  'a Tenant with quota of a class that is not there': {
    verdict: judgeTenant(
      requestOf(tenant({ namespaces: [], quotas: { gpus: [{ class: 'h100', count: 1 }] } })),
      factsOf(),
      PLATFORM,
    ),
    warned: [/spec\.quotas\.gpus names class h100, which does not exist/],
  },
  'a Tenant with less quota than it uses': {
    verdict: judgeTenant(
      requestOf({
        ...tenant({
          namespaces: [],
          quotas: { compute: { 'requests.cpu': '2' }, runs: { maxConcurrent: 5 } },
        }),
        status: {
          usage: [
            { name: 'requests.cpu', used: '2500m', limit: '4' },
            { name: 'runs.concurrent', used: '5', limit: '9' },
          ],
        },
      }),
      factsOf(),
      PLATFORM,
    ),
    warned: [/requests\.cpu is 2, and 2500m is in use/],
  },
  'an Agent that fits': { verdict: judgeAgent(requestOf(agent()), factsOf()) },
  'an Agent in no tenant': {
    verdict: judgeAgent(requestOf(agent(), { namespace: 'other' }), factsOf()),
    warned: [/belongs to no tenant/],
  },
  'an Agent of a class that is not there': {
    verdict: judgeAgent(requestOf(agent({ gpu: { class: 'h100', count: 1 } })), factsOf()),
    warned: [/spec\.gpu\.class: h100 does not exist/],
  },
  'an Agent of a class that its tenant has no quota of': {
    verdict: judgeAgent(
      requestOf(agent({ gpu: { class: 'h100', count: 1 } })),
      factsOf({ gpuClass: () => makeClass('h100'), tenantOf: () => tenant({ quotas: { gpus: [] } }) }),
    ),
    refused: [['quota_exceeded', /h100 is not in the tenant's quota; allowed are none/]],
  },
  'an Agent with an image from elsewhere': {
    verdict: judgeAgent(
      requestOf(agent()),
      factsOf({ tenantOf: () => tenant({ entitlements: { registries: ['other.example.com'] } }) }),
    ),
    refused: [
      ['policy_blocked', /spec\.container\.image: .* is not allowed; allowed are other\.example\.com/],
    ],
  },
  'a Run of an Agent that is not there yet': {
    verdict: judgeRun(requestOf(makeRun()), factsOf()),
    warned: [/namespace acme-dev has no Agent .*; the Run waits until there is one/],
  },
  'a Run of an Agent that takes requests': {
    verdict: judgeRun(requestOf(makeRun()), factsOf({ agent: () => agent({ shape: 'service' }) })),
    refused: [['invalid_request', /is of shape service; allowed are Agents of the shapes job and remote/]],
  },
  'a Run with tools that its Agent is not entitled to': {
    verdict: judgeRun(
      requestOf(makeRun({ tools: ['search', 'shell'] })),
      factsOf({ agent: () => agent({ entitlements: { tools: ['search'] } }) }),
    ),
    refused: [['policy_blocked', /spec\.tools: found shell, .* allowed are search/]],
  },
  'a Run that would never fit': {
    verdict: judgeRun(
      requestOf(makeRun()),
      factsOf({
        agent: () => agent({ container: { image: 'x/y:1', resources: { requests: { cpu: '9' } } } }),
        tenantOf: () => tenant({ quotas: { compute: { 'requests.cpu': '4' } } }),
      }),
    ),
    refused: [
      ['quota_exceeded', /no Run of Agent .* can start: .*one Run takes 9 of requests\.cpu; at most 4/],
    ],
  },
  'a Run whose tenant is suspended': {
    verdict: judgeRun(
      requestOf(makeRun()),
      factsOf({ agent: () => agent(), tenantOf: () => tenant({ suspended: true }) }),
    ),
    warned: [/is suspended/],
  },
  'a Run that is changed': {
    verdict: judgeRun(requestOf(makeRun(), { operation: 'UPDATE', oldObject: makeRun() }), factsOf()),
  },
  'a class that nobody uses, gone': {
    verdict: judgeGPUClass(requestOf(makeClass('h100'), { operation: 'DELETE' }), factsOf()),
  },
  'a class that Agents use, gone': {
    verdict: judgeGPUClass(
      requestOf(makeClass('h100'), { operation: 'DELETE' }),
      factsOf({ agentsOfClass: () => Array.from({ length: 7 }, () => agent()) }),
    ),
    refused: [['conflict', /GPU class h100 is in use by Agents .* and 2 more/]],
  },
  'a class that is in quotas alone, gone': {
    verdict: judgeGPUClass(
      requestOf(makeClass('h100'), { operation: 'DELETE' }),
      factsOf({ tenantsOfClass: () => [TENANT] }),
    ),
    warned: [/GPU class h100 is in the quotas of Tenant acme/],
  },
  'a pack of the platform for some tenants': {
    verdict: judgePolicyPack(pack('platform', { tenants: { names: ['acme'] } }), factsOf(), PLATFORM),
  },
  'a pack of a tenant that reaches for others': {
    verdict: judgePolicyPack(pack(NAMESPACE, { tenants: { names: ['umbrella'] } }), factsOf(), PLATFORM),
    refused: [
      ['forbidden', /spec\.binding\.tenants: found in namespace acme-dev; allowed in platform alone/],
    ],
  },
  'a pack of nobody': {
    verdict: judgePolicyPack(pack('default', {}), factsOf(), PLATFORM),
    warned: [/default belongs to no tenant/],
  },
  'a pack for what nobody asks about': {
    verdict: judgePolicyPack(
      pack(NAMESPACE, {
        rules: [
          { apiGroups: ['', 'apps'], resources: ['pods', 'secrets'] },
          { apiGroups: ['*'], resources: ['*'] },
          { apiGroups: [''], resources: ['pods/*'] },
        ],
      }),
      factsOf(),
      PLATFORM,
    ),
    warned: [/about secrets,/, /about pods\.apps,/, /about secrets\.apps,/],
  },
  'a pack for kinds of others': {
    verdict: judgePolicyPack(
      pack(NAMESPACE, {
        rules: [
          { apiGroups: ['argoproj.io'], resources: ['rollouts', 'rollouts/scale', 'workflows'] },
          { apiGroups: ['argoproj.io'], resources: ['rollouts'], operations: ['DELETE'] },
        ],
      }),
      factsOf({
        registered: () => [
          {
            apiGroups: ['argoproj.io'],
            resources: ['rollouts', 'rollouts/scale'],
            operations: ['CREATE', 'UPDATE'],
          },
        ],
      }),
      PLATFORM,
    ),
    warned: [
      /about workflows\.argoproj\.io, so nothing of it is judged; the platform can have it ask \(chart value webhooks\.policy\.resources\)$/,
      /about DELETE of rollouts\.argoproj\.io, so nothing of it is judged$/,
    ],
  },
  'a pack for operations that nobody asks about': {
    verdict: judgePolicyPack(
      pack(NAMESPACE, {
        rules: [
          { apiGroups: [''], resources: ['pods'], operations: ['CREATE', 'DELETE', 'CONNECT'] },
          { apiGroups: ['nexusos.dev'], resources: ['gpuclasses'], operations: ['DELETE'] },
          { apiGroups: ['apps'], resources: ['deployments/scale'] },
          { apiGroups: ['apps'], resources: ['daemonsets/scale'] },
        ],
      }),
      factsOf(),
      PLATFORM,
    ),
    warned: [
      /about DELETE and CONNECT of pods,/,
      /about daemonsets\/scale\.apps,/,
      /gpuclasses\.nexusos\.dev that exist are not read for reports/,
    ],
  },
  'a pack that asks for more time than is given': {
    verdict: judgePolicyPack(withDeadline(61), factsOf(), PLATFORM),
    warned: [/^spec\.evaluation\.deadlineMs: found 61; at most 60 are given$/],
  },
  'a pack that asks for all the time there is': {
    verdict: judgePolicyPack(withDeadline(60), factsOf(), PLATFORM),
  },
  'an exemption for three months less a day': {
    verdict: judgePolicyExemption(exemption('2027-02-19T12:00:00Z'), factsOf(KNOWN), PLATFORM),
  },
  'an exemption for longer': {
    verdict: judgePolicyExemption(exemption('2027-02-21T12:00:00Z'), factsOf(KNOWN), PLATFORM),
    refused: [
      ['invalid_request', /spec\.expiresAt: found 2027-02-21T12:00:00Z; .* before 2027-02-20T12:00:00\.000Z/],
    ],
  },
  'an exemption that is over': {
    verdict: judgePolicyExemption(exemption('2026-11-22T11:59:59Z'), factsOf(KNOWN), PLATFORM),
    refused: [['invalid_request', /a time after now/]],
  },
  'an exemption that is approved when it is over': {
    verdict: judgePolicyExemption(
      exemption('2026-11-22T11:59:59Z', { operation: 'UPDATE' }),
      factsOf(KNOWN),
      PLATFORM,
    ),
  },
  'an exemption beside as many as a floor knows': {
    verdict: judgePolicyExemption(exemption('2026-12-01T00:00:00Z'), factsOf(manyExemptions(128)), PLATFORM),
    warned: [/^spec\.packRef: platform\/baseline has 128 exemptions or more that count; /],
  },
  'an exemption that the floor has room for': {
    verdict: judgePolicyExemption(exemption('2026-12-01T00:00:00Z'), factsOf(manyExemptions(127)), PLATFORM),
  },
  'an exemption of a tenant, from what is not there': {
    verdict: judgePolicyExemption(
      exemption('2026-12-01T00:00:00Z', { namespace: NAMESPACE }),
      factsOf(),
      PLATFORM,
    ),
    refused: [['forbidden', /metadata\.namespace: found acme-dev; allowed is platform/]],
    warned: [/namespace platform has no PolicyPack baseline/],
  },
};

for (const [title, { verdict, refused = [], warned = [] }] of Object.entries(CASES)) {
  test(title, (t) => {
    const { refusals = [], warnings = [] } = verdict;
    t.deepEqual(
      refusals.map(({ code }) => code),
      refused.map(([code]) => code as never),
    );
    for (const [index, [, words]] of refused.entries()) t.regex(refusals[index]!.message, words);
    t.is(warnings.length, warned.length, warnings.join('\n'));
    for (const [index, words] of warned.entries()) t.regex(warnings[index]!, words);
  });
}

test('who asks for no other spec is refused nothing', (t) => {
  const object = makeRun();
  const marked = { ...object, metadata: { ...object.metadata, labels: { a: 'b' } } };
  const update = { operation: 'UPDATE', oldObject: object } as const;
  t.false(asksForChange(requestOf(marked, update)));
  t.true(asksForChange(requestOf({ ...object, spec: { ...object.spec, cancel: true } }, update)));
  t.true(asksForChange(requestOf(object)));
});
