// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { cp, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import test from 'ava';
import { runProgram } from '../tools/run-program.ts';
import { JUDGE_LIMITS, JudgeProcess } from '#operator/image-verification/judge';
import { bundleRole, bundleRoles, MAX_BUNDLE_BYTES, MAX_NEXUSCTL_BYTES } from './bundle.ts';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';

test('each role is one file that runs outside of the repository', async (t) => {
  const folder = await temporaryFolder(t, 'build');
  const bundles = await bundleRoles(folder);
  t.deepEqual(
    bundles.map((one) => one.path),
    [
      'operator.mjs',
      'webhooks.mjs',
      'leave.mjs',
      'remote.mjs',
      'nexusctl.mjs',
      'policy-worker.mjs',
      'image-worker.mjs',
    ],
  );
  for (const { path, bytes } of bundles) {
    const most = path === 'nexusctl.mjs' ? MAX_NEXUSCTL_BYTES : MAX_BUNDLE_BYTES;
    t.true(bytes < most, `what is needed rarely is not in it: ${path} has ${bytes}`);
    const args = [join(folder, path), '--log-level=loud'];
    const result = await runProgram(process.execPath, { args, cwd: folder, env: {} });
    t.is(result.code, 2, result.stderr);
    if (path === 'image-worker.mjs') t.regex(result.stderr, /started by other roles, in a process/);
    else if (path === 'policy-worker.mjs') t.regex(result.stderr, /started by other roles, in a thread/);
    else if (path === 'nexusctl.mjs') t.regex(result.stderr, /there is no command --log-level=loud/);
    else if (path === 'remote.mjs') t.regex(result.stdout, /"how":"InvalidSettings"/);
    else t.regex(result.stderr, /--log-level: found "loud"; allowed is one of trace, debug/);
  }
});

test('the command line says of which version it is', async (t) => {
  const folder = await temporaryFolder(t, 'build');
  await bundleRole(folder, 'nexusctl');
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    readonly version: string;
  };
  const args = [join(folder, 'nexusctl.mjs'), '--version'];
  const { code, stdout } = await runProgram(process.execPath, { args, cwd: folder, env: {} });
  t.deepEqual([code, stdout.trim()], [0, `nexusctl ${version}`]);
});

test('what no bundle has is not read for it either', async (t) => {
  const folder = await temporaryFolder(t, 'build');
  const { inputs } = await bundleRole(folder, 'leave');
  const library = inputs.filter((path) => path.includes('@kubernetes/client-node'));
  t.true(
    library.some((path) => path.endsWith('dist/config.js')),
    'it reads kubeconfigs',
  );
  // Of 2,000 files.
  t.true(library.length < 50, `${library.length} files`);
});

test('the worker of policies takes orders as a file by itself', async (t) => {
  const folder = await temporaryFolder(t, 'build');
  await bundleRoles(folder);
  const { port1, port2 } = new MessageChannel();
  const limits = { maxInputBytes: 1024, maxResultBytes: 1024, maxDepth: 8 };
  const settings = { limits, recycleAfter: 1, recycleBytes: 1, residentBytes: 1 };
  const worker = new Worker(join(folder, 'policy-worker.mjs'), {
    workerData: { port: port2, settings },
    transferList: [port2],
    execArgv: [],
    env: {},
  });
  const [ready] = await once(port1, 'message');
  t.like(ready, { id: 0, kind: 'answer', json: undefined, micros: 0 });
  port1.close();
  await worker.terminate();
});

test('the judge of images takes orders as a file by itself, and has no way to a network', async (t) => {
  const folder = await temporaryFolder(t, 'build');
  await bundleRoles(folder);
  const url = pathToFileURL(join(folder, 'image-worker.mjs'));
  const judge = new JudgeProcess(JUDGE_LIMITS, url);
  t.teardown(() => judge.close());
  const digest = `sha256:${'0'.repeat(64)}`;
  const order = { digest, gathered: new Map(), policies: [], now: new Date(0) };
  t.deepEqual(await judge.judge(order), { verdicts: [], missing: [] });
  const alone = await temporaryFolder(t, 'image-worker');
  await bundleRole(alone, 'image-worker');
  const files = await readdir(alone);
  t.true(files.length > 1, 'what reads XML is a file beside it');
  const texts = await Promise.all(files.map((name) => readFile(join(alone, name), 'utf8')));
  const text = texts.join('\n');
  const asked = new Set(
    [...text.matchAll(/(?:from|require\(|import\(|^import) ?["'](?:node:)?([a-z_/]+)["']/gm)].map(
      ([, name]) => name,
    ),
  );
  t.true(asked.has('crypto'), 'what it imports is found');
  const ways = [
    'net',
    'tls',
    'dgram',
    'dns',
    'dns/promises',
    'http',
    'https',
    'http2',
    'inspector',
    'child_process',
  ];
  t.deepEqual(
    ways.filter((name) => asked.has(name)),
    [],
  );
});

test('what the image is built from is all that its roles need', async (t) => {
  const root = join(import.meta.dirname, '../..');
  const folder = await temporaryFolder(t, 'image');
  const [stage = ''] = (await readFile(join(root, 'Dockerfile'), 'utf8')).split(/^FROM golang/m);
  const copied = [...stage.matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '));
  for (const path of copied) await cp(join(root, path), join(folder, path), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const result = await runProgram(process.execPath, { args: ['hack/build/main.ts'], cwd: folder });
  t.is(result.code, 0, result.stderr);
  t.true((await readdir(join(folder, 'dist'))).includes('webhooks.mjs'));
});

test('what the image copies is let into its build', async (t) => {
  const root = join(import.meta.dirname, '../..');
  const [dockerfile, ignored] = await Promise.all(
    ['Dockerfile', '.dockerignore'].map((name) => readFile(join(root, name), 'utf8')),
  );
  const copied = [...(dockerfile ?? '').matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  );
  const letIn = new Set((ignored ?? '').split('\n'));
  t.true(letIn.has('*') && copied.length > 5);
  t.deepEqual(
    copied.filter((path) => !letIn.has(`!${path}`)),
    [],
  );
});
