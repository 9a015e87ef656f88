// SPDX-License-Identifier: Apache-2.0
import { MessagePort } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { createMetrics } from '../telemetry/metrics.ts';
import { type HostEvaluation, type HostOptions, PolicyHost } from './host.ts';
import { type PolicyModule, verifyModule } from './module.ts';
import { handMade } from './testing/hand-made.ts';

const PATIENT = { maxDeadlineMs: 60_000, loadDeadlineMs: 50_000, maxWaitMs: 60_000, patienceMs: 60_000 };
const AWAY = new Uint8Array();
/** What is counted for a module, by its bytes. A tenant has half of the room at most. */
const COUNTED = 6;

/** Two modules of one size, whose bytes have to be fetched. */
async function twoModules() {
  const made = await Promise.all(
    ['one', 'two'].map((name) => handMade({ more: `(data (i32.const 3000) "${name}")` })),
  );
  const blobs = new Map<string, Uint8Array>();
  let metered = 0;
  const modules = made.map((bytes): PolicyModule => {
    const verified = verifyModule(bytes);
    if (verified.kind === 'refused') throw new Error(JSON.stringify(verified.faults));
    const { module } = verified;
    blobs.set(module.digest, bytes);
    metered = Math.max(metered, module.metered.length);
    return { ...module, bytes: AWAY, metered: AWAY };
  });
  const [one, two] = modules as [PolicyModule, PolicyModule];
  return {
    one,
    two,
    room: 3 * metered * COUNTED,
    fetch: (digest: string) => Promise.resolve(blobs.get(digest)),
  };
}

/** A host that has room for one of both. */
async function world(t: ExecutionContext, options: Partial<HostOptions> = {}) {
  const { one, two, room, fetch } = await twoModules();
  const limits = { ...PATIENT, keptBytes: room, ...options.limits };
  const workers = { platformWorkers: 1, tenantWorkers: 2, spareWorkers: 1 };
  const host = new PolicyHost({ ...workers, metrics: createMetrics(), fetch, ...options, limits });
  t.teardown(() => host.close());
  await host.ready();
  const prepare = async (module: PolicyModule) => host.prepare({ module, memoryMiB: 16, tenant: 'a' });
  const ask = (module: PolicyModule, changes: Partial<HostEvaluation> = {}) =>
    host.evaluate({
      module,
      entrypoint: 'p/x',
      input: new TextEncoder().encode('{}'),
      nowNs: 0n,
      deadlineMs: 60_000,
      memoryMiB: 16,
      tenant: 'a',
      ...changes,
    });
  return { one, two, prepare, ask };
}

interface Told {
  readonly key?: string;
  readonly source?: unknown;
  readonly loadDeadlineMs?: number;
}

/** What workers are told of a module from now on. */
function toldOf(t: ExecutionContext, { digest }: PolicyModule): readonly Told[] {
  const told: Told[] = [];
  const usual = Object.getOwnPropertyDescriptor(MessagePort.prototype, 'postMessage') ?? {};
  const value = function (this: MessagePort, ...sent: readonly [Told]): void {
    const [{ key, source }] = sent;
    if (source !== undefined && key?.startsWith(digest) === true) told.push(sent[0]);
    Reflect.apply(usual.value as () => void, this, sent);
  };
  Object.defineProperty(MessagePort.prototype, 'postMessage', { ...usual, value });
  t.teardown(() => Object.defineProperty(MessagePort.prototype, 'postMessage', usual));
  return told;
}

test.serial('who asks for what had to go waits for one worker to load it, in time of its own', async (t) => {
  const { one, two, prepare, ask } = await world(t);
  const told = toldOf(t, one);
  t.deepEqual(await prepare(one), { kind: 'ready' });
  t.is(told.length, 2, 'to be prepared, each worker loads it');
  t.deepEqual(await prepare(two), { kind: 'ready' }, 'for which the other has to go');
  t.like(await ask(one), { kind: 'value', value: true });
  t.deepEqual(
    told.slice(2).map(({ loadDeadlineMs }) => loadDeadlineMs),
    [PATIENT.loadDeadlineMs],
  );
  await ask(one);
  t.is(told.length, 3, 'which knows it from then on');
  await Promise.all([ask(one, { subject: 'b' }), ask(one, { subject: 'c' })]);
  t.deepEqual(
    told.slice(3).map(({ loadDeadlineMs }) => loadDeadlineMs),
    [PATIENT.loadDeadlineMs],
    'the other worker when it is asked for the first time',
  );
});

test.serial('what never had to go has no time beside its deadline', async (t) => {
  const { one, prepare, ask } = await world(t, { limits: { keptBytes: 1e9 } });
  t.deepEqual(await prepare(one), { kind: 'ready' });
  const told = toldOf(t, one);
  await ask(one);
  await ask(one, { memoryMiB: 8 });
  t.deepEqual(
    told.map(({ loadDeadlineMs }) => loadDeadlineMs),
    [undefined],
    'with other memory it is another one',
  );
});

/** Deadlines by which `ODD` knows what it is to do. */
const HOLDS_MS = 59_001;
const ENDS_MS = 59_002;
/**
 * A program that answers every order, and says that it took 40 ms of a processor, of which 30 to load. Some questions it answers when it has to forget
 * something, or not at all, as it ends.
 */
const ODD = new URL(
  `data:text/javascript,${encodeURIComponent(`
  import { workerData } from 'node:worker_threads';
  import { Mailbox } from '${new URL('workers/mailbox.ts', import.meta.url).href}';
  const mailbox = new Mailbox(workerData.mailbox);
  const { port } = workerData;
  let processorMs = 0;
  let held = [];
  const say = (id, times) => port.postMessage({ kind: 'answer', json: '[{"result":true}]', collects: false, id, processorMs, ...times });
  const answer = (id) => {
    processorMs += 40;
    say(id, { micros: 40_000, loadMicros: 30_000 });
  };
  port.on('message', (order) => {
    if (order.kind === 'forget') {
      held.forEach(answer);
      held = [];
      return;
    }
    const { id, deadlineMs } = order.kind === 'look' ? mailbox.take() : order;
    if (deadlineMs === ${ENDS_MS}) process.exit();
    if (deadlineMs === ${HOLDS_MS}) held.push(id);
    else answer(id);
  });
  say(0, { micros: 0, loadMicros: 0, thread: undefined });`)}`,
);

test.serial('what all workers have again is as any other to the next worker', async (t) => {
  const { one, two, prepare, ask } = await world(t, { workerUrl: ODD });
  await prepare(one);
  await prepare(two);
  t.deepEqual(await prepare(one), { kind: 'ready' }, 'it had to go, and is there again');
  const told = toldOf(t, one);
  t.like(await ask(one, { deadlineMs: ENDS_MS }), { kind: 'failed', reason: 'Lost' });
  t.like(await ask(one), { kind: 'value' });
  // The other worker is asked beside it.
  await Promise.all([ask(one, { subject: 'b' }), ask(one, { subject: 'c' })]);
  t.deepEqual(
    told.map(({ loadDeadlineMs }) => loadDeadlineMs),
    [undefined],
    'the one that took the place of the one that ended was told, without time beside the deadline',
  );
});

test.serial(
  'what has to go while a question waits for a worker is loaded in time of its own, too',
  async (t) => {
    const { one, two, prepare, ask } = await world(t, { workerUrl: ODD, tenantWorkers: 1 });
    await prepare(one);
    const told = toldOf(t, one);
    const held = ask(one, { deadlineMs: HOLDS_MS });
    const waits = ask(one, { subject: 'b' });
    await prepare(two);
    t.like(await held, { kind: 'value' });
    t.like(await waits, { kind: 'value' });
    t.deepEqual(
      told.map(({ loadDeadlineMs }) => loadDeadlineMs),
      [PATIENT.loadDeadlineMs],
    );
  },
);

test.serial('whose it is pays for it to be loaded again, and whose request it is for the rest', async (t) => {
  const budget = { msPerSecond: 100, burstMs: 20 };
  const { one, two, prepare, ask } = await world(t, { limits: { budget }, clock: () => 0, workerUrl: ODD });
  await prepare(one);
  await prepare(two);
  const verdict = await ask(one, { subject: 'b' });
  t.deepEqual(verdict, { kind: 'value', value: true, micros: 10_000 }, 'to load it is none of its rules');
  t.is((await ask(two, { subject: 'b', memoryMiB: 16 })).kind, 'value', 'b has had 10 of its 20 ms');
  const refused = await ask(one);
  t.is(
    refused.kind === 'failed' && refused.message,
    'a has used up the time it has for policies; again in 410 ms',
  );
});

test.serial('who asks a worker that has it already pays for all that it took', async (t) => {
  const budget = { msPerSecond: 100, burstMs: 20 };
  const { one, two, prepare, ask } = await world(t, { limits: { budget }, clock: () => 0, workerUrl: ODD });
  await prepare(one);
  await prepare(two);
  t.like(await ask(one, { subject: 'b' }), { micros: 10_000 });
  // Its tenant paid for that to be loaded, and one of both workers does not have it yet. What the other makes anew is of the request.
  t.deepEqual(await ask(one, { subject: 'c' }), { kind: 'value', value: true, micros: 40_000 });
  const refused = await ask(one, { subject: 'c' });
  t.is(
    refused.kind === 'failed' && refused.message,
    'c has used up the time it has for policies; again in 210 ms',
  );
});
