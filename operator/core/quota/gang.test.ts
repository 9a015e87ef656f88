// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import type { GPUClassSpec } from '#crds/v1alpha1/gpu-class';
import { agentKey } from '../agent/agent.ts';
import { checkAgent } from '../agent/checks.ts';
import { defined } from '../object.ts';
import { makeAgent, makeClass, makeRun, makeTenant, NOW } from '../run/testing/make.ts';
import { candidateOf } from './candidates.ts';
import { demandOfRest, runDemand } from './demand.ts';
import { estimateOf } from './estimate.ts';
import { planLedger, queueOf } from './ledger.ts';
import { lostReservations } from './lost-reservations.ts';
import { pendingOf } from './stock.ts';
import {
  countedQuota,
  heldRun,
  NAMESPACE,
  namedAgent,
  namedRun,
  preemptingLedger,
} from './testing/make-held.ts';
import { NOTHING_OF_LEDGER } from './testing/make-ledger.ts';
import { ADMITTED_GANG } from '../run/testing/gang-cases.ts';

const GANG = { pods: 3, startTimeoutSeconds: 300 };
const TRIO: Partial<AgentSpec> = {
  container: { image: 'registry.example.com/agent:1', resources: { requests: { cpu: '2', memory: '1Gi' } } },
  gang: GANG,
};
const CARDS: Partial<AgentSpec> = { ...TRIO, gpu: { class: 'h100', count: 2 } };
const gpuClasses = new Map([['h100', makeClass('h100')]]);
const CONTEXT = { ...NOTHING_OF_LEDGER, gpuClasses };

function inWords(amounts: ReadonlyMap<string, bigint>): Record<string, number> {
  return Object.fromEntries([...amounts].map(([key, milli]) => [key, Number(milli) / 1000]));
}

test('a gang takes as many times what a pod takes, and once what they share', (t) => {
  const resources = { requests: { cpu: '2' }, limits: { memory: 100 } };
  const gpu = { class: makeClass('dra', { deviceClassName: 'gpu.example.com' }).spec, count: 2 };
  t.deepEqual(inWords(runDemand(resources, gpu, 3)), {
    pods: 3,
    'count/pods': 3,
    cpu: 6,
    'requests.cpu': 6,
    'limits.memory': 300,
    'gpu.example.com.deviceclass.resource.k8s.io/devices': 6,
    'count/resourceclaims.resource.k8s.io': 3,
    'count/resourceclaimtemplates.resource.k8s.io': 1,
    services: 1,
    'count/services': 1,
  });
  t.false(runDemand(resources, gpu).has('services'), 'one pod needs no other to find it');
});

test('what pods are still to take of which some were made is their part, and nothing of what they share', (t) => {
  const demand = runDemand({ requests: { cpu: '2' }, limits: {} }, undefined, 3);
  t.deepEqual(inWords(demandOfRest(demand, { missing: 1, pods: 3 })), {
    pods: 1,
    'count/pods': 1,
    cpu: 2,
    'requests.cpu': 2,
  });
});

test('a waiting gang asks for all devices at once, and says how many pods share them', (t) => {
  const agent = makeAgent(CARDS);
  const agents = new Map([[agentKey('acme-dev', 'agent'), agent]]);
  t.like(candidateOf(makeRun(), { ...CONTEXT, agents }), { gpu: { class: 'h100', count: 6 }, pods: 3 });
});

test('an estimate is of all pods', (t) => {
  const one = estimateOf(makeRun({ timeoutSeconds: 60 }), makeAgent({ container: TRIO.container! }), CONTEXT);
  const three = estimateOf(makeRun({ timeoutSeconds: 60 }), makeAgent(TRIO), CONTEXT);
  t.is(three.runUnits, 3n * one.runUnits);
});

/** A tenant with so many cards, or cores. */
function tenantWith(gpus: number, cores: string) {
  const quotas = { gpus: [{ class: 'h100', count: gpus }], compute: { 'requests.cpu': cores } };
  return makeTenant({ quotas });
}

test('an Agent is refused whose gang asks for more than the whole quota, with the figures', (t) => {
  const gpuClass = makeClass('h100');
  t.is(checkAgent(makeAgent(CARDS), { tenant: tenantWith(6, '6'), gpuClass }), undefined);
  const refusal = checkAgent(makeAgent(CARDS), { tenant: tenantWith(5, '6'), gpuClass });
  t.is(refusal?.reason, 'NeverFits');
  t.regex(
    refusal?.message ?? '',
    /one Run asks for 6 of class h100 \(spec.gang.pods: 3, with 2 each\); at most 5/,
  );
  t.is(checkAgent(makeAgent(TRIO), { tenant: tenantWith(0, '6'), gpuClass: undefined }), undefined);
  t.regex(
    checkAgent(makeAgent(TRIO), { tenant: tenantWith(0, '5'), gpuClass: undefined })?.message ?? '',
    /one Run of 3 pods takes 6 of requests.cpu; at most 5/,
  );
});

function queueWith(free: string, maxConcurrentRuns = 10) {
  const agents = new Map(namedAgent('trio', TRIO));
  const quota = countedQuota(NAMESPACE, { 'requests.cpu': free }, { 'requests.cpu': '0' });
  const ledger = preemptingLedger(
    { hard: { 'requests.cpu': free }, maxConcurrentRuns, preemption: 'Never' },
    [],
  );
  const runs = ['a', 'b'].map((name, i) => namedRun(name, { agent: 'trio', age: 60 - i }));
  return queueOf(ledger, { ...CONTEXT, agents, runs, quotas: new Map([[NAMESPACE, quota]]) }, NOW);
}

test('a gang holds one place and the compute of all its pods, or waits for all of it', (t) => {
  const { admitted, waiting } = queueWith('11');
  t.deepEqual(
    admitted.map(({ name, pods }) => [name, pods]),
    [['a', 3]],
  );
  t.is(waiting[0]?.reason, 'ComputeQuotaExceeded');
  t.regex(waiting[0]?.message ?? '', /requests.cpu \(found 5, wanted 6\), for 3 pods at once/);
  t.is(queueWith('12').admitted.length, 2);
  t.is(queueWith('12', 1).waiting[0]?.reason, 'ConcurrencyExceeded');
});

test('while some pods are still to be made, what they want is kept for them', (t) => {
  const agents = new Map(namedAgent('trio', TRIO));
  const { run, reservation } = heldRun(1, 'g', { agent: 'trio', reservation: { pods: 3 } });
  const seen = { ...CONTEXT, agents, runs: [run] };
  const pendingCores = (more: object) =>
    pendingOf([reservation], { ...seen, ...more }).map(({ within }) => inWords(within)['requests.cpu']);
  t.deepEqual(pendingCores({}), [6], 'none is made');
  t.deepEqual(pendingCores({ unmade: new Map([['g', 2]]) }), [4], 'one is, which its ResourceQuota counts');
  t.deepEqual(pendingCores({ started: new Set(['g']) }), [], 'all are');
});

test('a gang that no ledger knows gets back all that it holds', (t) => {
  const status = { ...ADMITTED_GANG, gpu: { class: 'h100', count: 6 } };
  t.like(lostReservations([makeRun({}, status)], { madeAt: undefined, keepers: new Set() })[0], {
    gpuClass: 'h100',
    gpus: 6,
    pods: 3,
  });
});

const SIZES = {
  gang: CARDS,
  six: { gpu: { class: 'h100', count: 6 } },
  two: { gpu: { class: 'h100', count: 2 } },
};

/** Who is marked when a Run of `waiting` takes over from one of `running`, of a quota of six cards. */
function victims(
  waiting: keyof typeof SIZES,
  running: keyof typeof SIZES,
  reservation: object,
): readonly string[] {
  const agents = new Map(Object.entries(SIZES).flatMap(([name, spec]) => namedAgent(name, spec)));
  const held = heldRun(1, 'low', { agent: running, reservation: { gpuClass: 'h100', ...reservation } });
  const high = namedRun('high', { agent: waiting, priority: 10 });
  const ledger = preemptingLedger({ gpus: [{ class: 'h100', count: 6 }] }, [held.reservation]);
  const { status } = planLedger(
    ledger,
    { ...CONTEXT, agents, runs: [held.run, high], started: new Set(['low']) },
    NOW,
  );
  return (status.reservations ?? [])
    .filter(({ preemptedBy }) => preemptedBy !== undefined)
    .map(({ name }) => name);
}

test('devices are taken over where they are: from a Run whose pods each make room for whole pods', (t) => {
  t.deepEqual(victims('gang', 'six', { gpus: 6 }), ['low'], 'three pods on the one node');
  t.deepEqual(victims('gang', 'gang', { gpus: 6, pods: 3 }), ['low'], 'one for one');
  t.deepEqual(victims('two', 'gang', { gpus: 6, pods: 3 }), ['low']);
  t.deepEqual(victims('six', 'gang', { gpus: 6, pods: 3 }), [], 'six on three nodes are not six on one');
});

const APPROVAL = { approvers: 'Others', onTimeout: 'Reject' } as const;

interface Kueue {
  readonly deviceClassName?: string;
  readonly approval?: typeof APPROVAL;
}

/** What becomes of a Run of an urgent gang, and of the one that holds all it needs, where Kueue decides on what has no DeviceClass. */
function atKueue({ deviceClassName, approval }: Kueue = {}) {
  const agents = new Map([
    ...namedAgent('gang', { ...CARDS, ...defined({ approval }) }),
    ...namedAgent('six', SIZES.six),
  ]);
  const held = heldRun(1, 'low', { agent: 'six', reservation: { gpuClass: 'h100', gpus: 6 } });
  const runs = [held.run, namedRun('high', { agent: 'gang', priority: 10 })];
  const ledger = preemptingLedger({ gpus: [{ class: 'h100', count: 6 }] }, [held.reservation]);
  const observed = {
    ...CONTEXT,
    gpuClasses: new Map([['h100', makeClass('h100', defined({ deviceClassName }))]]),
    agents,
    runs,
    started: new Set(['low']),
    decidedByKueue: (gpuClass: GPUClassSpec | undefined) => gpuClass?.deviceClassName === undefined,
  };
  const marked = planLedger(ledger, observed, NOW).status.reservations?.filter(
    ({ preemptedBy }) => preemptedBy,
  );
  return { waiting: queueOf(ledger, observed, NOW).waiting[0], marked: marked?.length };
}

test('a gang that Kueue would let in one by one ends nobody, and asks nobody: its queue refuses it', (t) => {
  const { waiting, marked } = atKueue();
  t.is(marked, 0);
  t.is(waiting?.reason, 'WorkloadRefused');
  t.regex(waiting?.message ?? '', /spec.gang of its Agent: found 3 pods where Kueue decides/);
  t.is(atKueue({ approval: APPROVAL }).waiting?.reason, 'WorkloadRefused');
  // We decide on these ourselves.
  const ours = { deviceClassName: 'gpu.example.com' };
  t.is(atKueue(ours).marked, 1, 'it ends the other one');
  t.is(atKueue({ ...ours, approval: APPROVAL }).waiting?.reason, 'ApprovalRequired');
});

const decidedByKueue = () => true;
const of = (spec: Partial<AgentSpec>, more: object) =>
  candidateOf(makeRun(), {
    ...CONTEXT,
    agents: new Map([[agentKey('acme-dev', 'agent'), makeAgent(spec)]]),
    ...more,
  }).blocked?.reason;

test('what is no gang is none of that, nor is one where Kueue decides on nobody', (t) => {
  t.is(of(TRIO, { decidedByKueue }), 'WorkloadRefused');
  t.is(of(SIZES.two, { decidedByKueue }), undefined);
  t.is(of(TRIO, {}), undefined);
  t.is(of(CARDS, { decidedByKueue, gpuClasses: new Map() }), undefined, 'its class may be one of ours yet');
});
