// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { build } from 'esbuild';
import { cycloneDxXml } from '../sigstore/predicates.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
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
