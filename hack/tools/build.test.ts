// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { temporaryFolder } from './testing/temporary-folder.ts';

const run = promisify(execFile);

/** A machine with an empty cache whose `go` is a script: what matters here is what we make of Go's answers. */
interface Machine {
  readonly folder: string;
  /** Runs ensureTools(['etcd', 'helm']) in a process of its own; its two streams. */
  readonly ensure: () => Promise<{ stdout: string; stderr: string }>;
}

const answersEnv = (version: string): string =>
  `if [ "$1" = env ]; then printf '%s\\nlinux\\namd64\\n' ${version}; exit 0; fi`;

/** Writes to the file after `-o`, and a line to the log, as slowly as a build. */
const builds = `
  echo "$@" >> "$GO_LOG"
  sleep 0.3
  while [ "$1" != -o ]; do shift; done
  printf built > "$2"`;

async function machine(
  t: { teardown(undo: () => Promise<void>): void },
  goScript: string | undefined,
): Promise<Machine> {
  const folder = await temporaryFolder(t, 'build');
  const path = join(folder, 'go');
  if (goScript !== undefined) {
    await writeFile(path, `#!/bin/sh\n${goScript}\n`);
    await chmod(path, 0o755);
  }
  const script = `
    const { ensureTools } = await import(${JSON.stringify(import.meta.resolve('./build.ts'))});
    try {
      console.log(JSON.stringify(await ensureTools(['etcd', 'helm'])));
    } catch (error) {
      console.error(error.message);
      process.exitCode = 1;
    }`;
  const env = {
    ...process.env,
    // Alone when there is to be no Go: the machine's own must not be found.
    PATH: goScript === undefined ? folder : `${folder}${delimiter}${process.env['PATH'] ?? ''}`,
    NEXUSOS_CACHE: join(folder, 'cache'),
    GO_LOG: join(folder, 'log'),
  };
  return { folder, ensure: () => run(process.execPath, ['--input-type=module', '-e', script], { env }) };
}

const refusals = {
  'no Go at all': {
    go: undefined,
    want: /^Go was not found on PATH\. .*needs Go 1\.26 or newer\. Install it from/,
  },
  'a Go that is too old': {
    go: answersEnv('go1.25.7'),
    want: /^Go 1\.25\.7 is too old\. .*needs Go 1\.26 or newer/,
  },
};

for (const [title, { go, want }] of Object.entries(refusals)) {
  test(`says what to install: ${title}`, async (t) => {
    const { ensure } = await machine(t, go);
    const error = await t.throwsAsync<Error & { stderr: string }>(ensure());
    t.regex(error.stderr, want);
  });
}

test('builds what is missing, once, however many ask at once, and nothing the next time', async (t) => {
  const { folder, ensure } = await machine(t, `${answersEnv('go1.26.8')}\n${builds}`);
  const [one, other] = await Promise.all([ensure(), ensure()]);
  t.is(one.stdout, other.stdout);
  const paths = Object.values(JSON.parse(one.stdout) as Record<string, string>);
  t.is(paths.length, 2);
  for (const path of paths) {
    t.is(await readFile(path, 'utf8'), 'built');
    t.is((await readdir(join(path, '..'))).length, 1, 'nothing unfinished stays');
  }
  const { stderr } = await ensure();
  t.is(stderr, '');
  const log = (await readFile(join(folder, 'log'), 'utf8')).trimEnd().split('\n');
  t.is(log.length, 2);
  t.regex(
    log[0] ?? '',
    /^build -trimpath -buildvcs=false -gcflags=all=-dwarf=false -ldflags -s -w -o .*etcd.* go\.etcd\.io\/etcd\/server\/v3$/,
  );
  t.regex(log[1] ?? '', /internal\/version\.version=v\d+\.\d+\.\d+ .*helm\.sh\/helm\/v4\/cmd\/helm$/);
  t.regex(`${one.stderr}${other.stderr}`, /\[1\/2\] etcd: built/);
});

test('a build that fails shows the end of what Go said, and leaves nothing', async (t) => {
  const fails = 'seq 1 5000 | sed "s/^/line /"; echo "undefined: Foo" >&2; exit 1';
  const { folder, ensure } = await machine(t, `${answersEnv('go1.26.8')}\n${fails}`);
  const error = await t.throwsAsync<Error & { stderr: string }>(ensure());
  t.regex(error.stderr, /Building etcd failed\. The end of Go's output:\n/);
  t.regex(error.stderr, /undefined: Foo/);
  t.true(error.stderr.length < 6000);
  const left = await readdir(join(folder, 'cache', 'tools'), { recursive: true });
  t.deepEqual(
    left.filter((entry) => /unfinished|etcd$/.test(entry)),
    [],
  );
});
