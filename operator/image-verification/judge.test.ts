// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import type { PolicyInputs } from '../core/images/inputs.ts';
import type { Gathered } from '../supply-chain/evidence.ts';
import { JUDGE_LIMITS, type JudgeOrder, JudgeThread } from './judge.ts';
import { JudgePool } from './judge-pool.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();

function inputs(pem = PEM, platforms: ImagePolicySpec['platforms'] = 'Index'): PolicyInputs {
  const spec: ImagePolicySpec = {
    images: ['*'],
    enforcement: 'Enforce',
    unknown: 'Deny',
    maxAgeSeconds: 86_400,
    platforms,
    authorities: [{ name: 'builder', key: { pem } }],
    require: { signatures: { from: ['builder'], threshold: 1 } },
  };
  return { spec, roots: {}, keys: {}, waivers: [] };
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

test('an image is judged in a thread, by each policy', async (t) => {
  const thread = new JudgeThread();
  t.teardown(() => thread.close());
  const { verdicts, missing } = await thread.judge(order({ policies: [inputs(), inputs('no key')] }));
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
  const thread = new JudgeThread();
  t.teardown(() => thread.close());
  const first = await thread.judge(order({ gathered: new Map([[DIGEST, gathered({}, heavy(3))]]) }));
  const second = await thread.judge(order());
  t.not(first.verdicts[0]?.reason, 'NoSignature');
  t.is(second.verdicts[0]?.reason, 'NoSignature');
});

test('images within an index are not asked for where the index itself is refused', async (t) => {
  const within = `sha256:${'b'.repeat(64)}`;
  const index = { manifests: [{ digest: within, platform: { os: 'linux', architecture: 'arm64' } }] };
  const thread = new JudgeThread();
  t.teardown(() => thread.close());
  const asked = { policies: [inputs()], gathered: new Map([[DIGEST, gathered(index)]]) };
  t.deepEqual((await thread.judge(order(asked))).missing, [], 'it asks of the index alone');
  const each = { ...asked, policies: [{ ...inputs(PEM, 'Each') }] };
  const { verdicts } = await thread.judge(order(each));
  t.is(verdicts[0]?.outcome, 'Refused', 'the index itself is not signed: nobody asks further');
});

test('who finds no thread free waits for the next', async (t) => {
  const pool = new JudgePool({ threads: 1 });
  t.teardown(() => pool.close());
  const both = await Promise.all([pool.judge(order()), pool.judge(order())]);
  t.deepEqual(
    both.map(({ verdicts }) => verdicts[0]?.reason),
    ['NoSignature', 'NoSignature'],
  );
});

const BUSY = new URL(
  'data:text/javascript,import{workerData}from"node:worker_threads";workerData.port.on("message",(o)=>{if(o.kind==="judge")for(;;);})',
);
const HUNGRY = new URL(
  'data:text/javascript,import{workerData}from"node:worker_threads";workerData.port.on("message",(o)=>{if(o.kind!=="judge")return;const a=[];for(;;)a.push(new Array(1e5).fill(a.length));})',
);

for (const { name, url, limits, said } of [
  {
    name: 'never ends',
    url: BUSY,
    limits: { processorMs: 300 },
    said: /was ended after \d+ ms of a processor/,
  },
  { name: 'takes all memory', url: HUNGRY, limits: { heapMiB: 32 }, said: /took more than 32 MiB/ },
]) {
  test(`a judge that ${name} is ended, and whoever waits is told`, async (t) => {
    t.timeout(120_000);
    const thread = new JudgeThread({ ...JUDGE_LIMITS, ...limits }, url);
    t.teardown(() => thread.close());
    await t.throwsAsync(thread.judge(order()), { message: said });
    await t.throwsAsync(thread.judge(order()), { message: said }, 'each image has a thread of its own');
  });
}
