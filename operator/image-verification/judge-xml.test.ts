// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, sign } from 'node:crypto';
import test from 'ava';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { cycloneDxXml } from '#hack/sigstore/predicates';
import { JudgeProcess } from './judge.ts';

const IMAGE = `sha256:${'b'.repeat(64)}`;
const TYPE = 'application/vnd.in-toto+json';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function attested(predicate: unknown): Buffer {
  const statement = {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://cyclonedx.org/bom',
    subject: [{ digest: { sha256: IMAGE.replace('sha256:', '') } }],
    predicate,
  };
  const payload = Buffer.from(JSON.stringify(statement));
  // What DSSE has signed: lengths in bytes before each part.
  const head = `DSSEv1 ${TYPE.length} ${TYPE} ${payload.length} `;
  const sig = sign('sha256', Buffer.concat([Buffer.from(head), payload]), privateKey).toString('base64');
  return Buffer.from(
    JSON.stringify({ payloadType: TYPE, payload: payload.toString('base64'), signatures: [{ sig }] }),
  );
}

const SPEC: ImagePolicySpec = {
  images: ['*'],
  enforcement: 'Enforce',
  unknown: 'Deny',
  maxAgeSeconds: 86_400,
  platforms: 'Index',
  authorities: [
    { name: 'builder', key: { pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() } },
  ],
  require: { sbom: { from: ['builder'], threshold: 1 } },
};

test('a bill of materials in XML is read by a process that may read nothing but its program', async (t) => {
  t.timeout(120_000);
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const bytes = attested(cycloneDxXml());
  const evidence = [{ form: 'attestation', origin: 'x', bytes, annotations: {} } as const];
  const { verdicts } = await judge.judge({
    digest: IMAGE,
    gathered: new Map([[IMAGE, { subject: Buffer.from('{}'), evidence }]]),
    policies: [{ spec: SPEC, roots: {}, keys: {}, waivers: [] }],
    now: new Date(),
  });
  t.is(verdicts[0]?.outcome, 'Verified', verdicts[0]?.message);
  t.regex(verdicts[0]?.facts.sbom?.format ?? '', /CycloneDX/);
});
