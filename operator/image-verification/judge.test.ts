// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { eventually } from '#hack/tools/eventually';
import { temporaryFolder } from '#hack/tools/testing/temporary-folder';
import type { PolicyInputs } from '../core/images/inputs.ts';
import type { Gathered } from '../supply-chain/evidence.ts';
import { JUDGE_LIMITS, type JudgeOrder, JudgeProcess } from './judge.ts';
import { JudgePool } from './judge-pool.ts';
import { inputsBy } from './testing/policy-inputs.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();

function inputs(pem = PEM, platforms: ImagePolicySpec['platforms'] = 'Index'): PolicyInputs {
  const { spec, ...rest } = inputsBy(pem);
  return { ...rest, spec: { ...spec, platforms } };
}

function gathered(subject: object = { schemaVersion: 2 }, evidence: Gathered['evidence'] = []): Gathered {
  return { subject: Buffer.from(JSON.stringify(subject)), evidence };
}

function order(fields: Partial<JudgeOrder> = {}): JudgeOrder {
  return {
    digest: DIGEST,
    gathered: new Map([[DIGEST, gathered()]]),
    policies: [inputs()],
    now: new Date('2026-11-01T00:00:00.000Z'),
    ...fields,
  };
}

/** An envelope of so many signatures, each of which is to be tried. */
function heavy(count: number): Gathered['evidence'] {
  const payload = Buffer.from('{}').toString('base64');
  return Array.from({ length: count }, () => ({
    form: 'attestation',
    origin: DIGEST,
    bytes: Buffer.from(JSON.stringify({ payloadType: 'x', payload, signatures: [{ sig: 'AAAA' }] })),
    annotations: {},
  }));
}

test('an image is judged in a process of its own, by each policy', async (t) => {
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const { verdicts, missing } = await judge.judge(order({ policies: [inputs(), inputs('no key')] }));
  t.deepEqual(
    verdicts.map(({ outcome, reason }) => ({ outcome, reason })),
    [
      { outcome: 'Refused', reason: 'NoSignature' },
      { outcome: 'Unknown', reason: 'PolicyInvalid' },
    ],
  );
  t.regex(verdicts[1]?.message ?? '', /spec\.authorities\[0\]\.key\.pem: found no PEM block; wanted is/);
  t.deepEqual(missing, []);
});

test('documents of one image are no evidence for the next', async (t) => {
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const first = await judge.judge(order({ gathered: new Map([[DIGEST, gathered({}, heavy(3))]]) }));
  const second = await judge.judge(order());
  t.not(first.verdicts[0]?.reason, 'NoSignature');
  t.is(second.verdicts[0]?.reason, 'NoSignature');
});

test('images within an index are not asked for where the index itself is refused', async (t) => {
  const within = `sha256:${'b'.repeat(64)}`;
  const index = { manifests: [{ digest: within, platform: { os: 'linux', architecture: 'arm64' } }] };
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const asked = { policies: [inputs()], gathered: new Map([[DIGEST, gathered(index)]]) };
  t.deepEqual((await judge.judge(order(asked))).missing, [], 'it asks of the index alone');
  const each = { ...asked, policies: [{ ...inputs(PEM, 'Each') }] };
  const { verdicts } = await judge.judge(order(each));
  t.is(verdicts[0]?.outcome, 'Refused', 'the index itself is not signed: nobody asks further');
});

test('who finds no process free waits for the next', async (t) => {
  const pool = new JudgePool({ processes: 1 });
  t.teardown(() => pool.close());
  const both = await Promise.all([pool.judge(order()), pool.judge(order())]);
  t.deepEqual(
    both.map(({ verdicts }) => verdicts[0]?.reason),
    ['NoSignature', 'NoSignature'],
  );
});

test('what is sent piece by piece comes as it is, however large', async (t) => {
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  // As nobody may trust it, all of it is read, and none of it counts.
  const bytes = Buffer.alloc(24 << 20, ' ');
  bytes.write('{"payloadType":"x"');
  bytes.write('}', bytes.length - 1);
  const large = { form: 'attestation', origin: DIGEST, bytes, annotations: {} } as const;
  const asked = order({ gathered: new Map([[DIGEST, gathered({}, [large, ...heavy(40)])]]) });
  const { verdicts } = await judge.judge(asked);
  t.is(verdicts[0]?.outcome, 'Refused');
  t.is((await judge.judge(order())).verdicts[0]?.reason, 'NoSignature');
});

test('a policy is told of once, and forgotten by the process when there are many others', async (t) => {
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const first = inputs('no key');
  for (const policies of [
    [first, inputs()],
    Array.from({ length: 300 }, () => inputs()),
    [inputs(), first],
  ]) {
    const { verdicts } = await judge.judge(order({ policies }));
    t.deepEqual(
      verdicts.map(({ reason }) => reason),
      policies.map((one) => (one === first ? 'PolicyInvalid' : 'NoSignature')),
    );
  }
});

test('a judge that is at work is not ended when the patience with it is over', async (t) => {
  t.timeout(120_000);
  // It is looked at several times when that is over; and a thousandth of a processor it has on any machine.
  const does = `
    const had = () => { const { user, system } = process.cpuUsage(); return user + system; };
    while (had() < 1_500_000);
    answer(number);`;
  const limits = { ...JUDGE_LIMITS, patienceMs: 500, longestMs: 1000 * JUDGE_LIMITS.processorMs };
  const judge = new JudgeProcess(limits, await fake(t, does));
  t.teardown(() => judge.close());
  t.is((await judge.judge(order())).verdicts.length, 1);
});

test('a judge has no secrets of the operator, and may read nothing but its program', async (t) => {
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  await judge.judge(order());
  const { pid } = judge;
  // As all that is shipped does it, a judge gives back what is large.
  const dockerfile = await readFile(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
  const [threshold = ''] = /MALLOC_MMAP_THRESHOLD_=\d+/.exec(dockerfile.split(/^FROM /m).at(-1) ?? '') ?? [];
  t.is(await readFile(`/proc/${pid}/environ`, 'utf8'), `${threshold}\0`);
  const curious = `
    import { readFileSync } from 'node:fs';
    import { spawnSync } from 'node:child_process';
    import { Worker } from 'node:worker_threads';
    const tries = [() => readFileSync('/etc/hostname'), () => spawnSync('true'), () => new Worker('0', { eval: true })];
    const said = tries.map((one) => { try { one(); return 'done'; } catch (error) { return error.code; } });
    say({ kind: 'failed', number: 1, message: said.join(), processorMs: 0 });`;
  const prying = new JudgeProcess(JUDGE_LIMITS, await fake(t, curious));
  t.teardown(() => prying.close());
  const denied = ['ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED'].join();
  await t.throwsAsync(prying.judge(order()), { message: `the judge failed (${denied})` });
});

/** A program that does something else when it is told something. */
async function fake(t: ExecutionContext, does: string): Promise<URL> {
  const path = join(await temporaryFolder(t, 'judge'), 'fake.mjs');
  const imports = does.match(/^ *import .*$/gm) ?? [];
  const rest = imports.reduce((text, one) => text.replace(one, ''), does);
  await writeFile(
    path,
    `${imports.join('\n')}
const say = (reply) => {
  const text = Buffer.from(JSON.stringify(reply));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(text.length, 0);
  process.stdout.write(Buffer.concat([head, text]));
};
const answer = (number, missing = []) => {
  say({ kind: 'verdict', number, verdict: {} });
  say({ kind: 'judged', number, missing, processorMs: 0 });
};
say({ kind: 'ready' });
let told = '';
const listen = (piece) => {
  told += piece.toString('latin1');
  const [, found] = /"number":(\\d+)/.exec(told) ?? [];
  if (found === undefined) return;
  process.stdin.off('data', listen);
  const number = Number(found);
  ${rest}
};
process.stdin.on('data', listen);
`,
  );
  return pathToFileURL(path);
}

for (const { name, does, limits, said } of [
  {
    name: 'never ends',
    does: 'for (;;);',
    limits: { processorMs: 300 },
    said: 'judging took more than 0.3 s of a processor',
  },
  {
    name: 'waits for something',
    does: 'setInterval(() => undefined, 1000);',
    limits: { patienceMs: 2000 },
    said: 'judging came to no end within 2 s',
  },
  {
    name: 'takes all memory',
    does: 'const held = []; for (;;) held.push(new Array(1e5).fill(held.length));',
    limits: { heapMiB: 32 },
    said: 'judging took more than 32 MiB',
  },
  {
    name: 'takes memory beside its heap',
    does: 'const held = []; setInterval(() => held.push(Buffer.alloc(1 << 24, 1)), 10);',
    limits: { residentMiB: 192 },
    said: 'judging took more than 192 MiB',
  },
  {
    name: 'falls over',
    does: 'process.exit(7);',
    limits: {},
    said: 'the process that judges is gone: it ended with 7',
  },
  {
    name: 'leaves a policy out',
    does: "say({ kind: 'judged', number, missing: [], processorMs: 0 });",
    limits: {},
    said: 'the process that judges is gone: it left out 1 of 1 policies',
  },
  {
    name: 'says what is no answer',
    does: "process.stdout.write('x'.repeat(100));",
    limits: {},
    said: 'the process that judges is gone: it said something that is no answer',
  },
  {
    name: 'says more than anybody reads',
    does: 'process.stdout.write(Buffer.alloc(8, 0x7f));',
    limits: {},
    said: 'the process that judges is gone: it said something that is no answer',
  },
]) {
  test(`a judge that ${name} is ended, and whoever waits is told`, async (t) => {
    t.timeout(120_000);
    const judge = new JudgeProcess({ ...JUDGE_LIMITS, ...limits }, await fake(t, does));
    t.teardown(() => judge.close());
    const { pid } = judge;
    await t.throwsAsync(judge.judge(order()), { name: 'JudgingEnded', message: said });
    t.is(judge.pid, undefined, `nothing is left of ${pid}`);
    await t.throwsAsync(judge.judge(order()), { message: said }, 'each image has a process of its own');
  });
}

for (const { name, says } of [
  {
    name: 'twice',
    says: 'answer(1);',
  },
  {
    name: 'by more policies than there are',
    says: "for (const _ of [1, 2]) say({ kind: 'verdict', number: 2, verdict: {} });",
  },
  {
    name: 'of no image',
    says: 'answer(undefined);',
  },
]) {
  test(`a judge that answers ${name} is ended, and its answer is not that of the next image`, async (t) => {
    t.timeout(120_000);
    // The second answer comes once the next image is there.
    const does = `answer(1, ['first']); process.stdin.once('data', () => {${says}});`;
    const judge = new JudgeProcess(JUDGE_LIMITS, await fake(t, does));
    t.teardown(() => judge.close());
    t.deepEqual((await judge.judge(order())).missing, ['first']);
    const said = {
      name: 'JudgingEnded',
      message: 'the process that judges is gone: it said something that nobody asked',
      mayBeOthers: true,
    };
    const error = await t.throwsAsync(judge.judge(order()), { name: said.name, message: said.message });
    t.like(error, said);
    t.is(judge.pid, undefined);
  });
}

test('a judge that answers without being asked is ended, and the next image has another', async (t) => {
  t.timeout(120_000);
  const answer = "answer(1, ['first']);";
  const judge = new JudgeProcess(JUDGE_LIMITS, await fake(t, `${answer} setTimeout(() => {${answer}}, 10);`));
  t.teardown(() => judge.close());
  await judge.judge(order());
  // Sooner than one that has nothing to do.
  await eventually('the process is gone', () => judge.pid === undefined, 50_000);
  t.is(judge.pid, undefined);
});

for (const { name, leaves, limits } of [
  {
    name: 'all told',
    leaves: 'const held = Buffer.alloc(1 << 28, 1); setInterval(() => held, 1000);',
    limits: { residentMiB: 256 },
  },
  {
    name: 'in the heap',
    leaves: 'const held = []; for (;;) held.push(new Array(1e5).fill(held.length));',
    limits: { heapMiB: 32 },
  },
]) {
  test(`memory that an image before has left behind is no fault of the next: ${name}`, async (t) => {
    t.timeout(120_000);
    const does = `answer(number); process.stdin.once('data', () => {${leaves}});`;
    const pool = new JudgePool({ limits: { ...JUDGE_LIMITS, ...limits }, url: await fake(t, does) });
    t.teardown(() => pool.close());
    await pool.judge(order());
    const before = pool.pids;
    t.deepEqual((await pool.judge(order())).missing, [], 'it is begun again in a process of its own');
    t.notDeepEqual(pool.pids, before);
  });
}

/** One object of so many names that nobody else has used: few values, and much that is made of each. */
function wide(names: number): Gathered['evidence'] {
  const predicate = Array.from({ length: names }, (_, number) => `"n${number.toString(36)}":0.5`).join();
  const statement = `{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","predicate":{${predicate}}}`;
  const payload = Buffer.from(statement).toString('base64');
  const envelope = { payloadType: 'application/vnd.in-toto+json', payload, signatures: [{ sig: 'AAAA' }] };
  const bytes = Buffer.from(JSON.stringify(envelope));
  return [{ form: 'attestation', origin: DIGEST, bytes, annotations: {} }];
}

test('a document that takes all memory while it is read ends the judge, and neither the operator nor others', async (t) => {
  t.timeout(120_000);
  const pool = new JudgePool({ limits: { ...JUDGE_LIMITS, heapMiB: 64 }, tries: { most: 2 } });
  t.teardown(() => pool.close());
  const hostile = order({ gathered: new Map([[DIGEST, gathered({}, wide(900_000))]]) });
  const first = 'judging took more than 64 MiB; it is tried again';
  await t.throwsAsync(pool.judge(hostile, 'hostile'), { name: 'JudgingEnded', message: first });
  const both = await Promise.allSettled([pool.judge(hostile, 'hostile'), pool.judge(order(), 'other')]);
  const said =
    'judging took more than 64 MiB, 2 times; it is tried again after 60 minutes, or when something else is attached to it';
  t.like(both[0], { status: 'rejected', reason: { name: 'JudgingEnded', message: said } });
  t.like(both[1], { status: 'fulfilled', value: { verdicts: [{ reason: 'NoSignature' }] } });
  await t.throwsAsync(pool.judge(hostile, 'hostile'), { message: said });
});

test('a program that cannot be started is no fault of the image', async (t) => {
  const judge = new JudgeProcess(JUDGE_LIMITS, new URL('./not-here.mjs', import.meta.url));
  t.teardown(() => judge.close());
  await t.throwsAsync(judge.judge(order()), {
    name: 'Error',
    message: 'the process that judges is gone: it ended with 1',
  });
});

test('an image that was being judged when the process was killed is begun again', async (t) => {
  const pool = new JudgePool({ processes: 1 });
  t.teardown(() => pool.close());
  await pool.judge(order());
  const [before] = pool.pids;
  if (before === undefined) throw new Error('nobody judges');
  // It does not answer any more, whatever comes first.
  process.kill(before, 'SIGSTOP');
  const judged = pool.judge(order());
  process.kill(before, 'SIGKILL');
  t.is((await judged).verdicts[0]?.reason, 'NoSignature');
  t.not(pool.pids[0], before);
});

test('what falls over again and again is left alone after some tries, and others go on', async (t) => {
  t.timeout(120_000);
  const pool = new JudgePool({ url: await fake(t, 'process.exit(7);') });
  t.teardown(() => pool.close());
  const asked = order();
  const said = 'the process that judges is gone: it ended with 7';
  for (let time = 1; time < 3; time += 1) {
    await t.throwsAsync(pool.judge(asked), { message: `${said}; it is tried again` });
  }
  const last = `${said}, 3 times; it is tried again after 60 minutes, or when something else is attached to it`;
  await t.throwsAsync(pool.judge(asked), { message: last });
  await t.throwsAsync(pool.judge(asked), { message: last });
  t.deepEqual(pool.pids, [], 'nothing is begun for it any more');
  const other = order({ gathered: new Map([[DIGEST, gathered({}, heavy(1))]]) });
  await t.throwsAsync(pool.judge(other), { message: `${said}; it is tried again` });
});
