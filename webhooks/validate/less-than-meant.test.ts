// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { AGENT } from '#crds/v1alpha1/agent';
import type { Schedule } from '#crds/v1alpha1/agent-schedule';
import { type Prices, readPrices } from '#operator/core/metering/prices';
import type { KubeObject } from '#operator/core/object';
import { makeAgent as agent, makeTenant as tenant } from '#operator/core/run/testing/make';
import { type ForeignKind, registeredRules, registrations } from '../registrations.ts';
import type { AdmissionRequest } from '../review.ts';
import { judgeAgent } from './agent.ts';
import type { Facts } from './facts.ts';
import { judgePolicyPack } from './policy-pack.ts';
import { judgeTenant } from './tenant.ts';
import type { Verdict } from './verdict.ts';

// What is taken, though it will come to less than who writes it may think.

const NOW = new Date('2026-11-22T12:00:00Z');
const PLATFORM = { platformNamespace: 'platform' };
const TENANT = tenant();
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

const BUDGETS = { quotas: { cost: [{ window: 'day' as const, limit: '20' }] } };

function pricesOf(text: string): Prices {
  const read = readPrices(text);
  if (read.kind === 'refused') throw new Error(read.problems.join(' '));
  return read.prices;
}

const GATEWAY = 'gateway.networking.k8s.io';
const ROUTES = { rules: [{ apiGroups: [GATEWAY], resources: ['grpcroutes', 'httproutes'] }] };

/** What the API server asks about where the platform names these kinds. */
function registeredWith(foreign: readonly ForeignKind[]) {
  const [validating] = registrations({
    operatorUser: 'operator',
    platformNamespace: PLATFORM.platformNamespace,
    breakGlassGroups: '[]',
    client: (path) => ({ url: path }),
    timeoutSeconds: 3,
    foreign,
  });
  return registeredRules(validating);
}

interface Case {
  readonly verdict: Verdict;
  readonly warned?: readonly RegExp[];
}

function pack(namespace: string, binding: object): AdmissionRequest {
  return requestOf({ metadata: { name: 'p', namespace }, spec: { binding } }, { namespace });
}

/** Of the pack p. */
function goingBack(rollbackTo: string, more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return requestOf({ metadata: { name: 'p', uid: UID }, spec: { rollbackTo } }, { name: 'p', ...more });
}

const UID = 'uid-of-p';

/** Without its UID. */
const UNKNOWN = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'PolicyPack',
  metadata: { name: 'p' },
  spec: { rollbackTo: 'p-0' },
};

/** Of the pack p, and one of a pack of that name that was deleted before. */
const packRevisions: Facts['packRevisions'] = (namespace, name) =>
  (name === 'p' ? ['p-0', 'p-1', 'p-2'] : []).map((revision, day) => ({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPackRevision',
    metadata: { name: revision, namespace, creationTimestamp: `2026-11-0${day + 1}T00:00:00Z` },
    spec: { packRef: { name, uid: revision === 'p-0' ? 'uid-of-a-namesake' : UID } },
  }));

function scheduled(cron: string, timeZone = 'UTC'): Schedule {
  return AGENT.spec.parse({ container: { image: 'a.example/b:1' }, schedule: { cron, timeZone } }).schedule!;
}

const CASES: Readonly<Record<string, Case>> = {
  'a Tenant with quotas that nobody enforces': {
    verdict: judgeTenant(
      requestOf(tenant({ namespaces: [], quotas: { toolCallsPerMinute: 5, memoryBytes: '1Gi' } })),
      factsOf(),
      PLATFORM,
    ),
    warned: [
      /^spec\.quotas\.toolCallsPerMinute is recorded, and not enforced/,
      /^spec\.quotas\.memoryBytes is recorded, and not enforced/,
    ],
  },
  'an Agent that starts Runs by a schedule': {
    verdict: judgeAgent(requestOf(agent({ schedule: scheduled('0 6 * * 1-5', 'Europe/Berlin') })), factsOf()),
  },
  'an Agent whose schedule never falls due': {
    verdict: judgeAgent(requestOf(agent({ schedule: scheduled('0 0 31 2 *') })), factsOf()),
    warned: [/^spec\.schedule\.cron: found 0 0 31 2 \*, which never falls due; .*nothing is started by it/],
  },
  'an Agent with a time zone that there is not': {
    verdict: judgeAgent(requestOf(agent({ schedule: scheduled('0 6 * * *', 'Europe/Berlinn') })), factsOf()),
    warned: [/^spec\.schedule\.timeZone: found Europe\/Berlinn; allowed are names of the IANA/],
  },
  'an Agent of no tenant, with such a schedule': {
    verdict: judgeAgent(
      requestOf(agent({ schedule: scheduled('0 6 * * *', 'Mars') }), { namespace: 'other' }),
      factsOf(),
    ),
    warned: [/belongs to no tenant/, /^spec\.schedule\.timeZone: found Mars/],
  },
  'a Tenant with a budget of cost, and no price': {
    verdict: judgeTenant(requestOf(tenant(BUDGETS)), factsOf(), { ...PLATFORM, prices: pricesOf('{}') }),
    warned: [
      /^spec\.quotas\.cost is recorded, and not enforced: .* no price for plan standard \(platform\.prices/,
    ],
  },
  'a Tenant with a budget of cost, and a price for another plan': {
    verdict: judgeTenant(requestOf(tenant({ ...BUDGETS, plan: 'free' })), factsOf(), {
      ...PLATFORM,
      prices: pricesOf('{"currency":"USD","plans":{"gold":{"runUnits":"9"}}}'),
    }),
    warned: [/no price for plan free /],
  },
  'a Tenant with a budget of cost, and a price': {
    verdict: judgeTenant(requestOf(tenant(BUDGETS)), factsOf(), {
      ...PLATFORM,
      prices: pricesOf('{"currency":"USD","default":{"runUnits":"9"}}'),
    }),
  },
  'a Tenant without either': {
    verdict: judgeTenant(requestOf(tenant()), factsOf(), { ...PLATFORM, prices: pricesOf('{}') }),
  },
  'a pack for what no report tells of': {
    verdict: judgePolicyPack(
      pack(NAMESPACE, { rules: [{ apiGroups: [''], resources: ['configmaps', 'services'] }] }),
      factsOf(),
      PLATFORM,
    ),
    warned: [
      /^spec\.binding\.rules: configmaps that exist are not read for reports, so what .* shadow and cohorts/,
    ],
  },
  'a pack for routes, of which no report tells': {
    verdict: judgePolicyPack(
      pack(NAMESPACE, ROUTES),
      factsOf({ registered: () => registeredWith([]) }),
      PLATFORM,
    ),
    warned: [/: grpcroutes\.gateway\.\S+, httproutes\.gateway\.\S+ that exist are not read for reports/],
  },
  'a pack for routes, of which the platform names one': {
    verdict: judgePolicyPack(
      pack(NAMESPACE, ROUTES),
      factsOf({ registered: () => registeredWith([{ group: GATEWAY, plural: 'httproutes' }]) }),
      PLATFORM,
    ),
    warned: [/^spec\.binding\.rules: grpcroutes\.gateway\.\S+ that exist are not read for reports/],
  },
  'a pack that is to go back to what is there': {
    verdict: judgePolicyPack(goingBack('p-2'), factsOf({ packRevisions }), PLATFORM),
  },
  'a pack that is to go back to what is not there': {
    verdict: judgePolicyPack(goingBack('p-9'), factsOf({ packRevisions }), PLATFORM),
    warned: [
      /^spec\.rollbackTo: p-9 is no PolicyPackRevision of acme-dev\/p, .*; there are, newest first: p-2, p-1$/,
    ],
  },
  'a pack that is to go back to what a namesake has left behind': {
    verdict: judgePolicyPack(goingBack('p-0'), factsOf({ packRevisions }), PLATFORM),
    warned: [/: p-0 is no PolicyPackRevision of acme-dev\/p, .*; there are, newest first: p-2, p-1$/],
  },
  'the same, of a pack that was there before': {
    verdict: judgePolicyPack(
      goingBack('p-0', {
        operation: 'UPDATE',
        object: UNKNOWN,
        oldObject: { ...UNKNOWN, metadata: { name: 'p', uid: UID } },
      }),
      factsOf({ packRevisions }),
      PLATFORM,
    ),
    warned: [/: p-0 is no PolicyPackRevision .*; there are, newest first: p-2, p-1$/],
  },
  'a pack of which no UID is known yet': {
    verdict: judgePolicyPack(goingBack('p-0', { object: UNKNOWN }), factsOf({ packRevisions }), PLATFORM),
  },
  'a pack that has nothing to go back to': {
    verdict: judgePolicyPack(goingBack('p-9'), factsOf(), PLATFORM),
    warned: [/; there are none$/],
  },
  'a pack for routes, while nobody knows what the platform names': {
    verdict: judgePolicyPack(pack(NAMESPACE, ROUTES), factsOf(), PLATFORM),
  },
};

for (const [title, { verdict, warned = [] }] of Object.entries(CASES)) {
  test(title, (t) => {
    const { refusals = [], warnings = [] } = verdict;
    t.deepEqual(refusals, []);
    t.is(warnings.length, warned.length, warnings.join('\n'));
    for (const [index, words] of warned.entries()) t.regex(warnings[index] ?? '', words);
  });
}
