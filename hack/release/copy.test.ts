// SPDX-License-Identifier: Apache-2.0
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { temporaryFolder } from '../tools/testing/temporary-folder.ts';
import { absoluteWords, inCopy, releaseInCopy } from './copy.ts';
import { readOptions } from './options.ts';
import { git, readSource, ReleaseError } from './source.ts';

const URL = 'https://git.example/x';
const BOOTSTRAP = "process.exitCode = process.argv.includes('--to=a') ? 0 : 7;";
const COMMITTED: Readonly<Record<string, string>> = {
  '.gitignore': 'node_modules/\n*.log\n',
  'package.json': '{"version":"1.2.3"}',
  'charts/x/values.yaml': 'a: 1\n',
  'hack/bootstrap.mjs': BOOTSTRAP,
};
/** What `git status` does not tell of. */
const IGNORED: Readonly<Record<string, string>> = {
  'node_modules/left-pad/index.js': 'steal();',
  'charts/x/notes.log': 'password: hunter2',
};

async function repository(t: ExecutionContext) {
  const root = await temporaryFolder(t, 'release');
  const write = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(root, path, '..'), { recursive: true });
      await writeFile(join(root, path), text);
    }
  };
  await write(COMMITTED);
  await git(root, ['init', '--quiet']);
  await git(root, ['add', '--all']);
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false'];
  await git(root, [...who, 'commit', '--quiet', '--message=one']);
  await write(IGNORED);
  return root;
}

test('a copy has what the commit has, and nothing that Git ignores', async (t) => {
  const root = await repository(t);
  const source = await readSource(root, URL);
  let place = '';
  await inCopy({ root, commit: source.commit }, async (copy) => {
    place = copy;
    const files = (await readdir(copy, { recursive: true, withFileTypes: true }))
      .filter((one) => one.isFile())
      .map((one) => join(one.parentPath, one.name).slice(copy.length + 1))
      .filter((path) => !path.startsWith('.git/'));
    t.deepEqual(files.toSorted(), Object.keys(COMMITTED).toSorted());
    for (const [path, text] of Object.entries(COMMITTED))
      t.is(await readFile(join(copy, path), 'utf8'), text);
    t.deepEqual(await readSource(copy, URL), source, 'it is the same commit');
  });
  await t.throwsAsync(access(place), { code: 'ENOENT' }, 'it goes');
  t.is(await readFile(join(root, 'charts/x/notes.log'), 'utf8'), 'password: hunter2', 'ours stays');
});

test('a copy goes when what is done in it fails', async (t) => {
  const root = await repository(t);
  const { commit } = await readSource(root, URL);
  let place = '';
  const fail = (copy: string): Promise<void> => {
    place = copy;
    throw new ReleaseError('no');
  };
  await t.throwsAsync(inCopy({ root, commit }, fail), { message: 'no' });
  await t.throwsAsync(access(place), { code: 'ENOENT' });
});

test('a source is the commit that is checked out', async (t) => {
  const { commit, time, version } = await readSource(await repository(t), URL);
  t.regex(commit, /^[0-9a-f]{40,64}$/);
  t.is(time.getTime() % 1000, 0);
  t.is(version, '1.2.3');
});

test('what is no repository, or has no commit, is refused with what Git says', async (t) => {
  const root = await temporaryFolder(t, 'release');
  await writeFile(join(root, 'package.json'), '{"version":"1.2.3"}');
  await t.throwsAsync(readSource(root, URL), { instanceOf: ReleaseError, message: /^git rev-parse HEAD: / });
  await git(root, ['init', '--quiet']);
  await t.throwsAsync(readSource(root, URL), { instanceOf: ReleaseError, message: /^git rev-parse HEAD: / });
});

test('what is in no commit is refused', async (t) => {
  const root = await repository(t);
  await writeFile(join(root, 'charts/x/values.yaml'), 'a: 2\n');
  await t.throwsAsync(readSource(root, URL), { message: /no commit has[\s\S]*charts\/x\/values\.yaml/ });
  await writeFile(join(root, 'charts/x/values.yaml'), 'a: 1\n');
  await writeFile(join(root, 'charts/x/more.yaml'), 'a: 2\n');
  await t.throwsAsync(readSource(root, URL), { message: /no commit has[\s\S]*charts\/x\/more\.yaml/ });
});

test('what runs in a copy is from the copy, and its end is told', async (t) => {
  const root = await repository(t);
  await inCopy({ root, commit: 'HEAD' }, async (copy) => {
    // Ours is another one by now.
    await writeFile(join(root, 'hack/bootstrap.mjs'), 'process.exitCode = 9;');
    t.is(await releaseInCopy(copy, ['--to=a']), 0);
    t.is(await releaseInCopy(copy, ['--to=b']), 7);
  });
});

test('files that are named from here are found from there', async (t) => {
  const needed = ['--to', 'registry.example/nexusos', '--source', URL];
  const plain = readOptions(needed);
  t.deepEqual(readOptions(absoluteWords(plain, '/here')), { ...plain, out: '/here/.nexusos/release' });
  const all = [
    ...needed,
    '--key',
    'cosign.key',
    '--signing-config=/etc/s.json',
    '--out=../x',
    '--plain-http',
  ];
  t.deepEqual(readOptions(absoluteWords(readOptions(all), '/here')), {
    ...readOptions(all),
    key: '/here/cosign.key',
    signingConfig: '/etc/s.json',
    out: '/x',
  });
  for (const key of ['env://KEY', 'awskms:///arn:aws:kms:x', 'pkcs11:token=x', '/etc/cosign.key']) {
    const words = absoluteWords(readOptions([...needed, '--key', key]), '/here');
    t.is(readOptions(words).key, key);
  }
});
