// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { ANONYMOUS, keychainOf, type Keychain, readDockerConfig } from './credentials.ts';

function keychainFrom(...auths: readonly Readonly<Record<string, unknown>>[]): Keychain {
  return keychainOf(
    auths.map((one) => {
      const read = readDockerConfig(JSON.stringify({ auths: one }));
      if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
      return read.config;
    }),
  );
}

const LOGIN = { username: 'u', password: 'p' };
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** key of auths -> what it fits and what it does not: registry and repository. */
const FITS: Readonly<Record<string, { readonly yes: readonly string[]; readonly no: readonly string[] }>> = {
  'example.com': {
    yes: ['example.com a', 'example.com a/b'],
    no: [
      'example.com.evil.net a',
      'evil-example.com a',
      'evil.net example.com',
      'sub.example.com a',
      'example.com:443 a',
      'example.com:5000 a',
      'com a',
      'example.co a',
    ],
  },
  'example.com:5000': { yes: ['example.com:5000 a'], no: ['example.com a', 'example.com:50000 a'] },
  'https://example.com/v2/': { yes: ['example.com a'], no: ['v2 a'] },
  'example.com/team': {
    yes: ['example.com team', 'example.com team/app'],
    no: ['example.com team-b/app', 'example.com teams', 'example.com other/team', 'example.com te'],
  },
  'example.com/team/app': {
    yes: ['example.com team/app'],
    no: ['example.com team', 'example.com team/app2'],
  },
  'https://index.docker.io/v1/': { yes: ['docker.io library/busybox'], no: ['index.docker.io.evil.net a'] },
  'docker.io': { yes: ['docker.io library/busybox'], no: ['registry-1.docker.io a'] },
  'EXAMPLE.com': { yes: ['example.com a'], no: [] },
  // Patterns are no names here: one who writes them means more than he sees.
  '*.example.com': { yes: [], no: ['a.example.com a', '*.example.com a'] },
  '*': { yes: [], no: ['example.com a'] },
  '': { yes: [], no: ['example.com a', ' a'] },
};

for (const [key, { yes, no }] of Object.entries(FITS)) {
  test(`credentials of ${JSON.stringify(key)} are sent where they belong`, (t) => {
    const keychain = keychainFrom({ [key]: LOGIN });
    const sentTo = (place: string): boolean => {
      const [registry = '', repository = ''] = place.split(' ');
      return keychain.loginsFor({ registry, repository }).length > 0;
    };
    for (const place of yes) t.true(sentTo(place), place);
    for (const place of no) t.false(sentTo(place), place);
  });
}

const REPOSITORY = { registry: 'r.io', repository: 'a/b' };

const LOGINS: Readonly<Record<string, readonly [auth: unknown, want: unknown]>> = {
  'user and password': [LOGIN, { kind: 'password', ...LOGIN }],
  'both in base64': [{ auth: base64('u:p:q') }, { kind: 'password', username: 'u', password: 'p:q' }],
  'an empty password': [
    { username: 'u', password: '' },
    { kind: 'password', username: 'u', password: '' },
  ],
  'an identity token': [
    { auth: base64('u:p'), identitytoken: 'i' },
    { kind: 'identity', token: 'i' },
  ],
  'an identity token by its user': [
    { username: '<token>', password: 'i' },
    { kind: 'identity', token: 'i' },
  ],
  'a token of the registry': [{ registrytoken: 'r' }, { kind: 'bearer', token: 'r' }],
  nothing: [{}, undefined],
  'no object': ['x', undefined],
  'no colon': [{ auth: base64('u') }, undefined],
  'a user with a colon': [{ username: 'a:b', password: 'p' }, undefined],
  'a line break': [{ registrytoken: 'r\r\nx: y' }, undefined],
};

for (const [title, [auth, want]] of Object.entries(LOGINS)) {
  test(`a login of ${title}`, (t) => {
    t.deepEqual(keychainFrom({ 'r.io': auth }).loginsFor(REPOSITORY)[0] as unknown, want);
  });
}

const of = (username: string) => ({ username, password: 'p' });

test('the closest comes first, then that of the first config; not more than three', (t) => {
  const keychain = keychainFrom(
    { 'r.io': of('host'), 'r.io/a': of('team') },
    { 'r.io/a/b': of('app'), 'r.io/a': of('team-2') },
  );
  const users = keychain
    .loginsFor(REPOSITORY)
    .map((login) => (login.kind === 'password' ? login.username : ''));
  t.deepEqual(users, ['app', 'team', 'team-2']);
});

test('the id is by content, tells nothing of it, and is another for every other', (t) => {
  const one = keychainFrom({ 'r.io': LOGIN });
  t.is(one.id, keychainFrom({ 'r.io': LOGIN }).id);
  t.not(one.id, keychainFrom({ 'r.io': { ...LOGIN, password: 'q' } }).id);
  t.not(one.id, ANONYMOUS.id);
  t.is(keychainOf([]).id, ANONYMOUS.id);
  t.regex(one.id, /^[0-9a-f]{32}$/);
});

test('what is no config is refused, and nothing of it is told', (t) => {
  for (const text of [
    'hunter2',
    '[]',
    '"hunter2"',
    '{"auths":["hunter2"]}',
    `{"x":"${'y'.repeat(2 ** 20)}"}`,
  ]) {
    const read = readDockerConfig(text);
    t.is(read.kind, 'refused');
    t.notRegex(JSON.stringify(read), /hunter2/);
  }
  const many = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`r${i}.io`, LOGIN]));
  t.is(readDockerConfig(JSON.stringify({ auths: many })).kind, 'refused');
  t.is(readDockerConfig('{}').kind, 'ok');
});
