// SPDX-License-Identifier: Apache-2.0
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createReadStream, createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { extract } from 'tar-stream';
import { parse } from 'yaml';
import { runCommandLine } from '#nexusctl/cli/run';
import { COMMANDS } from '#nexusctl/commands';
import { digestOfBytes } from '#operator/core/oci/digest';
import { helmEnvironment } from '../system/chart.ts';
import { ensureTools } from '../tools/build.ts';
import { type RunningRegistry, startRegistry } from '../tools/registry-process.ts';
import { type RunResult, runProgram } from '../tools/run-program.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { check } from './check.ts';
import { type MadeArtifact, makeRelease } from './make.ts';
import { librariesOf } from './libraries.ts';
import { type ReleaseOptions, readOptions } from './options.ts';
import { policyText } from './policy.ts';
import { publishAll, release } from './release.ts';
import { ReleaseError, type Source } from './source.ts';

const test = anyTest.serial as TestFn;
const ROOT = join(import.meta.dirname, '../..');
const SOURCE: Source = {
  repository: 'https://git.example/nexusos',
  commit: 'c0ffee'.padEnd(40, '0'),
  time: new Date('2026-11-23T00:00:00Z'),
  version: '0.1.0',
};
/** Nothing of what is told may have it. */
const PASSWORD = 'correct-horse-battery-staple';
const ENDS: (() => Promise<unknown>)[] = [];
const told: string[] = [];
let registry: RunningRegistry;
let storage: string;
let folder: string;
let options: ReleaseOptions;
let made: readonly MadeArtifact[];

test.before(async (t) => {
  const undo = { teardown: (end: () => Promise<void>) => void ENDS.push(end) };
  folder = await temporaryFolder(undo, 'release');
  storage = join(folder, 'storage');
  registry = await startRegistry({ folder: storage });
  ENDS.unshift(() => registry.stop());
  const { cosign } = await ensureTools(['cosign', 'crane', 'opa', 'helm']);
  Object.assign(process.env, {
    COSIGN_PASSWORD: PASSWORD,
    // Nobody's credentials, and nobody on the internet.
    DOCKER_CONFIG: folder,
    TUF_ROOT: join(folder, 'tuf'),
    HTTPS_PROXY: 'http://127.0.0.1:9',
  });
  const prefix = join(folder, 'key');
  const generated = await runProgram(cosign, { args: ['generate-key-pair', '--output-key-prefix', prefix] });
  if (generated.code !== 0) throw new Error(generated.stderr);
  process.env['RELEASE_KEY'] = await readFile(`${prefix}.key`, 'utf8');
  const to = `${registry.host}/nexusos`;
  const words = ['--to', to, '--source', SOURCE.repository, '--key', 'env://RELEASE_KEY', '--plain-http'];
  options = { ...readOptions(words), out: join(folder, 'out') };
  const tell = (text: string): void => void told.push(text);
  made = await release(options, { root: ROOT, source: SOURCE, packs: ['baseline'], tell });
  t.log(told.join('\n'));
});
test.after.always(async () => {
  for (const end of ENDS) await end();
});

function madeOf(path: string): MadeArtifact {
  const found = made.find(({ repository }) => repository.endsWith(path));
  if (found === undefined)
    throw new Error(`no ${path} among ${made.map(({ repository }) => repository).join()}`);
  return found;
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

function blob(layout: string, digest: string): string {
  return join(layout, 'blobs', digest.replace(':', '/'));
}

async function manifestOf({ layout, manifest }: MadeArtifact): Promise<Manifest> {
  return JSON.parse(await readFile(blob(layout, manifest.digest), 'utf8')) as Manifest;
}

interface Verified {
  readonly code: number;
  readonly said: { readonly outcome: string; readonly policies: readonly { readonly reason?: string }[] };
}

async function nexusctl(words: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  const out: string[] = [];
  const code = await runCommandLine(words, {
    commands: COMMANDS,
    env: process.env,
    cwd: folder,
    print: (text) => out.push(text),
    complain: (text) => out.push(text),
  });
  return { code, out: out.join('\n') };
}

async function verify(reference: string, by?: readonly string[]): Promise<Verified> {
  const how = by ?? ['--policy', join(folder, 'out/policy.yaml'), '--plain-http'];
  const { code, out } = await nexusctl(['verify', reference, ...how, '-o', 'json']);
  return { code, said: JSON.parse(out) as Verified['said'] };
}

test('image, charts and packs are pushed, signed and verified, and nothing that is told is a secret', (t) => {
  t.deepEqual(
    made.map(({ kind, repository }) => [kind, repository.replace(registry.host, 'HOST')]),
    [
      ['image', 'HOST/nexusos/nexusos'],
      ['chart', 'HOST/nexusos/charts/nexusos'],
      ['chart', 'HOST/nexusos/charts/nexusos-policy-packs'],
      ['pack', 'HOST/nexusos/packs/baseline'],
    ],
  );
  const text = told.join('\n');
  t.regex(text, /verified 4 artifacts by /);
  t.notRegex(text, /PRIVATE KEY/);
  t.false(text.includes(PASSWORD));
  t.false(text.includes((process.env['RELEASE_KEY'] ?? '').split('\n')[1] ?? ''));
});

function digests(all: readonly MadeArtifact[]) {
  return all.map(({ repository, manifest }) => [repository, manifest.digest]);
}

test('made again it is the same, byte by byte', async (t) => {
  const again = await makeRelease({
    root: ROOT,
    source: SOURCE,
    to: options.to,
    builder: options.builder,
    folder: join(folder, 'again'),
    packs: ['baseline'],
    tell: () => undefined,
  });
  t.deepEqual(digests(again), digests(made));
  const bills = ['out', 'again'].map((one) => readFile(join(folder, one, 'sbom.cdx.json'), 'utf8'));
  const [first, second] = await Promise.all(bills);
  t.is(second, first);
});

async function unpack(t: ExecutionContext, artifact: MadeArtifact): Promise<string> {
  const root = join(folder, `root-${t.title.length}`);
  for (const { digest } of (await manifestOf(artifact)).layers) {
    const reader = extract();
    const read = pipeline(createReadStream(blob(artifact.layout, digest)), createGunzip(), reader);
    for await (const entry of reader) {
      const { name, type, mode, uid, gid, mtime } = entry.header;
      t.deepEqual([uid, gid, mtime?.getTime()], [0, 0, 0], name);
      const path = join(root, name);
      if (type === 'directory') await mkdir(path, { recursive: true });
      else await pipeline(entry, createWriteStream(path, { mode: mode ?? 0o644 }));
      entry.resume();
    }
    await read;
  }
  return root;
}

test('the image has all that its roles need: they run on its own Node and its own C library', async (t) => {
  const artifact = madeOf('/nexusos/nexusos');
  const root = await unpack(t, artifact);
  const config = JSON.parse(
    await readFile(blob(artifact.layout, (await manifestOf(artifact)).config.digest), 'utf8'),
  ) as { readonly config: { readonly User: string }; readonly created: string };
  t.is(config.config.User, '65532:65532');
  t.is(config.created, '2026-11-23T00:00:00.000Z');
  const paths = (await librariesOf(join(ROOT, 'node_modules/node/bin/node'))).map(({ path }) => path);
  t.true(paths.some((path) => path.endsWith('/libstdc++.so.6')));
  const loader = paths.find((path) => /\/ld-linux[^/]*$/.test(path)) ?? '';
  const libraries = paths.map((path) => join(root, dirname(path)));
  const start = (args: readonly string[]): Promise<RunResult> =>
    runProgram(join(root, loader), {
      args: ['--inhibit-cache', '--library-path', [...new Set(libraries)].join(':'), ...args],
      cwd: join(root, 'app'),
      env: {},
    });
  const node = join(root, 'usr/local/bin/node');
  const listed = await start(['--list', node]);
  const outside = [...listed.stdout.matchAll(/=> (\/\S+)/g)].filter(
    ([, path = '']) => !path.startsWith(root),
  );
  t.is(listed.code, 0, listed.stderr);
  t.deepEqual(outside, [], 'nothing of this machine');
  const operator = await start([node, 'operator.mjs', '--log-level=loud']);
  t.is(operator.code, 2, operator.stderr);
  t.regex(operator.stderr, /--log-level: found "loud"/);
  const opa = await runProgram(join(root, 'usr/local/bin/opa'), { args: ['version'], env: {} });
  t.regex(opa.stdout, /^Version: 1\./);
});

test('Helm takes the chart, which names the image by its digest', async (t) => {
  const { helm } = await ensureTools(['helm']);
  const env = helmEnvironment(await temporaryFolder(t, 'helm'));
  const chart = `oci://${madeOf('/charts/nexusos').repository}`;
  const at = ['--version', SOURCE.version, '--plain-http'];
  const shown = await runProgram(helm, { args: ['show', 'chart', chart, ...at], env });
  t.is(shown.code, 0, shown.stderr);
  t.like(parse(shown.stdout), { name: 'nexusos', version: SOURCE.version, appVersion: SOURCE.version });
  const rendered = await runProgram(helm, {
    args: ['template', 'nexusos', chart, ...at, '--kube-version', '1.36.3'],
    env,
  });
  t.is(rendered.code, 0, rendered.stderr);
  const { repository, manifest } = madeOf('/nexusos/nexusos');
  t.true(rendered.stdout.includes(`image: ${repository}@${manifest.digest}`));
  const pinned = await runProgram(helm, {
    args: ['show', 'chart', `${chart}@${madeOf('/charts/nexusos').manifest.digest}`, '--plain-http'],
    env,
  });
  t.is(pinned.code, 0, pinned.stderr);
  t.is(pinned.stdout, shown.stdout, 'by its digest it is the same');
});

test('a pack is what nexusctl pushes', async (t) => {
  const { opa } = await ensureTools(['opa']);
  const source = join(ROOT, 'charts/nexusos-policy-packs/packs/baseline.yaml');
  const to = `${registry.host}/elsewhere:1`;
  const { code, out } = await nexusctl(
    `pack push ${source} ${to} --plain-http --opa ${opa} -o json`.split(' '),
  );
  t.is(code, 0, out);
  t.is((JSON.parse(out) as { digest: string }).digest, madeOf('/packs/baseline').manifest.digest);
});

test('cosign agrees: who has signed, and what is stated', async (t) => {
  const { cosign } = await ensureTools(['cosign']);
  const { repository, manifest } = madeOf('/nexusos/nexusos');
  const by = ['--key', join(folder, 'key.pub'), '--insecure-ignore-tlog=true', '--allow-http-registry'];
  for (const args of [
    ['verify', ...by],
    ['verify-attestation', '--type', 'cyclonedx', ...by],
    ['verify-attestation', '--type', 'https://slsa.dev/provenance/v1', ...by],
  ]) {
    const ran = await runProgram(cosign, { args: [...args, `${repository}@${manifest.digest}`] });
    t.is(ran.code, 0, ran.stderr);
  }
});

test('what cosign fetched verifies where there is no registry', async (t) => {
  const { cosign } = await ensureTools(['cosign']);
  const offline = await temporaryFolder(t, 'offline');
  const to = 'registry.nowhere.example/nexusos';
  const publicKey = await readFile(join(folder, 'key.pub'), 'utf8');
  const { builder, repository: source } = options;
  const policy = join(offline, 'policy.yaml');
  await writeFile(policy, policyText({ to, publicKey, builder, repository: source }));
  for (const path of ['/nexusos/nexusos', '/charts/nexusos']) {
    const { repository, manifest } = madeOf(path);
    const name = `${repository}@${manifest.digest}`;
    const args = ['download', 'signature', '--allow-http-registry', name];
    const fetched = await runProgram(cosign, { args });
    t.is(fetched.code, 0, fetched.stderr);
    const bundles = join(offline, `${path.split('/').join('-')}.jsonl`);
    await writeFile(bundles, fetched.stdout);
    const there = name.replace(options.to, to);
    const found = await verify(there, ['--policy', policy, '--bundle', bundles]);
    t.is(found.code, 0, JSON.stringify(found.said));
    const other = there.replace(/[0-9a-f]{64}$/, '0'.repeat(64));
    t.is((await verify(other, ['--policy', policy, '--bundle', bundles])).code, 1, 'they are of this one');
  }
});

/** What there is of the pack: its tags, and what refers to it. */
async function thereIs(): Promise<string> {
  const { crane } = await ensureTools(['crane']);
  const { repository, manifest } = madeOf('/packs/baseline');
  const referrers = `${repository}:${manifest.digest.replace(':', '-')}`;
  const [tags, attached] = await Promise.all(
    [
      ['ls', repository],
      ['manifest', referrers],
    ].map(([what = '', name = '']) => runProgram(crane, { args: [what, '--insecure', name] })),
  );
  return `${tags?.stdout} ${attached?.stdout}`;
}

test('done again, nothing is pushed, signed or stated once more, but where logs are to be told; by another key all of it is signed by that, too', async (t) => {
  const before = await thereIs();
  t.regex(before, /sha256/);
  const again = async (key: string, signingConfig?: string): Promise<readonly string[]> => {
    const texts: string[] = [];
    const tell = (text: string): void => void texts.push(text);
    await publishAll(made, {
      ...options,
      key,
      signingConfig,
      folder: join(folder, 'out'),
      source: SOURCE,
      tell,
    });
    return texts;
  };
  const file = join(folder, 'out/policy.yaml');
  const policy = await readFile(file, 'utf8');
  const same = await again('env://RELEASE_KEY');
  t.is(same.filter((text) => text.startsWith('is there already, and verifies: ')).length, made.length);
  t.is(same.length, made.length + 1);
  t.is(await thereIs(), before);
  // Nobody can say whether what is there was told to the logs that are asked for.
  const logged = await again('env://RELEASE_KEY', join(folder, 'out/nobody.json'));
  t.is(logged.filter((text) => text.startsWith('pushed and signed ')).length, made.length);
  t.not(await thereIs(), before);
  const { cosign } = await ensureTools(['cosign']);
  const prefix = join(folder, 'second');
  await runProgram(cosign, { args: ['generate-key-pair', '--output-key-prefix', prefix] });
  const between = await thereIs();
  const second = await again(`${prefix}.key`);
  t.is(second.filter((text) => text.startsWith('pushed and signed ')).length, made.length);
  t.not(await thereIs(), between);
  await writeFile(file, policy);
  t.is((await verify(`${madeOf('/packs/baseline').repository}:1.0.0`)).code, 0, 'and by the first key still');
});

test('what is changed is refused: under the same tag, and under the same digest', async (t) => {
  const { crane } = await ensureTools(['crane']);
  const artifact = madeOf('/nexusos/nexusos');
  const { repository, tag, manifest } = artifact;
  t.is((await verify(`${repository}:${tag}`)).code, 0);
  // Somebody who may push changes what is started.
  const layout = join(folder, 'changed');
  await cp(artifact.layout, layout, { recursive: true });
  const content = await manifestOf(artifact);
  const config = Buffer.from(
    (await readFile(blob(layout, content.config.digest), 'utf8')).replace('operator.mjs', 'leave.mjs'),
  );
  const forged = Buffer.from(
    JSON.stringify({
      ...content,
      config: { ...content.config, digest: digestOfBytes(config), size: config.length },
    }),
  );
  for (const bytes of [config, forged]) await writeFile(blob(layout, digestOfBytes(bytes)), bytes);
  const index = await readFile(join(layout, 'index.json'), 'utf8');
  const { size } = manifest;
  await writeFile(
    join(layout, 'index.json'),
    index
      .replace(manifest.digest, digestOfBytes(forged))
      .replace(`"size":${size}`, `"size":${forged.length}`),
  );
  const pushed = await runProgram(crane, { args: ['push', '--insecure', layout, `${repository}:${tag}`] });
  t.is(pushed.code, 0, pushed.stderr);
  const changed = await verify(`${repository}:${tag}`);
  t.is(changed.code, 1);
  t.like(changed.said, { outcome: 'Refused', policies: [{ reason: 'NoSignature' }] });
  const policy = join(folder, 'out/policy.yaml');
  await t.throwsAsync(check({ repository, tag }, { policy, isPlainHttp: true }), {
    instanceOf: ReleaseError,
    message: /does not verify:[\s\S]*NoSignature/,
  });
  // What was signed is as it was; then the storage of the registry changes one byte of it.
  t.is((await verify(`${repository}@${manifest.digest}`)).code, 0);
  const hex = manifest.digest.replace('sha256:', '');
  const stored = join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  await writeFile(stored, (await readFile(stored, 'utf8')).replace('"schemaVersion":2', '"schemaVersion":3'));
  const lied = await verify(`${repository}@${manifest.digest}`);
  t.is(lied.code, 3);
  t.is(lied.said.outcome, 'Unknown');
  // This registry sees it by itself, and gives no answer; one that does not is found out by the digest.
  t.regex(lied.said.policies[0]?.reason ?? '', /^Registry(?:Broken|Unreachable)$/);
});

test('who has another key is refused', async (t) => {
  const { cosign } = await ensureTools(['cosign']);
  const prefix = join(folder, 'other');
  await runProgram(cosign, { args: ['generate-key-pair', '--output-key-prefix', prefix] });
  const policy = join(folder, 'other.yaml');
  const publicKey = await readFile(`${prefix}.pub`, 'utf8');
  const { to, builder, repository } = options;
  await writeFile(policy, policyText({ to, builder, repository, publicKey }));
  await t.throwsAsync(check(madeOf('/charts/nexusos'), { policy, isPlainHttp: true }), {
    message: /WrongKey/,
  });
});

test('the policy that users are told of is the one that releases come with', async (t) => {
  const page = await readFile(join(ROOT, 'docs/how-to/verify-nexusos.md'), 'utf8');
  const [, shown = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const publicKey = '-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n';
  const { builder } = readOptions([
    '--to',
    'registry.example/nexusos',
    '--source',
    'https://git.example/nexusos',
  ]);
  const to = 'registry.example/nexusos';
  t.is(shown, policyText({ to, publicKey, builder, repository: 'https://git.example/nexusos' }));
});
