// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import {
  type Component,
  goComponents,
  libraryComponents,
  nodeComponents,
  npmComponents,
  rootNeeds,
} from './components.ts';
import { libraryPaths } from './libraries.ts';

const PACKAGES = {
  '': { dependencies: { '@scope/a': '1.0.0' } },
  'node_modules/@scope/a': {
    version: '1.0.0',
    license: 'MIT',
    integrity: `sha512-${Buffer.alloc(64, 1).toString('base64')}`,
    dependencies: { b: '^1.0.0', gone: '1.0.0' },
  },
  'node_modules/b': { version: '2.0.0' },
  'node_modules/@scope/a/node_modules/b': { version: '1.0.0', license: 'ISC', dependencies: { c: '1' } },
  'node_modules/c': { version: '3.0.0' },
  'node_modules/tester': { version: '9.0.0', dev: true },
};

function byRef(components: readonly Component[]): Readonly<Record<string, Component>> {
  return Object.fromEntries(components.map((one) => [one.ref, one]));
}

test('packages of npm: what ships, by where Node finds it', (t) => {
  const found = byRef(npmComponents(PACKAGES));
  t.deepEqual(Object.keys(found), [
    'pkg:npm/%40scope/a@1.0.0',
    'pkg:npm/b@1.0.0',
    'pkg:npm/b@2.0.0',
    'pkg:npm/c@3.0.0',
  ]);
  t.like(found['pkg:npm/%40scope/a@1.0.0'], {
    name: '@scope/a',
    license: 'MIT',
    hashes: { 'SHA-512': '01'.repeat(64) },
    needs: ['pkg:npm/b@1.0.0'],
  });
  t.deepEqual(found['pkg:npm/b@1.0.0']?.needs, ['pkg:npm/c@3.0.0'], 'in a folder above');
  t.deepEqual(rootNeeds(PACKAGES), ['pkg:npm/%40scope/a@1.0.0']);
});

test('modules of Go: what was linked, with what took the place of others', (t) => {
  const said = `/cache/opa: go1.26.8
\tpath\tgithub.com/open-policy-agent/opa
\tmod\tgithub.com/open-policy-agent/opa\tv1.2.3\th1:abc=
\tdep\tgithub.com/x/old\tv1.0.0
\t=>\tgithub.com/x/new\tv1.1.0\th1:def=
\tdep\tgopkg.in/yaml.v3\tv3.0.1\th1:ghi=
\tbuild\t-trimpath=true
`;
  t.deepEqual(
    goComponents(said).map(({ ref }) => ref),
    [
      'pkg:golang/github.com/open-policy-agent/opa@v1.2.3',
      'pkg:golang/github.com/x/new@v1.1.0',
      'pkg:golang/gopkg.in/yaml.v3@v3.0.1',
      'pkg:golang/std@1.26.8',
    ],
  );
});

test('libraries of the machine: by their package, once, else by their file', (t) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const libc = { name: 'libc6', version: '2.36-9+deb12u1', architecture: 'amd64' };
  const found = libraryComponents([
    { path: 'lib/libc.so.6', from: '/lib/libc.so.6', digest, package: libc },
    { path: 'lib/libm.so.6', from: '/lib/libm.so.6', digest, package: libc },
    { path: 'opt/own.so', from: '/opt/own.so', digest },
  ]);
  t.deepEqual(
    found.map(({ ref, version }) => [ref, version]),
    [
      ['file:/opt/own.so', ''],
      ['pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64', '2.36-9+deb12u1'],
    ],
  );
  t.deepEqual(found[0]?.hashes, { 'SHA-256': 'a'.repeat(64) });
});

test('Node tells what is built into it', (t) => {
  const [node, ...parts] = nodeComponents({ node: '24.21.0', openssl: '3.5.4', modules: '137', napi: '10' });
  t.like(node, { name: 'node', version: '24.21.0', needs: ['pkg:generic/openssl@3.5.4#node'] });
  t.deepEqual(
    parts.map(({ name }) => name),
    ['openssl'],
  );
});

test('what a loader says of a program: the paths, and what is missing', (t) => {
  const said = `\tlinux-vdso.so.1 (0x00007f)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fa)
\t/lib64/ld-linux-x86-64.so.2 (0x00007fb)
`;
  t.deepEqual(libraryPaths(said), ['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2']);
  t.throws(() => libraryPaths('\tlibatomic.so.1 => not found\n'), {
    message: /lacks libraries of Node: libatomic/,
  });
});
