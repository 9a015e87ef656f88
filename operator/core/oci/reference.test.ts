// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { processorMs } from '#hack/tools/processor-time';
import { formatReference, isHostName, parseReference } from './reference.ts';

const HEX = 'a'.repeat(64);

const READ: Readonly<Record<string, string>> = {
  busybox: 'docker.io/library/busybox:latest',
  'busybox:1.36': 'docker.io/library/busybox:1.36',
  'team/app': 'docker.io/team/app:latest',
  'docker.io/busybox': 'docker.io/library/busybox:latest',
  'index.docker.io/busybox': 'docker.io/library/busybox:latest',
  'Docker.IO/busybox': 'docker.io/library/busybox:latest',
  'ghcr.io/o/app:v1': 'ghcr.io/o/app:v1',
  'GHCR.io/o/app:v1': 'ghcr.io/o/app:v1',
  'localhost/app': 'localhost/app:latest',
  'localhost:5000/app': 'localhost:5000/app:latest',
  'host:5000/a/b/c:t': 'host:5000/a/b/c:t',
  '[::1]:5000/app:t': '[::1]:5000/app:t',
  '10.0.0.1/app:t': '10.0.0.1/app:t',
  [`ghcr.io/o/app@sha256:${HEX}`]: `ghcr.io/o/app@sha256:${HEX}`,
  [`ghcr.io/o/app:v1@sha256:${HEX}`]: `ghcr.io/o/app:v1@sha256:${HEX}`,
  [`busybox@sha512:${HEX}${HEX}`]: `docker.io/library/busybox@sha512:${HEX}${HEX}`,
  'a__b/c-d.e_f': 'docker.io/a__b/c-d.e_f:latest',
  'a---b/c': 'docker.io/a---b/c:latest',
};

for (const [text, want] of Object.entries(READ)) {
  test(`${text} is ${want}`, (t) => {
    const read = parseReference(text);
    if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
    t.is(formatReference(read.reference), want);
    // What is written in full is read as the same.
    t.deepEqual(parseReference(want), read);
  });
}

const REFUSED: Readonly<Record<string, string>> = {
  nothing: '',
  'a space': 'a b',
  'upper case in a name': 'ghcr.io/Team/app',
  'an empty tag': 'app:',
  'a long tag': `app:${'t'.repeat(129)}`,
  'a tag that begins with a point': 'app:.t',
  'half a digest': 'app@sha256:abc',
  'a digest in upper case': `app@sha256:${'A'.repeat(64)}`,
  'a digest of an algorithm that is not taken': `app@md5:${'a'.repeat(32)}`,
  'two digests': `app@sha256:${HEX}@sha256:${HEX}`,
  'an identifier': HEX,
  'a port that is none': 'host:99999/app',
  'a port with letters': 'host:5000a/app',
  'a user in the host': 'user:pass@host/app',
  'an address': 'https://host/app',
  'a folder above': 'host.io/../app',
  'an empty part': 'host.io//app',
  'a slash at the end': 'host.io/app/',
  'a line break': 'host.io/app\n',
  'a look-alike letter': 'ghcr.io/оrg/app',
  'a look-alike host': 'ghсr.io/org/app',
  'a query': 'host.io/app?x=1',
  'a percent sign': 'host.io/a%2fb',
  'a host that ends with "-"': 'host-.io/app',
  'a long name': `host.io/${'a'.repeat(260)}`,
  'a very long text': 'a'.repeat(5000),
  'separators side by side': 'a._b',
};

for (const [title, text] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, (t) => {
    const read = parseReference(text);
    t.is(read.kind, 'refused', JSON.stringify(read));
    t.true(read.kind === 'refused' && read.wanted !== '' && read.found.length < 200);
  });
}

test('no text takes long to refuse', (t) => {
  const tookMs = processorMs(() => {
    for (const part of ['a', 'a-', 'a.', '-', '_', 'a__', '/a', ':', '@', '[', '0.'])
      for (let i = 0; i < 20; i += 1) parseReference(`${part.repeat(500)}!`);
  });
  t.true(tookMs < 500, `${tookMs} ms`);
});

test('what names of hosts are', (t) => {
  for (const host of ['a', 'a.b', 'a-b.c:1', '[::1]', '[fd00::1]:443', 'localhost:65535'])
    t.true(isHostName(host), host);
  for (const host of [
    '',
    'A',
    'a_b',
    'a:0',
    'a:65536',
    'a:01',
    '-a',
    'a.',
    '.a',
    'a/b',
    'a@b',
    '[::1',
    'a b',
  ])
    t.false(isHostName(host), host);
});
