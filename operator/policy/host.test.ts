// SPDX-License-Identifier: Apache-2.0
import test, { type ExecutionContext } from 'ava';
import { createMetrics } from '../telemetry/metrics.ts';
import { type HostEvaluation, type HostOptions, PolicyHost } from './host.ts';
import { type PolicyModule, verifyModule } from './module.ts';
import { compileModule } from './testing/compile.ts';
import { handMade } from './testing/hand-made.ts';
import type { Verdict } from './verdict.ts';

const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** `deny` answers at once, `slow` only for a short list, `fat` takes memory, `broken` gives up. */
const REGO = `package p
  deny contains sprintf("%s is not allowed", [input.name]) if input.name != "good"
  slow := count([1 | some a in input.list; some b in input.list; some c in input.list; a + b + c == -1])
  fat := count({x: concat("", [s | some _ in numbers.range(1, 2000); s := sprintf("%d-%s", [x, input.name])]) | some x in numbers.range(1, 20000)})
  broken := 1 if input.name
  broken := 2 if input.name`;
/** Long enough for what ends, however busy the machine is. */
const DEADLINE_MS = 10_000;
const LONG_LIST = Array.from({ length: 400 }, (_, index) => index);

let compiled: Promise<PolicyModule> | undefined;

function policy(): Promise<PolicyModule> {
  compiled ??= compileModule({ rego: REGO, entrypoints: ['p/deny', 'p/slow', 'p/fat', 'p/broken'] });
  return compiled;
}

async function host(t: ExecutionContext, options: Partial<HostOptions> = {}) {
  const metrics = createMetrics();
  const limits = { maxDeadlineMs: DEADLINE_MS, maxWaitMs: 30_000, patienceMs: 60_000, ...options.limits };
  const workers = { platformWorkers: 1, tenantWorkers: 2, spareWorkers: 1 };
  const made = new PolicyHost({ ...workers, metrics, ...options, limits });
  t.teardown(() => made.close());
  await made.ready();
  const module = await policy();
  // Loading takes its time on a machine that is busy; deadlines are tried with what is loaded.
  for (const tenant of ['a', undefined]) await made.prepare({ module, memoryMiB: 16, tenant });
  const asked = {
    module,
    entrypoint: 'p/deny',
    nowNs: 0n,
    deadlineMs: DEADLINE_MS,
    memoryMiB: 16,
    tenant: 'a',
  };
  const ask = (changes: Partial<HostEvaluation> & { readonly about?: unknown } = {}): Promise<Verdict> => {
    const { about = { name: 'bad' }, ...rest } = changes;
    return made.evaluate({ ...asked, input: utf8(about), ...rest });
  };
  return { host: made, ask, module, metrics };
}

const slow = { entrypoint: 'p/slow', memoryMiB: 64, deadlineMs: 250, about: { list: LONG_LIST } };

/** What a verdict says, without how long it took. */
function said(verdict: Verdict): unknown {
  if (verdict.kind === 'failed') return verdict.reason;
  return verdict.kind === 'value' ? verdict.value : undefined;
}

test.serial('a prepared module answers, and so does one that is not', async (t) => {
  const { host: made, ask, module, metrics } = await host(t);
  t.deepEqual(said(await ask()), ['bad is not allowed']);
  t.deepEqual(await made.prepare({ module, memoryMiB: 16, tenant: 'a' }), { kind: 'ready' });
  t.deepEqual(said(await ask()), ['bad is not allowed']);
  t.deepEqual(said(await ask({ about: { name: 'good' } })), []);
  t.is(said(await ask({ entrypoint: 'p/broken', about: {} })), undefined);
  t.is(said(await ask({ entrypoint: 'p/broken' })), 'Abort');
  t.deepEqual(said(await ask()), ['bad is not allowed'], 'after a failure, too');
  t.is(said(await ask({ entrypoint: 'p/none' })), 'Entrypoint');
  t.regex(await metrics.text(), /nexusos_policy_evaluations_total\{scope="tenant",outcome="Abort"\} 1/);
});

/** Takes no memory, however long it goes on. */
async function endlessModule(): Promise<PolicyModule> {
  const verified = verifyModule(await handMade({ evaluate: '(loop $on (br $on)) unreachable' }));
  if (verified.kind === 'refused') throw new Error(verified.faults[0]?.message);
  return verified.module;
}

test.serial('what does not end is stopped, while others are answered', async (t) => {
  // What it takes is not to be what its next one is refused for.
  const budget = { msPerSecond: 1e6, burstMs: 1e6 };
  const { host: made, ask, module } = await host(t, { limits: { budget } });
  await made.prepare({ module, memoryMiB: 16, tenant: 'a' });
  await made.prepare({ module, memoryMiB: 16, tenant: undefined });
  let isOver = false;
  // It goes on for ten seconds: the others are not to be late because this thread was held up for some.
  const endless = { module: await endlessModule(), entrypoint: 'p/x', memoryMiB: 8 };
  const runaway = ask({ ...endless, deadlineMs: DEADLINE_MS }).finally(() => {
    isOver = true;
  });
  const others = await Promise.all([ask({ tenant: 'b' }), ask({ tenant: undefined })]);
  t.false(isOver);
  t.deepEqual(others.map(said), [['bad is not allowed'], ['bad is not allowed']]);
  t.is(said(await runaway), 'Timeout');
  t.deepEqual(said(await ask()), ['bad is not allowed'], 'its own next one is answered by another worker');
});

/** As one would be that gets by without asking for time: then the host has to stop it, with its worker. */
const unmetered = (module: PolicyModule): PolicyModule => ({
  ...module,
  digest: `${module.digest} unmetered`,
  metered: module.bytes,
});

/** Takes some times its deadline of a processor, and then it ends. */
const busy = { entrypoint: 'p/slow', memoryMiB: 64, deadlineMs: 5, about: { list: LONG_LIST.slice(0, 25) } };

test.serial('who did not get a processor is let go on, and who has had it is stopped', async (t) => {
  const starved = await host(t, {
    threadClock: () => 0,
    limits: { quarantine: { strikes: 1, withinMs: 1e6 } },
  });
  const module = unmetered(await policy());
  const verdict = await starved.ask({ ...busy, module });
  t.is(said(verdict), 0, 'it came to its end');
  const { ask } = await host(t);
  t.like(await ask({ ...slow, module }), {
    reason: 'Timeout',
    // As it says itself where it asks for its time.
    message: 'it was stopped after 250 ms or more, of which it had a processor for 100 at least',
  });
});

test.serial('who gets no processor at all is given up without any blame', async (t) => {
  const {
    host: made,
    ask,
    metrics,
  } = await host(t, {
    threadClock: () => 0,
    limits: { quarantine: { strikes: 1, withinMs: 1e6 }, patienceMs: 0 },
  });
  const module = unmetered(await policy());
  const from = performance.now();
  const verdict = await ask({ ...slow, module, deadlineMs: 20 });
  const tookMs = performance.now() - from;
  t.is(said(verdict), 'Overloaded');
  t.regex(
    verdict.kind === 'failed' ? verdict.message : '',
    /^this replica is too busy: within \d+ ms it had a processor for -?\d+ of 20 ms$/,
  );
  t.true(tookMs >= 150, `after ${tookMs} ms`);
  t.is(verdict.micros, 0, 'what it had, and not how long that took');
  t.false(made.isQuarantined({ tenant: 'a', digest: module.digest }));
  t.deepEqual(said(await ask()), ['bad is not allowed']);
  t.regex(await metrics.text(), /nexusos_policy_worker_restarts_total\{reason="deadline"\} 1/);
});

test.serial('where nobody tells of threads, the clock on the wall counts', async (t) => {
  const { ask } = await host(t, { threadClock: () => undefined });
  const module = unmetered(await policy());
  const verdict = await ask({ ...slow, module, deadlineMs: 20 });
  t.like(verdict, { reason: 'Timeout', message: 'it was stopped after 20 ms or more' });
});

test.serial('one tenant never has all workers, and what waits too long is told so', async (t) => {
  const { ask } = await host(t, { limits: { maxWaitMs: 400, maxWaitingPerSubject: 4 } });
  const flood = Array.from({ length: 8 }, () => ask(slow));
  t.deepEqual(said(await ask({ tenant: 'b' })), ['bad is not allowed']);
  const reasons = (await Promise.all(flood)).map(said);
  t.true(reasons.filter((one) => one === 'Timeout').length <= 2, JSON.stringify(reasons));
  t.true(reasons.filter((one) => one === 'Overloaded').length >= 6, JSON.stringify(reasons));
});

test.serial('loading asks the entry points that are used, in a time that is bounded', async (t) => {
  const metrics = createMetrics();
  const limits = { warmUpMs: 400, maxDeadlineMs: DEADLINE_MS, maxWaitMs: 30_000, patienceMs: 60_000 };
  const workers = { platformWorkers: 1, tenantWorkers: 2, spareWorkers: 1 };
  const made = new PolicyHost({ ...workers, metrics, limits });
  t.teardown(() => made.close());
  await made.ready();
  const loops = Array.from({ length: 8 }, (_, index) => `loop${index}`);
  const rego = `package p
    quick := 1
    ${loops.map((name) => `${name} := count([1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); some c in numbers.range(1, 3000); a + b + c == -1])`).join('\n    ')}`;
  const entrypoints = ['p/quick', ...loops.map((name) => `p/${name}`)];
  const module = unmetered(await compileModule({ rego, entrypoints }));
  const preparation = { module, memoryMiB: 64, tenant: 'a' };
  t.deepEqual(await made.prepare({ ...preparation, entrypoints: ['p/quick'] }), { kind: 'ready' });
  const ended = async () => /restarts_total\{reason="deadline"\} ([1-9]\d*)/.exec(await metrics.text())?.[1];
  t.is(await ended(), undefined, 'what is not asked later is not asked now');
  t.deepEqual(await made.prepare(preparation), { kind: 'ready' });
  t.is(await ended(), '1', 'eight of them have the time of one');
  t.like(await made.prepare({ ...preparation, entrypoints: ['p/loop0', 'p/quick'] }), {
    kind: 'refused',
    reason: 'Timeout',
  });
});

test.serial(
  'what takes all the time of loading for its first entry point is refused, without its worker',
  async (t) => {
    const { host: made, metrics } = await host(t, { limits: { warmUpMs: 50 } });
    const rego = `package p
    loop := count([1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); some c in numbers.range(1, 3000); a + b + c == -1])`;
    const module = await compileModule({ rego, entrypoints: ['p/loop'] });
    t.like(await made.prepare({ module, memoryMiB: 64, tenant: 'a' }), {
      kind: 'refused',
      reason: 'Timeout',
    });
    t.notRegex(await metrics.text(), /restarts_total\{reason="deadline"\} [1-9]/);
  },
);

test.serial('memory beyond the limit fails one evaluation, and no other', async (t) => {
  const { ask } = await host(t);
  const verdict = await ask({
    entrypoint: 'p/fat',
    memoryMiB: 2,
    about: { name: 'x'.repeat(1000) },
  });
  t.is(said(verdict), 'OutOfMemory');
  t.deepEqual(said(await ask({ memoryMiB: 2 })), ['bad is not allowed']);
});

test.serial('who has used up its time is told, and only that one', async (t) => {
  let nowMs = 0;
  const budget = { msPerSecond: 100, burstMs: 40 };
  const { ask } = await host(t, { limits: { budget }, clock: () => nowMs });
  t.is(said(await ask(slow)), 'Timeout');
  const refused = await ask();
  t.is(said(refused), 'Overloaded');
  t.regex(
    refused.kind === 'failed' ? refused.message : '',
    /^a has used up the time it has for policies; again in \d+ ms$/,
  );
  t.deepEqual(said(await ask({ tenant: 'b' })), ['bad is not allowed']);
  t.deepEqual(said(await ask({ tenant: undefined })), ['bad is not allowed']);
  t.is(said(await ask({ ...slow, tenant: undefined, subject: 'a' })), 'Timeout');
  t.is(said(await ask({ tenant: undefined, subject: 'a' })), 'Overloaded', 'rules of the platform as well');
  nowMs += 5000;
  t.deepEqual(said(await ask()), ['bad is not allowed']);
});

/** A program that answers every order, and says that this took 10 ms of a processor, and to give memory back 1000. */
const DEAR = `
  import { workerData } from 'node:worker_threads';
  import { Mailbox } from '${new URL('workers/mailbox.ts', import.meta.url).href}';
  const mailbox = new Mailbox(workerData.mailbox);
  const answer = { kind: 'answer', micros: 0, loadMicros: 0 };
  let processorMs = 0;
  const say = (reply) => workerData.port.postMessage({ ...reply, processorMs });
  workerData.port.on('message', ({ id }) => {
    processorMs += 10;
    // What it knows already is asked in its mailbox.
    say({ ...answer, id: id ?? mailbox.take().id, collects: true });
    processorMs += 1000;
    say({ kind: 'collected' });
  });
  say({ ...answer, id: 0, collects: false, thread: undefined });`;

test.serial('who has memory given back pays for that, the first time as well', async (t) => {
  const budget = { msPerSecond: 100, burstMs: 40 };
  const workerUrl = new URL(`data:text/javascript,${encodeURIComponent(DEAR)}`);
  const { ask } = await host(t, { limits: { budget }, clock: () => 0, workerUrl, tenantWorkers: 1 });
  t.is((await ask({ tenant: 'b' })).kind, 'undefined');
  // Its worker takes no order before it has said what that took.
  t.is((await ask({ tenant: 'c' })).kind, 'undefined');
  const refused = await ask({ tenant: 'b' });
  t.regex(refused.kind === 'failed' ? refused.message : '', /^b has used up .*; again in 9710 ms$/);
});

test.serial('who gets no processor is waited for as long as the request can wait', async (t) => {
  let askedAt = 0;
  const threadClock = () => (performance.now() - askedAt < 1500 ? 0 : 1e9);
  const limits = { patienceMs: 0, maxPatienceMs: 60_000 };
  const { ask } = await host(t, { threadClock, limits });
  const module = unmetered(await policy());
  const asked = { ...slow, module, deadlineMs: 20 };
  askedAt = performance.now();
  t.is(said(await ask({ ...asked, patienceMs: 50_000 })), 'Timeout');
  t.true(performance.now() - askedAt >= 1500);
  const bounded = await host(t, { threadClock: () => 0, limits: { ...limits, maxPatienceMs: 10 } });
  t.is(said(await bounded.ask({ ...asked, patienceMs: Infinity })), 'Overloaded');
});

test.serial('what is tried on somebody takes nothing of the time that is theirs', async (t) => {
  const budget = { msPerSecond: 100, burstMs: 40 };
  const { ask } = await host(t, { limits: { budget }, clock: () => 0 });
  const tried = { tenant: undefined, subject: 'a', trial: 'cohort' } as const;
  t.is(said(await ask({ ...slow, ...tried })), 'Timeout');
  const refused = await ask(tried);
  t.regex(
    refused.kind === 'failed' ? refused.message : '',
    /^the trial of a revision for a has used up the time/,
  );
  t.deepEqual(said(await ask({ tenant: undefined, subject: 'a' })), ['bad is not allowed']);
});

test.serial('what is tried waits long for a processor, where nobody waits for what it says', async (t) => {
  const trials = {
    cohort: { maxWaitMs: 30_000, patienceMs: 0 },
    shadow: { maxWaitMs: 30_000, patienceMs: 60_000 },
  };
  let askedAt = 0;
  // Of the first second, it is told of nothing that it had.
  const threadClock = () => (performance.now() - askedAt < 1000 ? 0 : 1e9);
  const { ask } = await host(t, { threadClock, limits: { trials } });
  const module = unmetered(await policy());
  askedAt = performance.now();
  t.is(said(await ask({ ...slow, module, deadlineMs: 20, trial: 'shadow' })), 'Timeout');
  t.true(performance.now() - askedAt >= 1000);
  const starved = await host(t, { threadClock: () => 0, limits: { trials } });
  t.is(said(await starved.ask({ ...slow, module, deadlineMs: 20, trial: 'cohort' })), 'Overloaded');
});

test.serial('three failures in ten minutes put a module in quarantine, until it is released', async (t) => {
  let nowMs = 0;
  const told: unknown[] = [];
  const limits = { budget: { msPerSecond: 1e6, burstMs: 1e6 } };
  const {
    host: made,
    ask,
    module,
  } = await host(t, { limits, clock: () => nowMs, onQuarantine: (owner) => told.push(owner) });
  for (const minute of [0, 11, 12]) {
    nowMs = minute * 60_000;
    t.is(said(await ask(slow)), 'Timeout');
    t.deepEqual(said(await ask()), ['bad is not allowed'], `minute ${minute}`);
  }
  t.is(said(await ask(slow)), 'Timeout');
  t.is(said(await ask()), 'Quarantined');
  t.deepEqual(told, [{ tenant: 'a', digest: module.digest }]);
  t.deepEqual(
    said(await ask({ tenant: 'b' })),
    ['bad is not allowed'],
    'the same module of another tenant has its own record',
  );
  made.release(module.digest);
  t.deepEqual(said(await ask()), ['bad is not allowed']);
});

test.serial('a tenant cannot put a module of the platform in quarantine alone', async (t) => {
  const limits = { budget: { msPerSecond: 1e6, burstMs: 1e6 } };
  const { ask } = await host(t, { limits });
  const platform = { ...slow, tenant: undefined };
  for (const _ of [1, 2, 3, 4]) t.is(said(await ask({ ...platform, subject: 'a' })), 'Timeout');
  t.deepEqual(said(await ask({ tenant: undefined, subject: 'b' })), ['bad is not allowed']);
  t.is(said(await ask({ ...platform, subject: 'b' })), 'Timeout');
  t.is(said(await ask({ ...platform, subject: 'c' })), 'Timeout');
  t.is(said(await ask({ tenant: undefined })), 'Quarantined');
});

test.serial('closing ends what is under way and what waits', async (t) => {
  const { host: made, ask } = await host(t);
  const all = [ask(slow), ask(slow), ask({ tenant: 'b' })];
  await made.close();
  const reasons = (await Promise.all(all)).map(said);
  t.true(
    reasons.every((one) => one === 'Lost' || one === 'Overloaded'),
    JSON.stringify(reasons),
  );
  t.is(said(await ask()), 'Overloaded');
});
