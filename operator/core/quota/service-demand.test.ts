// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { AgentStatus } from '#crds/v1alpha1/agent';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { Reservation } from '#crds/v1alpha1/quota-ledger';
import type { ServiceStatus } from '#crds/v1alpha1/agent-service';
import { makeService, type ServiceChoice } from '../agent/service/testing/service-world.ts';
import type { Agent } from '../agent/agent.ts';
import type { KubeObject } from '../object.ts';
import { makeAgent, makeRun, NOW } from '../run/testing/make.ts';
import type { Ledger } from '../tenant/tenant.ts';
import { parseAmounts } from './amounts.ts';
import { candidateOf } from './candidates.ts';
import { planLedger, queueOf } from './ledger.ts';
import { serviceDemands } from './service-demand.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';

const NAMESPACE = 'acme-dev';
const TWO_CORES = {
  container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '2' } } },
};
const RESERVED: Reservation = {
  uid: 'run-uid',
  namespace: NAMESPACE,
  name: 'r',
  agent: 'worker',
  attempt: 1,
};
const WORKER = { ...makeAgent(TWO_CORES), metadata: { ...makeAgent().metadata, name: 'worker' } };

function ledger(cpu: string, suspended = false): Ledger {
  return {
    apiVersion: API_VERSION,
    kind: 'QuotaLedger',
    metadata: { name: 'acme', uid: 'ledger-uid', generation: 1 },
    spec: { tenantUID: 'tenant-uid', suspended, namespaces: [NAMESPACE], hard: { 'requests.cpu': cpu } },
    status: {},
  };
}

function quota(used: string, hard: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'nexusos', namespace: NAMESPACE },
    spec: { hard: { 'requests.cpu': hard } },
    status: { hard: { 'requests.cpu': hard }, used: { 'requests.cpu': used } },
  };
}

/** A service whose pods take two cores each. */
function service(choice: ServiceChoice, status: AgentStatus = {}): Agent {
  const made = makeService(choice, TWO_CORES);
  return { ...made, status: { ...made.status, ...status } };
}

function seen(desiredReplicas: number, replicas: number, updatedReplicas = replicas): AgentStatus {
  const numbers = { desiredReplicas, replicas, updatedReplicas, readyReplicas: replicas };
  return { service: { address: 'http://x', ...numbers } satisfies ServiceStatus };
}

const stalled = saying({ type: 'Stalled', status: 'True' }, 'NameTaken');
const FULL = 'exceeded quota: nexusos, requested: count/services=1, used: count/services=0';

function saying(
  what: { readonly type: string; readonly status: 'True' | 'False' },
  reason: string,
  message = 'x',
): AgentStatus {
  const rest = { observedGeneration: 1, lastTransitionTime: NOW.toISOString() };
  return { conditions: [{ ...what, reason, message, ...rest }] };
}

function unready(reason: string, message?: string): AgentStatus {
  return saying({ type: 'Ready', status: 'False' }, reason, message);
}

interface Case {
  readonly agent: Agent;
  /** Cores of the tenant, and those in use. */
  readonly cpu?: string;
  readonly used?: string;
  /** Whether two of these are of a Run that has started. */
  readonly run?: true;
  readonly suspended?: true;
  /** Whether somebody else's ResourceQuota bears the name of ours. */
  readonly taken?: true;
  /** Pods that are asked for. */
  readonly want: number;
  readonly wantObjects?: true;
}

const cases: Record<string, Case> = {
  'before it is made it asks for all of it': {
    agent: service({ replicas: { min: 3 } }),
    want: 3,
    wantObjects: true,
  },
  'when it stands it asks for nothing': { agent: service({}, seen(3, 3)), want: 0 },
  'after an autoscaler wanted more it asks for these': { agent: service({}, seen(5, 2)), want: 3 },
  'while a revision is rolled out it asks for those beside the old ones': {
    agent: service({ rollout: { maxSurge: '50%', maxUnavailable: 0 } }, seen(3, 3, 0)),
    want: 2,
  },
  'or for a number of them': {
    agent: service({ rollout: { maxSurge: 1, maxUnavailable: 0 } }, seen(3, 3, 0)),
    want: 1,
  },
  'it asks for no more than there could be': {
    agent: service({ replicas: { min: 9 } }),
    cpu: '5',
    want: 2,
    wantObjects: true,
  },
  'what others use for ever is no room': {
    agent: service({}, seen(3, 0)),
    cpu: '10',
    used: '6',
    want: 2,
  },
  'what Runs use is room, since they end': {
    agent: service({}, seen(3, 0)),
    cpu: '10',
    used: '6',
    run: true,
    want: 3,
  },
  'more in use than there is leaves no room': {
    agent: service({}, seen(3, 0)),
    cpu: '4',
    used: '6',
    want: 0,
  },
  'one that cannot go on asks for nothing': { agent: service({}, stalled), want: 0 },
  'one whose pods quota refuses goes on to ask': {
    agent: service({}, { ...seen(3, 0), ...unready('QuotaExceeded') }),
    want: 3,
  },
  'one whose pods something else refuses asks for nothing': {
    agent: service({}, { ...seen(3, 0), ...unready('PodsRefused') }),
    want: 0,
  },
  'one of which something else refuses a write asks for nothing': {
    agent: service({ replicas: { min: 3 } }, unready('WriteRefused')),
    want: 0,
  },
  'one of which quota refuses a write goes on to ask': {
    agent: service({ replicas: { min: 3 } }, unready('WriteRefused', `it is tried again: ${FULL}`)),
    want: 3,
    wantObjects: true,
  },
  'one that waits for something to go asks for nothing': {
    agent: service({ replicas: { min: 3 } }, unready('Replacing')),
    want: 0,
  },
  'one where quota cannot be granted asks for nothing': {
    agent: service({ replicas: { min: 3 } }),
    taken: true,
    want: 0,
  },
  'one of a suspended tenant asks for nothing': { agent: service({}, seen(3, 0)), suspended: true, want: 0 },
  'an Agent that makes Runs asks for nothing': { agent: makeAgent(TWO_CORES), want: 0 },
};

for (const [
  title,
  { agent, cpu = '100', used = '0', run, suspended, taken, want, wantObjects },
] of Object.entries(cases)) {
  test(`a service and quota: ${title}`, (t) => {
    const running = makeRun({ agentRef: { name: 'worker' } }, { phase: 'Running', attempt: 1 });
    const context = {
      ...NOTHING_OF_LEDGER,
      agents: new Map([
        ['acme-dev/agent', agent],
        ['acme-dev/worker', WORKER],
      ]),
      quotas: new Map(taken === true ? [] : [[NAMESPACE, quota(used, cpu)]]),
      taken: new Set(taken === true ? [NAMESPACE] : []),
      runs: run === true ? [running] : [],
      started: new Set(run === true ? ['run-uid'] : []),
    };
    const demands = serviceDemands(ledger(cpu, suspended), context, run === true ? [RESERVED] : []);
    const pods = demands.filter(({ amounts }) => amounts.has('pods'));
    t.is(pods.length, want);
    for (const { amounts } of pods) t.is(amounts.get('requests.cpu'), 2000n);
    t.is(demands.length - pods.length, wantObjects === true ? 1 : 0);
    if (wantObjects === true) t.true(demands[0]?.amounts.has('count/deployments.apps'));
  });
}

function made(name: string, creationTimestamp: string): Agent {
  const agent = service({ replicas: { min: 2 } });
  return { ...agent, metadata: { ...agent.metadata, name, creationTimestamp } };
}

test('the oldest service is first where there is not enough for all', (t) => {
  const young = made('a', '2026-11-21T11:00:00Z');
  const old = made('b', '2026-11-21T10:00:00Z');
  const context = {
    ...NOTHING_OF_LEDGER,
    agents: new Map([
      ['acme-dev/a', young],
      ['acme-dev/b', old],
    ]),
  };
  const counted = (cpu: string) =>
    serviceDemands(ledger(cpu), context, []).filter(({ amounts }) => amounts.has('pods'));
  t.is(counted('8').length, 4);
  t.is(counted('6').length, 3);
});

test('Runs that wait leave to a service what it lacks, and quota moves to where it is', (t) => {
  const waiting = makeRun({ agentRef: { name: 'worker' } });
  const world = (agent: Agent) => ({
    ...NOTHING_OF_LEDGER,
    agents: new Map([
      ['acme-dev/agent', agent],
      ['acme-dev/worker', WORKER],
    ]),
    quotas: new Map([[NAMESPACE, quota('0', '2')]]),
    runs: [waiting],
  });
  t.is(queueOf(ledger('2'), world(service({}, seen(1, 1))), NOW).admitted.length, 1);
  t.is(queueOf(ledger('2'), world(service({}, seen(1, 0))), NOW).admitted.length, 0);

  const two = { ...ledger('4'), spec: { ...ledger('4').spec, namespaces: [NAMESPACE, 'acme-other'] } };
  const hard = { 'requests.cpu': '1' };
  const grants = [
    { namespace: NAMESPACE, hard, revision: 1 },
    { namespace: 'acme-other', hard: { 'requests.cpu': '3' }, revision: 1 },
  ];
  const plan = planLedger(
    { ...two, status: { grants } },
    { ...world(service({}, seen(1, 0))), runs: [] },
    NOW,
  );
  const other = plan.status.grants?.find(({ namespace }) => namespace === 'acme-other');
  t.is(other?.revision, 2, 'what it does not use is taken back');
  t.true((parseAmounts(other?.hard).get('requests.cpu') ?? 9n) <= 2000n, JSON.stringify(other));
});

test('a Run of a service is told where to ask instead, whatever else is wrong with that', (t) => {
  const agent = service({ port: 9000 }, stalled);
  const context = { ...NOTHING_OF_LEDGER, agents: new Map([['acme-dev/agent', agent]]) };
  const { blocked } = candidateOf(makeRun(), context);
  t.is(blocked?.reason, 'AgentIsService');
  t.regex(blocked?.message ?? '', /spec\.agentRef\.name.*shape service.*http:\/\/agent\.acme-dev\.svc:9000/);
});
