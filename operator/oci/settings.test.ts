// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { apiHostOf, mirrorOf, readRegistrySettings } from './settings.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';

test('what the platform says of registries is read', (t) => {
  const registries = [
    {
      host: 'registry.corp.example:5000',
      isPrivate: true,
      ca: PEM,
      mirrors: ['mirror.corp.example/hub', 'm:1'],
      trustsMirrors: true,
    },
    { host: 'docker.io' },
    { host: 'localhost:5000', isPlainHttp: true },
  ];
  t.deepEqual(readRegistrySettings(JSON.stringify(registries)), { kind: 'ok', registries });
  t.deepEqual(readRegistrySettings('[]'), { kind: 'ok', registries: [] });
});

const REFUSED: Readonly<Record<string, readonly [content: unknown, problem: RegExp]>> = {
  'no list': [{}, /no JSON list/],
  'an entry that is none': [['registry.example'], /^\[0\]: found no object/],
  'no host': [[{}], /^\[0\]\.host: found nothing/],
  'an address': [[{ host: 'https://registry.example' }], /^\[0\]\.host/],
  'a path': [[{ host: 'registry.example/team' }], /^\[0\]\.host/],
  'upper case': [[{ host: 'Registry.example' }], /^\[0\]\.host/],
  'a pattern': [[{ host: '*.example' }], /^\[0\]\.host/],
  'a word that is no flag': [
    [{ host: 'r.io', isPrivate: 'yes' }],
    /^\[0\]\.isPrivate: found "yes"; wanted is true or false/,
  ],
  'a certificate that is none': [[{ host: 'r.io', ca: 'x' }], /^\[0\]\.ca/],
  'a mirror with a scheme': [[{ host: 'r.io', mirrors: ['https://m.io'] }], /^\[0\]\.mirrors/],
  'a mirror with an odd path': [[{ host: 'r.io', mirrors: ['m.io/A'] }], /^\[0\]\.mirrors/],
  'mirrors that are no list': [[{ host: 'r.io', mirrors: 'm.io' }], /^\[0\]\.mirrors/],
  'a field that is none': [[{ host: 'r.io', insecure: true }], /^\[0\]\.insecure: there is no such field/],
  'a host twice': [[{ host: 'r.io' }, { host: 'r.io' }], /"r.io" twice/],
  'very many': [Array.from({ length: 201 }, (_, i) => ({ host: `r${i}.io` })), /at most 200/],
};

for (const [title, [content, problem]] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, (t) => {
    const read = readRegistrySettings(JSON.stringify(content));
    if (read.kind === 'ok') throw new Error('it was taken');
    t.regex(read.problems.join('\n'), problem);
  });
}

test('Docker Hub answers by another name, others by their own', (t) => {
  t.is(apiHostOf('docker.io'), 'registry-1.docker.io');
  t.is(apiHostOf('ghcr.io'), 'ghcr.io');
  t.deepEqual(mirrorOf('m.io:5/a/b'), { host: 'm.io:5', prefix: 'a/b' });
});
