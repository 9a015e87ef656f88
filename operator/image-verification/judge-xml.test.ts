// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { attestedBy, cycloneDxXml } from '#hack/sigstore/predicates';
import { XML_LIMITS } from '../core/supply-chain/xml-extent.ts';
import type { Evidence } from '../supply-chain/evidence.ts';
import { MAX_BYTES } from './evidence-room.ts';
import { JUDGE_LIMITS, type JudgeOrder, JudgeProcess } from './judge.ts';
import { inputsBy } from './testing/policy-inputs.ts';

const IMAGE = `sha256:${'b'.repeat(64)}`;
const TYPE = 'https://cyclonedx.org/bom';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const POLICY = inputsBy(publicKey.export({ type: 'spki', format: 'pem' }).toString(), {
  sbom: { from: ['builder'], threshold: 1 },
});

function evidenceOf(bytes: Uint8Array): Evidence {
  return { form: 'attestation', origin: 'x', bytes, annotations: {} };
}

function attested(predicate: string): Evidence {
  return evidenceOf(attestedBy(privateKey, { image: IMAGE, predicateType: TYPE, predicate }));
}

function orderOf(evidence: readonly Evidence[]): JudgeOrder {
  const gathered = new Map([[IMAGE, { subject: Buffer.from('{}'), evidence }]]);
  return { digest: IMAGE, gathered, policies: [POLICY], now: new Date() };
}

test('a bill of materials in XML is read by a process that may read nothing but its program', async (t) => {
  t.timeout(120_000);
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const { verdicts } = await judge.judge(orderOf([attested(cycloneDxXml())]));
  t.is(verdicts[0]?.outcome, 'Verified', verdicts[0]?.message);
  t.regex(verdicts[0]?.facts.sbom?.format ?? '', /CycloneDX/);
});

/** As many elements and letters as are let in; for one letter of them, V8 keeps all in twice as many bytes. */
function worst(): string {
  const head =
    '<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1" xmlns:x="urn:x"><components/><!--€-->';
  const values = XML_LIMITS.maxValues - 100;
  const length = Math.floor((XML_LIMITS.maxLength - 1000) / values);
  const one = `<x:a>${'t'.repeat(length - '<x:a></x:a>'.length)}</x:a>`;
  return `${head}${one.repeat(values)}</bom>`;
}

test('the worst XML that is let in, with as much beside it as an image may have, is read within what the process has', async (t) => {
  t.timeout(300_000);
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const stated = attested(worst());
  // Nobody believes it, but it is held as long as the image is judged.
  const other = Buffer.alloc(32 << 20, ' ');
  other.write('{"payloadType":"x"');
  other.write('}', other.length - 1);
  t.true(stated.bytes.length + other.length <= MAX_BYTES);
  const more = other.subarray(0, MAX_BYTES - stated.bytes.length - other.length);
  const { verdicts } = await judge.judge(orderOf([stated, evidenceOf(other), evidenceOf(more)]));
  t.is(verdicts[0]?.outcome, 'Verified', verdicts[0]?.message);
  const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${judge.pid}/status`, 'utf8')) ?? [];
  t.log(`${Number(peak) / 1024} MiB`);
  t.true(Number(peak) / 1024 <= JUDGE_LIMITS.residentMiB, `${Number(peak) / 1024} MiB`);
});
