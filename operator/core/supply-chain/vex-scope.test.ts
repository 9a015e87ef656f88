// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { exclusionsOf } from './exclusions.ts';
import type { Finding } from './finding.ts';
import { at, document, read, says } from './testing/vex.ts';

const FOUND: Finding = { ids: ['GHSA-1', 'CVE-1'], purl: '', severity: 'Critical' };
const NOW = new Date('2026-01-09T00:00:00Z');

/** What somebody names who takes back what was said of `pkg:apk/alpine/openssl@3.0.1-r0?arch=x86_64`, and whether it may be that. */
const packages: Readonly<Record<string, readonly [string, boolean]>> = {
  'the same': ['pkg:apk/alpine/openssl@3.0.1-r0?arch=x86_64', true],
  'without a version': ['pkg:apk/alpine/openssl', true],
  'without a version, and with qualifiers': ['pkg:apk/alpine/openssl?distro=alpine-3', true],
  'without a namespace': ['pkg:apk/openssl@3.0.1-r0', true],
  'without either': ['pkg:apk/openssl', true],
  'without qualifiers': ['pkg:apk/alpine/openssl@3.0.1-r0', true],
  'with others': ['pkg:apk/alpine/openssl@3.0.1-r0?arch=aarch64', true],
  'spelt otherwise': ['pkg:apk/Alpine/openssl@3.0.1%2Dr0#etc', true],
  'with slashes that are not read': ['pkg://apk//alpine/openssl/@3.0.1-r0', true],
  'that names no package': ['pkg:apk', true],
  'with a checksum': [`pkg:apk/alpine/openssl@3.0.1-r0?checksum=sha256:${'b'.repeat(64)}`, true],
  'with an epoch': ['pkg:apk/alpine/openssl@1:3.0.1-r0', false],
  'of another version': ['pkg:apk/alpine/openssl@3.0.2-r0', false],
  'of another namespace': ['pkg:apk/wolfi/openssl', false],
  'of another name': ['pkg:apk/alpine/libssl', false],
  'of a name that ends alike': ['pkg:apk/ssl', false],
  'of another type': ['pkg:deb/openssl', false],
};

for (const [title, [purl, may]] of Object.entries(packages)) {
  test(`what is taken back in a package: ${title}`, (t) => {
    const found = { ...FOUND, purl: 'pkg:apk/alpine/openssl@3.0.1-r0?arch=x86_64' };
    const documents = [
      { by: 'a', assessments: read(document(at(1), says('not_affected', { products: [] }))) },
      { by: 'a', assessments: read(document(at(2), says('affected', { products: [{ '@id': purl }] }))) },
    ];
    t.is(exclusionsOf(documents, NOW)(found), !may);
    t.false(exclusionsOf(documents, NOW)({ ...found, purl: '' }), 'it may be in each where none is told');
  });
}

test('what was found without a namespace, or with another spelling, may be what is taken back', (t) => {
  for (const [said, found] of [
    ['pkg:apk/alpine/openssl@1', 'pkg:apk/openssl@1'],
    ['pkg:pypi/Foo_Bar@1', 'pkg:pypi/foo-bar@1'],
    ['pkg:pypi/foo.bar@1', 'pkg:pypi/foo-bar@1'],
  ] as const) {
    const documents = [
      { by: 'a', assessments: read(document(at(1), says('not_affected', { products: [] }))) },
      { by: 'a', assessments: read(document(at(2), says('affected', { products: [{ '@id': said }] }))) },
    ];
    t.false(exclusionsOf(documents, NOW)({ ...FOUND, purl: found }), said);
  }
});

test('packages of a statement are read once, whatever the number of its names', (t) => {
  const purls = { reads: 0, list: Array.from({ length: 10 }, (_, index) => `pkg:npm/z@${index}`) };
  const list = new Proxy(purls.list, {
    get: (target, field, receiver): unknown => {
      if (field === '0') purls.reads += 1;
      return Reflect.get(target, field, receiver);
    },
  });
  const names = Array.from({ length: 100 }, (_, index) => `CVE-${index}`);
  const assessments = names.map((vulnerability) => ({
    vulnerability,
    purls: list,
    excludes: false,
    place: 0,
  }));
  exclusionsOf([{ by: 'a', assessments }], NOW);
  t.is(purls.reads, 1);
});

test('packages with an @ in their names are told apart by their versions', (t) => {
  for (const [purl, may] of [
    ['pkg:npm/@angular/core', true],
    ['pkg:npm/%40angular/core@1.0.0', true],
    ['pkg:npm/@angular/core@2.0.0', false],
    ['pkg:npm/%zz/core@1.0.0', false],
    ['pkg:npm/core@1.0.0', true],
    ['pkg:npm/@Angular/Core/@1.0.0', true],
  ] as const) {
    const documents = [
      { by: 'a', assessments: read(document(at(1), says('not_affected', { products: [] }))) },
      { by: 'a', assessments: read(document(at(2), says('affected', { products: [{ '@id': purl }] }))) },
    ];
    const found = { ...FOUND, purl: 'pkg:npm/%40angular/core@1.0.0' };
    t.is(exclusionsOf(documents, NOW)(found), !may, purl);
  }
});
