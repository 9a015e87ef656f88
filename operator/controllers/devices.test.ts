// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import type { RunStatus } from '#crds/v1alpha1/run';
import { eventually } from '#hack/tools/eventually';
import type { Agent } from '../core/agent/agent.ts';
import { revisionSuffix } from '../core/agent/template.ts';
import { AGENTS, NODES } from '../core/resources.ts';
import {
  cancel,
  cordon,
  counts,
  H100,
  L4,
  makeCardPlayers,
  nodeOf,
  occupy,
  occupyCores,
  vacate,
  vacateCores,
} from './testing/gpu-pools.ts';
import { reserve, whileAnotherLeads } from './testing/leadership.ts';
import {
  auditOf,
  becomes,
  createRun,
  makeAgent,
  makeTenant,
  type OwnWorkloadRig,
  runOf,
  startWorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest.serial as TestFn<OwnWorkloadRig>;
const DURATION = 'kwok.nexusos.dev/duration';

type RunKey = Parameters<typeof cancel>[1];

/** Where nobody asks for devices. */
const elsewhere = { namespace: 'idle-main' };

// Of its own: nodes are cordoned, and their cards are taken by pods of nobody's tenant.
test.before(async (t) => {
  const rig = await startWorkloadRig();
  t.context = rig;
  await makeTenant(rig, 'idle', { namespaces: [{ suffix: 'main' }] });
  await makeAgent(rig, { ...elsewhere, name: 'agent' });
});
test.after.always((t) => t.context.close());

function readyOf(status: RunStatus | undefined) {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}

const LONG = { [DURATION]: '600s' };

test('a Run waits while pods of others hold all cards, says so, and starts when they go', async (t) => {
  const rig = t.context;
  await makeCardPlayers(rig);
  await counts(rig, 'l4', { nodes: 2, capacity: 8, allocated: 0, free: 8, largestFree: 4 });
  for (const node of L4) await occupy(rig, node, 4);
  await counts(rig, 'l4', { capacity: 8, allocated: 8, free: 0 });
  const key = { namespace: 'north-x', name: 'late' };
  await createRun(rig, key, { agent: 'one-l4' });
  const { status } = await becomes(rig, key, { phase: 'Queued', reason: 'NoFreeDevices' });
  t.regex(status?.queue?.message ?? '', /asks for 1 device of class l4; 0 are free now/);
  const vacated = performance.now();
  await vacate(rig, 'l4-1');
  await becomes(rig, key, { phase: 'Succeeded' });
  t.log(
    `ended ${Math.round(performance.now() - vacated)} ms after a card was free, of which it ran a second`,
  );
  t.is((await nodeOf(rig, key)).nodeName, 'l4-1');
  await vacate(rig, 'l4-0');
  await counts(rig, 'l4', { allocated: 0, free: 8 });
});

test('five free cards on each of two nodes are five and not eight; a cordoned node has none', async (t) => {
  const rig = t.context;
  const large = { namespace: 'north-x', name: 'large' };
  const first = { namespace: 'south-x', name: 'first' };
  const second = { namespace: 'south-x', name: 'second' };
  for (const node of H100) await occupy(rig, node, 3);
  await counts(rig, 'h100', { capacity: 16, allocated: 6, free: 10, largestFree: 5 });
  await createRun(rig, large, { agent: 'eight', annotations: LONG });
  const { status } = await becomes(rig, large, { phase: 'Queued', reason: 'NoFreeDevices' });
  t.regex(status?.queue?.message ?? '', /10 are free now, at most 5 on one node/);

  await createRun(rig, first, { agent: 'five', annotations: LONG });
  await becomes(rig, first, { phase: 'Running' });
  const { nodeName, wanted } = await nodeOf(rig, first);
  t.true(wanted.includes(nodeName), 'it is on the node that was thought of');
  const other = H100.find((node) => node !== nodeName)!;
  await cordon(rig, other, true);
  await counts(rig, 'h100', { capacity: 16, allocated: 11, free: 0 });
  await createRun(rig, second, { agent: 'five', annotations: LONG });
  await becomes(rig, second, { phase: 'Queued', reason: 'NoFreeDevices' });
  await cordon(rig, other, false);
  await becomes(rig, second, { phase: 'Running' });
  t.is((await nodeOf(rig, second)).nodeName, other);

  t.is((await runOf(rig, large))?.status?.phase, 'Queued');
  await vacate(rig, nodeName);
  await cancel(rig, first);
  await becomes(rig, large, { phase: 'Running' });
  t.is((await nodeOf(rig, large)).nodeName, nodeName);
  await Promise.all([vacate(rig, other), cancel(rig, second), cancel(rig, large)]);
  await counts(rig, 'h100', { allocated: 0, free: 16, largestFree: 8 });
});

test('cards that a Run takes over from another of its tenant are not given to a tenant that waits for some, also when the operator is killed', async (t) => {
  const rig = t.context;
  const quotas = { gpus: [{ class: 'h100', count: 8 }], runs: { preemption: 'LowerPriority' as const } };
  await makeTenant(rig, 'east', { namespaces: [{ suffix: 'x' }], quotas });
  await makeAgent(rig, { namespace: 'east-x', name: 'eight' }, { gpu: { class: 'h100', count: 8 } });
  const [low, high] = ['low', 'high'].map((name) => ({ namespace: 'east-x', name })) as [RunKey, RunKey];
  const [theirs, waits] = ['theirs', 'waits'].map((name) => ({ namespace: 'south-x', name })) as [
    RunKey,
    RunKey,
  ];
  for (const key of [low, theirs]) {
    await createRun(rig, key, { agent: 'eight', annotations: LONG });
    await becomes(rig, key, { phase: 'Running' });
  }
  const { nodeName } = await nodeOf(rig, low);
  await createRun(rig, waits, { agent: 'eight', annotations: LONG });
  await becomes(rig, waits, { phase: 'Queued', reason: 'NoFreeDevices' });
  await createRun(rig, high, { agent: 'eight', annotations: LONG, spec: { priority: 10 } });
  // Somewhere between two of the writes that this takes.
  await rig.restartOperator('kill');
  await becomes(rig, high, { phase: 'Running' });
  t.is((await nodeOf(rig, high)).nodeName, nodeName);
  t.is((await becomes(rig, low, { phase: 'Queued' })).status?.preemptions, 1);
  t.is((await runOf(rig, waits))?.status?.phase, 'Queued');
  for (const key of [low, waits, theirs, high]) await cancel(rig, key);
  await counts(rig, 'h100', { allocated: 0, free: 16, largestFree: 8 });
});

test('a Run that lacks cores keeps its place; one whose cards were taken goes back to the queue, and spends no retry', async (t) => {
  const rig = t.context;
  const key = { namespace: 'north-x', name: 'robbed' };
  // Cores are not counted, so it is admitted; its pod asks for a tenth of one.
  for (const node of L4) await occupyCores(rig, node, 96);
  await createRun(rig, key, { agent: 'one-l4', spec: { retries: { limit: 1 } } });
  const { status } = await becomes(rig, key, { phase: 'Admitted', reason: 'Starting' });
  t.regex(readyOf(status)?.message ?? '', /Insufficient cpu/);
  // Now there are cores, and no cards any more.
  for (const node of L4) await occupy(rig, node, 4);
  for (const node of L4) await vacateCores(rig, node);
  await becomes(rig, key, { phase: 'Queued', reason: 'NoFreeDevices' });
  await counts(rig, 'l4', { allocated: 8, free: 0 });
  await vacate(rig, 'l4-0');
  const ended = await becomes(rig, key, { phase: 'Succeeded' });
  t.like(ended.status, { attempt: 2, retries: { spent: 0, limit: 1 } });
  t.is((await nodeOf(rig, key)).nodeName, 'l4-0');
  await vacate(rig, 'l4-1');
  await counts(rig, 'l4', { allocated: 0, free: 8 });
});

test('devices of dynamic resource allocation are waited for in the same way', async (t) => {
  const rig = t.context;
  const all = { namespace: 'north-x', name: 'all-of-them' };
  const next = { namespace: 'south-x', name: 'one-of-them' };
  await counts(rig, 'dra', { nodes: 1, capacity: 8, free: 8 });
  await createRun(rig, all, { agent: 'eight-dra', annotations: LONG });
  await becomes(rig, all, { phase: 'Running' });
  await createRun(rig, next, { agent: 'one-dra' });
  await becomes(rig, next, { phase: 'Queued', reason: 'NoFreeDevices' });
  await counts(rig, 'dra', { allocated: 8, free: 0 });
  await cancel(rig, all);
  await becomes(rig, next, { phase: 'Succeeded' });
  t.is((await nodeOf(rig, next)).nodeName, 'h100-dra-0');
  await counts(rig, 'dra', { allocated: 0, free: 8 });
});

test('of two tenants that wait, the one that holds fewer cards goes first, though it came later', async (t) => {
  const rig = t.context;
  const [holds, again] = ['holds', 'again'].map((name) => ({ namespace: 'north-x', name }));
  const later = { namespace: 'south-x', name: 'later' };
  const choice = { agent: 'four-l4', annotations: LONG };
  await createRun(rig, holds!, choice);
  await becomes(rig, holds!, { phase: 'Running' });
  const { nodeName } = await nodeOf(rig, holds!);
  const other = L4.find((node) => node !== nodeName)!;
  await occupy(rig, other, 4);
  await counts(rig, 'l4', { allocated: 8, free: 0 });
  for (const run of [again!, later]) {
    await createRun(rig, run, choice);
    await becomes(rig, run, { phase: 'Queued', reason: 'NoFreeDevices' });
  }
  await vacate(rig, other);
  await becomes(rig, later, { phase: 'Running' });
  t.is((await runOf(rig, again!))?.status?.phase, 'Queued');
  await cancel(rig, holds!);
  await becomes(rig, again!, { phase: 'Running' });
  await Promise.all([cancel(rig, later), cancel(rig, again!)]);
  await counts(rig, 'l4', { allocated: 0, free: 8 });
});

test('a Run whose Agent asks for more cards than were reserved for it is reserved for anew, and gets them', async (t) => {
  const rig = t.context;
  const namespace = 'north-x';
  const agent = { namespace, name: 'grows' };
  await makeAgent(rig, agent, { gpu: { class: 'l4', count: 1 } });
  const old = await revisionBut(rig, agent, undefined);
  await rig.client.patch(AGENTS, agent, { body: { spec: { gpu: { count: 2 } } } });
  const active = await revisionBut(rig, agent, old);
  const key = { namespace, name: 'overtaken' };
  const devices = { gpuClass: 'l4', gpus: 1, revision: revisionSuffix(old) };
  await whileAnotherLeads(rig, async () => {
    const { metadata } = await createRun(rig, key, { agent: 'grows', spec: { retries: { limit: 1 } } });
    await reserve(rig, 'north', { ...key, uid: metadata.uid ?? '', agent: 'grows', attempt: 1, ...devices });
  });
  const { status } = await becomes(rig, key, { phase: 'Succeeded' });
  t.like(status, { attempt: 2, gpu: { class: 'l4', count: 2 }, revision: { name: active } });
  t.like(status?.retries, { spent: 0 });
  await counts(rig, 'l4', { allocated: 0, free: 8 });
});

/** The name of the active revision of an Agent, when it is another one than that. */
function revisionBut(
  rig: OwnWorkloadRig,
  agent: { readonly namespace: string; readonly name: string },
  former: string | undefined,
): Promise<string> {
  return eventually(`${agent.name} has another revision than ${former}`, async () => {
    const { status } = ((await rig.client.get(AGENTS, agent)) ?? {}) as Partial<Agent>;
    const name = status?.activeRevision?.name;
    return name === former ? undefined : name;
  });
}

test('two tenants that want more cards than there are take turns; then all is counted, and nothing written', async (t) => {
  const rig = t.context;
  const runs = ['north-x', 'south-x'].flatMap((one) =>
    Array.from({ length: 4 }, (_, i) => ({ namespace: one, name: `turn-${i}` })),
  );
  await Promise.all(runs.map((run) => createRun(rig, run, { agent: 'four-l4' })));
  for (const run of runs) await becomes(rig, run, { phase: 'Succeeded' });
  await counts(rig, 'l4', { allocated: 0, free: 8 });
  const before = (await auditOf(rig)).length;
  await rig.client.patch(NODES, { name: 'l4-0' }, { body: { metadata: { annotations: { beat: '1' } } } });
  await createRun(rig, { ...elsewhere, name: 'meanwhile' });
  await becomes(rig, { ...elsewhere, name: 'meanwhile' }, { phase: 'Succeeded' });
  const written = (await auditOf(rig))
    .slice(before)
    .filter(({ resource }) => resource.startsWith('gpuclasses'));
  t.deepEqual(
    written.filter(({ verb }) => verb !== 'get' && verb !== 'list' && verb !== 'watch'),
    [],
  );
});
