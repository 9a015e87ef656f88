// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { ensureTools } from '../tools/build.ts';
import { type RunningRegistry, startRegistry } from '../tools/registry-process.ts';
import { runProgram } from '../tools/run-program.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { Layout } from './layout.ts';
import type { MadeArtifact } from './make.ts';
import { checkTag, publish, type Publishing } from './publish.ts';
import { ReleaseError } from './source.ts';

const test = anyTest.serial as TestFn;
const ENDS: (() => Promise<unknown>)[] = [];
let registry: RunningRegistry;
let folder: string;
let publishing: Publishing;

test.before(async () => {
  folder = await temporaryFolder({ teardown: (end) => void ENDS.push(end) }, 'publish');
  registry = await startRegistry();
  ENDS.unshift(() => registry.stop());
  const tools = await ensureTools(['crane', 'cosign']);
  Object.assign(process.env, {
    COSIGN_PASSWORD: 'nobody-else-knows',
    // Nobody's credentials, and nobody on the internet.
    DOCKER_CONFIG: folder,
    TUF_ROOT: join(folder, 'tuf'),
    HTTPS_PROXY: 'http://127.0.0.1:9',
  });
  const prefix = join(folder, 'key');
  const generated = await runProgram(tools.cosign, {
    args: ['generate-key-pair', '--output-key-prefix', prefix],
  });
  if (generated.code !== 0) throw new Error(generated.stderr);
  publishing = { tools, signing: { key: `${prefix}.key` }, isPlainHttp: true, scratch: folder };
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

/** An artifact of a few bytes, in a repository of its own. */
async function artifactOf(repository: string, text: string): Promise<MadeArtifact> {
  const layout = new Layout(join(folder, `${repository}-${text}`));
  const config = await layout.addEmpty();
  const layers = [await layout.add('text/plain', Buffer.from(text))];
  const manifest = await layout.finish('1.0.0', { artifactType: 'text/plain', config, layers });
  const path = join(folder, 'statement.json');
  await writeFile(path, '{}');
  return {
    kind: 'image',
    repository: `${registry.host}/${repository}`,
    tag: '1.0.0',
    layout: layout.folder,
    manifest,
    statements: [{ type: 'https://example.com/statement', path }],
  };
}

/** What crane says of a tag, or of a digest; undefined where there is none. */
async function digestAt(reference: string): Promise<string | undefined> {
  const { code, stdout } = await runProgram(publishing.tools.crane, {
    args: ['digest', '--insecure', reference],
  });
  return code === 0 ? stdout.trim() : undefined;
}

test('what is published is tagged and signed, and done again it is the same', async (t) => {
  const artifact = await artifactOf('twice', 'a');
  const { repository, manifest } = artifact;
  t.false(await checkTag(artifact, publishing));
  for (const _ of ['first', 'again']) {
    await publish(artifact, publishing);
    t.is(await digestAt(`${repository}:1.0.0`), manifest.digest);
    t.true(await checkTag(artifact, publishing));
  }
  const by = ['--key', join(folder, 'key.pub'), '--insecure-ignore-tlog=true', '--allow-http-registry'];
  const image = `${repository}@${manifest.digest}`;
  const verified = await runProgram(publishing.tools.cosign, { args: ['verify', ...by, image] });
  t.is(verified.code, 0, verified.stderr);
});

test('a tag that names something else is not moved, and nothing is pushed', async (t) => {
  const first = await artifactOf('moved', 'a');
  const second = await artifactOf('moved', 'b');
  await publish(first, publishing);
  const error = await t.throwsAsync(publish(second, publishing), { instanceOf: ReleaseError });
  t.regex(error?.message ?? '', /:1\.0\.0 is there already and is sha256:.* Wanted is another version/);
  t.true(error?.message.includes(first.manifest.digest));
  t.is(await digestAt(`${first.repository}:1.0.0`), first.manifest.digest);
  t.is(await digestAt(`${first.repository}@${second.manifest.digest}`), undefined);
});

test('what could not be signed has no tag; once it can, it has', async (t) => {
  const artifact = await artifactOf('unsigned', 'a');
  const signing = { key: join(folder, 'gone.key') };
  await t.throwsAsync(publish(artifact, { ...publishing, signing }), { message: /cosign sign failed/ });
  t.is(await digestAt(`${artifact.repository}:1.0.0`), undefined);
  await publish(artifact, publishing);
  t.is(await digestAt(`${artifact.repository}:1.0.0`), artifact.manifest.digest);
});

test('what is stated wrongly has no tag either', async (t) => {
  const artifact = await artifactOf('unstated', 'a');
  const statements = [{ type: 'https://example.com/statement', path: join(folder, 'gone.json') }];
  await t.throwsAsync(publish({ ...artifact, statements }, publishing), { message: /cosign attest failed/ });
  t.is(await digestAt(`${artifact.repository}:1.0.0`), undefined);
});

test('a registry that does not answer is no registry without the tag', async (t) => {
  const artifact = await artifactOf('away', 'a');
  const repository = 'localhost:9/away';
  await t.throwsAsync(checkTag({ ...artifact, repository }, publishing), { message: /crane digest failed/ });
});
