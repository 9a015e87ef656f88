// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { build } from 'esbuild';
import { JUDGE_LIMITS, JudgeProcess } from '#operator/image-verification/judge';
import { bomPolicy } from '../bench/bom-policy.ts';
import { attestedBy, cycloneDxXml } from '../sigstore/predicates.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { bundleRole } from './bundle.ts';
import { xml } from './xml.ts';

type Reader = (
  text: string,
) => Promise<{ readonly kind: string; readonly reason?: string; readonly message?: string }>;

test('what is shipped reads XML by itself, and finds the same wrong with it', async (t) => {
  const folder = await temporaryFolder(t, 'xml');
  const file = join(folder, 'reader.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, '../../operator/supply-chain/read-xml.ts')],
    outfile: file,
    bundle: true,
    plugins: [xml],
    platform: 'node',
    target: 'node20',
    format: 'esm',
    minify: true,
    logLevel: 'warning',
  });
  const { readCycloneDxXml } = (await import(pathToFileURL(file).href)) as { readCycloneDxXml: Reader };
  for (const version of ['1.4', '1.5', '1.6', '1.7'])
    t.is((await readCycloneDxXml(cycloneDxXml('MIT', version))).kind, 'verified', version);
  for (const text of [cycloneDxXml('Free-For-All'), cycloneDxXml().replaceAll('purl>', 'url>'), '<bom']) {
    const { readCycloneDxXml: source } = await import('#operator/supply-chain/read-xml');
    t.deepEqual(await readCycloneDxXml(text), await source(text));
  }
});

test('the judge that is shipped, which may nothing, reads a bill of materials in XML', async (t) => {
  const folder = await temporaryFolder(t, 'judge');
  const { path } = await bundleRole(folder, 'image-worker');
  const judge = new JudgeProcess(JUDGE_LIMITS, pathToFileURL(join(folder, path)));
  t.teardown(() => judge.close());
  const image = `sha256:${'a'.repeat(64)}`;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const bytes = attestedBy(privateKey, {
    image,
    predicateType: 'https://cosign.sigstore.dev/attestation/v1',
    predicate: { Data: cycloneDxXml(), Timestamp: '' },
  });
  const evidence = [{ form: 'attestation', origin: image, bytes, annotations: {} } as const];
  const { verdicts } = await judge.judge({
    digest: image,
    gathered: new Map([[image, { subject: Buffer.from('{}'), evidence }]]),
    policies: [bomPolicy(pem)],
    now: new Date(),
  });
  t.is(verdicts[0]?.outcome, 'Verified', verdicts[0]?.message);
  t.is(verdicts[0]?.facts.sbom?.components, 2);
});
