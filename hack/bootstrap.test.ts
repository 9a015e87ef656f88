// SPDX-License-Identifier: Apache-2.0
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import test from 'ava';
import { identityOf } from './tools/process-identity.ts';
import { temporaryFolder } from './tools/testing/temporary-folder.ts';

const run = promisify(execFile);

/** A checkout of its own with one locked package, and an npm that installs it slowly and writes down that it ran. */
interface Checkout {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  readonly bootstrap: string;
  readonly installs: () => Promise<number>;
}

const lockFile = (version: string): string =>
  JSON.stringify({ packages: { '': { version: '0.1.0' }, 'node_modules/node': { version } } });

const npmScript = `#!/bin/sh
if [ "$1" = --version ]; then exit 0; fi
echo "$@" >> "$NPM_LOG"
sleep 0.3
rm -rf node_modules
mkdir -p node_modules/node/bin
ln -s "$REAL_NODE" node_modules/node/bin/node
cp package-lock.json node_modules/.package-lock.json
`;

async function checkout(t: { teardown(undo: () => Promise<void>): void }): Promise<Checkout> {
  const root = await temporaryFolder(t, 'bootstrap');
  const bootstrap = join(root, 'hack', 'bootstrap.mjs');
  const npm = join(root, 'bin', 'npm');
  await Promise.all([bootstrap, npm].map((path) => mkdir(dirname(path), { recursive: true })));
  await copyFile(join(import.meta.dirname, 'bootstrap.mjs'), bootstrap);
  await writeFile(npm, npmScript);
  await chmod(npm, 0o755);
  await writeFile(join(root, 'package-lock.json'), lockFile('24.0.0'));
  const log = join(root, 'npm.log');
  const { npm_execpath: _, npm_lifecycle_event: __, ...inherited } = process.env;
  const path = `${dirname(npm)}${delimiter}${process.env['PATH'] ?? ''}`;
  return {
    root,
    bootstrap,
    env: { ...inherited, PATH: path, NPM_LOG: log, REAL_NODE: process.execPath },
    installs: async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').length - 1,
  };
}

async function writeLock({ root }: Checkout, text: string): Promise<string> {
  const lock = join(root, '.nexusos', 'install.lock');
  await mkdir(dirname(lock));
  await writeFile(lock, text);
  return lock;
}

async function writeScript({ root }: Checkout, text: string): Promise<string> {
  const path = join(root, 'script.ts');
  await writeFile(path, text);
  return path;
}

test('installs once, then runs the TypeScript with its arguments, and its exit code is ours', async (t) => {
  const place = await checkout(t);
  const script = await writeScript(
    place,
    'const args: string[] = process.argv.slice(2); console.log(JSON.stringify(args)); process.exit(args.length);',
  );
  const start = (): Promise<unknown> =>
    run(process.execPath, [place.bootstrap, script, 'a b', '--flag'], { env: place.env });
  await t.throwsAsync(start, { code: 2, message: /installing the locked packages/ });
  const again = await t.throwsAsync<Error & { stdout: string; stderr: string }>(start);
  t.deepEqual(JSON.parse(again.stdout), ['a b', '--flag']);
  t.is(again.stderr, '');
  t.is(await place.installs(), 1);
});

test('two that start at once install once', async (t) => {
  const place = await checkout(t);
  const script = await writeScript(place, 'console.log("ran")');
  const start = (): Promise<{ stdout: string }> =>
    run(process.execPath, [place.bootstrap, script], { env: place.env });
  const results = await Promise.all([start(), start(), start()]);
  t.deepEqual(
    results.map(({ stdout }) => stdout),
    ['ran\n', 'ran\n', 'ran\n'],
  );
  t.is(await place.installs(), 1);
});

test('a lock file that changed is installed; one that npm itself has installed already is not', async (t) => {
  const place = await checkout(t);
  const script = await writeScript(place, '');
  const start = (): Promise<unknown> => run(process.execPath, [place.bootstrap, script], { env: place.env });
  await start();
  await writeFile(join(place.root, 'package-lock.json'), lockFile('24.0.1'));
  await start();
  t.is(await place.installs(), 2);
  await writeFile(join(place.root, 'package-lock.json'), lockFile('24.0.2'));
  await writeFile(join(place.root, 'node_modules', '.package-lock.json'), lockFile('24.0.2'));
  await start();
  t.is(await place.installs(), 2);
});

/** Locks that nobody holds, as their text. */
const DEAD_LOCKS: Readonly<Record<string, () => Promise<string>>> = {
  'an installer that was killed': async () => {
    const dead = spawn(process.execPath, ['-e', '']);
    const owner = JSON.stringify(identityOf(dead.pid!));
    await once(dead, 'exit');
    return owner;
  },
  'a process whose number another one has now': async () =>
    JSON.stringify({ pid: process.pid, startedAt: 'another boot/1' }),
  'somebody who did not get to write a name': async () => '',
  'an older version, which only wrote a number': async () => String(process.pid),
};

for (const [title, lockText] of Object.entries(DEAD_LOCKS)) {
  test(`nobody waits for a lock of ${title}`, async (t) => {
    const place = await checkout(t);
    const lock = await writeLock(place, await lockText());
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(lock, longAgo, longAgo);
    const script = await writeScript(place, 'console.log("ran")');
    const { stdout } = await run(process.execPath, [place.bootstrap, script], {
      env: place.env,
      timeout: 120_000,
    });
    t.is(stdout, 'ran\n');
    t.is(await place.installs(), 1);
    t.deepEqual(await readdir(dirname(lock)), [], 'nothing of the locks is left');
  });
}

test('a lock that is held is waited for, by name, and nothing is installed meanwhile', async (t) => {
  const place = await checkout(t);
  const lock = await writeLock(place, JSON.stringify(identityOf(process.pid)));
  const script = await writeScript(place, 'console.log("ran")');
  const child = spawn(process.execPath, [place.bootstrap, script], { env: place.env });
  t.teardown(() => void child.kill());
  const [line] = (await once(createInterface({ input: child.stderr }), 'line')) as [string];
  t.is(line, `nexusos: waiting for process ${process.pid}, which installs packages (it holds ${lock})`);
  t.is(await place.installs(), 0);
  const ended = once(child, 'exit');
  await rm(lock);
  t.deepEqual(await ended, [0, null]);
  t.is(await place.installs(), 1);
});

test('a failing npm is told of, and the script does not run', async (t) => {
  const place = await checkout(t);
  await writeFile(
    join(place.root, 'bin', 'npm'),
    '#!/bin/sh\n[ "$1" = --version ] || { echo "no network"; exit 9; }\n',
  );
  const script = await writeScript(place, 'console.log("ran")');
  const start = run(process.execPath, [place.bootstrap, script], { env: place.env });
  const error = await t.throwsAsync<Error & { stdout: string; stderr: string }>(start, { code: 1 });
  t.regex(error.stderr, /npm ci ended with 9/);
  t.notRegex(error.stdout, /ran/);
});

test('without npm and git it says what to install', async (t) => {
  const place = await checkout(t);
  const script = await writeScript(place, '');
  const start = run(process.execPath, [place.bootstrap, script], { env: { ...place.env, PATH: '' } });
  const error = await t.throwsAsync<Error & { stderr: string }>(start, { code: 1 });
  t.regex(error.stderr, /not found on PATH: npm .*; git /);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} reaches the script, which decides what follows`, async (t) => {
    const place = await checkout(t);
    const script = await writeScript(
      place,
      `process.on('${signal}', () => process.exit(5)); setTimeout(() => {}, 60_000); console.log('ready');`,
    );
    const child = spawn(process.execPath, [place.bootstrap, script], {
      env: place.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve) => {
      lines.on('line', (line) => line === 'ready' && resolve());
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    t.is(await ended, 5);
  });
}
