// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import type { ImagePolicySpec } from '#crds/v1alpha1/image-policy';
import { attestedBy, cycloneDxXml } from '#hack/sigstore/predicates';
import { JudgeProcess } from './judge.ts';

const IMAGE = `sha256:${'b'.repeat(64)}`;
const TYPE = 'https://cyclonedx.org/bom';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

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
  const bytes = attestedBy(privateKey, { image: IMAGE, predicateType: TYPE, predicate: cycloneDxXml() });
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
