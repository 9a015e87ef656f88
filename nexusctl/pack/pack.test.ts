// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import { readBundle } from '#operator/rego/bundle';
import { verifyModule } from '#operator/policy/module';
import { type Desk, openDesk } from '../testing/cli.ts';

const pod = (image: string, namespace = 'acme-dev'): string => `apiVersion: v1
kind: Pod
metadata: { name: web, namespace: ${namespace} }
spec: { containers: [{ name: web, image: "${image}" }] }
`;

function json({ out }: { readonly out: string }): Readonly<Record<string, unknown>> {
  return JSON.parse(out) as Readonly<Record<string, unknown>>;
}

test('a pack that was just begun passes its tests', async (t) => {
  const { nexusctl } = await openDesk(t);
  t.is((await nexusctl('pack init tags')).code, 0);
  const told = await nexusctl('pack test tags -o json');
  t.is(told.code, 0);
  t.like(json(told), { tests: 2, coveragePercent: 100, cases: { length: 3 } });
  t.regex((await nexusctl('pack test tags')).out, /2 tests passed, 100 % .*\n[\s\S]*3 of 3 cases passed$/);
});

test('init writes over nothing, and takes no name that a cluster would not', async (t) => {
  const { nexusctl } = await openDesk(t);
  await nexusctl('pack init tags');
  t.regex((await nexusctl('pack init tags')).err, /tags is not empty/);
  t.regex((await nexusctl('pack init Tags_1')).err, /Tags_1 is no name of a pack/);
});

async function begun(desk: Desk): Promise<Desk> {
  await desk.nexusctl('pack init tags');
  return desk;
}

test('a test that fails, a case that comes out otherwise, and too little coverage are told', async (t) => {
  const desk = await begun(await openDesk(t));
  const cases = await readFile(join(desk.folder, 'tags/cases/images.yaml'), 'utf8');
  await desk.write({ 'tags/cases/images.yaml': cases.replace('want: Allowed', 'want: Denied') });
  const wrong = await desk.nexusctl('pack test tags');
  t.is(wrong.code, 1);
  t.regex(wrong.out, /a version passes +failed +wanted Denied, is Allowed; it said nothing/);
  await desk.write({ 'tags/cases/images.yaml': cases.replace('container web has', 'container db has') });
  t.regex((await desk.nexusctl('pack test tags')).out, /nobody said "container db has/);
  await desk.write({
    'tags/cases/images.yaml': cases,
    'tags/more.rego': 'package more\ndeny contains "x" if input.more',
  });
  const uncovered = await desk.nexusctl('pack test tags --min-coverage 100');
  t.is(uncovered.code, 1);
  t.regex(uncovered.out, /too little: 100 % are wanted\nno test reaches \S+\.rego:\d+/);
  await desk.write({ 'tags/tests/b_test.rego': 'package b_test\ntest_no if false' });
  const failed = await desk.nexusctl('pack test tags');
  t.is(failed.code, 1);
  t.regex(failed.err, /1 of 3 tests fail: b_test.test_no/);
});

const BAD_CASES: Readonly<Record<string, readonly [string, RegExp]>> = {
  'no name': ['want: Allowed\nobject: {apiVersion: v1, kind: Pod}', /name: must say what the case shows/],
  'no verdict': ['name: x\nobject: {apiVersion: v1, kind: Pod}', /want: must be Allowed or Warned or Denied/],
  'a field that it has not': ['name: x\nwant: Allowed\nobjekt: {}', /objekt: a case has name, want/],
  'nothing to ask about': ['name: x\nwant: Allowed', /has neither object nor oldObject/],
  'no YAML': ['name: [', /images.yaml: /],
};

for (const [name, [text, says]] of Object.entries(BAD_CASES)) {
  test(`a case is refused: ${name}`, async (t) => {
    const desk = await begun(await openDesk(t));
    await desk.write({ 'tags/cases/images.yaml': text });
    const { code, err } = await desk.nexusctl('pack test tags');
    t.is(code, 2);
    t.regex(err, says);
  });
}

const BAD_MANIFESTS: Readonly<Record<string, readonly [string, RegExp]>> = {
  'another kind': ['kind: ConfigMap', /must hold one object of kind PolicyPack/],
  'a field that it has not': [
    'kind: PolicyPack\nspec: {version: "1", enforcment: Deny}',
    /has fields that a PolicyPack has not\n {2}spec.enforcment/,
  ],
  'a value that does not fit': [
    'kind: PolicyPack\nspec: {version: "1", enforcement: No}',
    /does not fit the schema of PolicyPack\n {2}spec.enforcement: /,
  ],
  'no version': ['kind: PolicyPack\nspec: {}', /spec.version: /],
};

for (const [name, [text, says]] of Object.entries(BAD_MANIFESTS)) {
  test(`a manifest is refused: ${name}`, async (t) => {
    const desk = await begun(await openDesk(t));
    await desk.write({ 'tags/manifest.yaml': text });
    const { code, err } = await desk.nexusctl('pack test tags');
    t.is(code, 2);
    t.regex(err, says);
  });
}

test('a folder without manifest, or without rules, is told what it lacks', async (t) => {
  const desk = await openDesk(t);
  await desk.write({ 'a/x.rego': 'package x', 'b/manifest.yaml': 'kind: PolicyPack\nspec: {version: "1"}' });
  t.regex((await desk.nexusctl('pack test a')).err, /has no manifest.yaml and no pack.yaml/);
  t.regex((await desk.nexusctl('pack test b')).err, /has no file that ends with .rego/);
  t.regex((await desk.nexusctl('pack test c')).err, /c is not there/);
});

test('a pack that does not compile is told by file and line', async (t) => {
  const desk = await begun(await openDesk(t));
  await desk.write({ 'tags/images.rego': 'package images\n\ndeny contains x if { y }' });
  const { code, err } = await desk.nexusctl('pack build tags');
  t.is(code, 1);
  t.regex(err, /images.rego:3: var x is unsafe/);
});

test('a bundle has the same bytes each time, and is taken by a cluster', async (t) => {
  const desk = await begun(await openDesk(t));
  const first = json(await desk.nexusctl('pack build tags --out a.tgz -o json'));
  const second = json(await desk.nexusctl('pack build tags --out b.tgz -o json'));
  t.is(first.digest, second.digest);
  const bytes = await readFile(join(desk.folder, 'a.tgz'));
  t.is(first.digest, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  const read = await readBundle(bytes);
  if (read.kind === 'refused') throw new Error(read.message);
  t.deepEqual(read.bundle.manifest.entrypoints, ['nexusos/main/decision']);
  t.deepEqual([...read.bundle.files.keys()].toSorted(), ['data.json', 'images.rego']);
  t.is(verifyModule(read.bundle.wasm ?? new Uint8Array()).kind, 'ok');
});

test('a manifest for kubectl holds the source, or the address of the bundle', async (t) => {
  const desk = await begun(await openDesk(t));
  await desk.nexusctl('pack build tags --manifest m.yaml');
  const inline = parse(await readFile(join(desk.folder, 'm.yaml'), 'utf8')) as {
    spec: unknown;
    metadata: unknown;
  };
  t.true(POLICY_PACK.spec.safeParse(inline.spec).success);
  t.deepEqual(inline.metadata, { name: 'tags' });
  t.is((await desk.nexusctl('pack test m.yaml')).code, 0);
  const url = 'https://packs.example/tags.tgz';
  const { digest } = json(await desk.nexusctl(`pack build tags --manifest u.yaml --url ${url} -o json`));
  const remote = parse(await readFile(join(desk.folder, 'u.yaml'), 'utf8')) as { spec: { source: unknown } };
  t.deepEqual(remote.spec.source, { bundle: { url, digest } });
  t.regex((await desk.nexusctl('pack build tags --url http://x/y')).err, /by https only/);
});

test('diff: what a pack would newly deny, and what it no longer would', async (t) => {
  const desk = await begun(await openDesk(t));
  await desk.write({
    'live/good.yaml': pod('web:1'),
    'live/bad.yaml': pod('web:latest'),
    'live/list.yaml': JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        parse(pod('db:latest', 'acme-prod')),
        { apiVersion: 'v1', kind: 'Service', metadata: { name: 'x', namespace: 'acme-dev' } },
      ],
    }),
    'live/notes.txt': 'no manifest',
  });
  const first = await desk.nexusctl('pack diff tags --against live -o json');
  t.is(first.code, 1);
  t.like(json(first), {
    judged: 4,
    newlyDenied: 2,
    newlyAllowed: 0,
    bothAllowed: 2,
    byKind: [{ name: 'Pod', newlyDenied: 2, newlyAllowed: 0 }],
    examples: { length: 2 },
  });
  await desk.nexusctl('pack init other/tags');
  const rule = await readFile(join(desk.folder, 'tags/images.rego'), 'utf8');
  await desk.write({ 'other/tags/images.rego': rule.replace('endswith(', 'not endswith(') });
  const turned = await desk.nexusctl('pack diff other/tags --old tags --against live');
  t.regex(turned.out, /^4 objects: 1 newly denied, 2 newly allowed, 0 denied and 1 allowed as before\n/);
  t.regex(turned.out, /Allowed +Pod +acme-prod +web +.*container web has the image db:latest/);
  const same = await desk.nexusctl('pack diff tags --old tags --against live --namespace acme-prod');
  t.is(same.code, 0);
  t.regex(same.out, /^1 object: 0 newly denied/);
});

test('what packs may not use is told with why, by test as by build', async (t) => {
  const desk = await begun(await openDesk(t));
  await desk.write({ 'tags/ask.rego': 'package ask\ndeny contains "x" if http.send({}).status == 200\n' });
  for (const command of ['test', 'build']) {
    const { code, err } = await desk.nexusctl(`pack ${command} tags`);
    t.is(code, 1);
    t.regex(
      err,
      /ask\.rego:2:.* undefined function http\.send: packs have not http\.send, as it asks the network/,
    );
  }
});

test('a file that cannot be written is told, by whichever command', async (t) => {
  const desk = await begun(await openDesk(t));
  for (const words of [
    'pack build tags --out no/such/x.tar.gz',
    'pack build tags --manifest no/such/m.yaml',
  ]) {
    const { code, err } = await desk.nexusctl(words);
    t.is(code, 2);
    t.regex(
      err,
      /^nexusctl: .*no\/such\/.* cannot be opened: it, or the folder that it is to be in, is not there$/,
    );
  }
  await desk.write({ 'tags/notes.md/x': '' });
  t.regex((await desk.nexusctl('pack build tags --out tags')).err, /tags cannot be opened: it is a folder$/);
});

test('what cannot be judged, or read, is told with what would do', async (t) => {
  const desk = await begun(await openDesk(t));
  await desk.write({ 'live/a.yaml': 'kind: Pod\n---\na: b\n' });
  const nothing = await desk.nexusctl('pack diff tags --against live');
  t.is(nothing.code, 2);
  t.regex(
    nothing.err,
    /there is no object to judge in .*live\n {2}2 documents have no kind or no apiVersion, the first in a\.yaml/,
  );
  await desk.write({ 'live/b.yaml': pod('web:1') });
  const one = await desk.nexusctl('pack diff tags --against live');
  t.is(one.code, 0);
  t.regex(one.out, /^1 object: 0 newly denied[^\n]*\n2 documents have no kind or no apiVersion/);
  const folder = await desk.nexusctl('pack explain tags live');
  t.is(folder.code, 2);
  t.regex(folder.err, /live cannot be read: it is a folder, and one file is wanted/);
});

test('explain: which rule, which field, what it saw, and how it got there', async (t) => {
  const desk = await begun(await openDesk(t));
  await desk.write({
    'bad.yaml': pod('web:latest'),
    'service.yaml': 'apiVersion: v1\nkind: Service\nmetadata: {name: x}',
    'review.yaml': `apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\nrequest:\n  operation: UPDATE\n  userInfo: {username: ann}\n  object: ${JSON.stringify(parse(pod('web:latest')))}`,
  });
  const told = await desk.nexusctl('pack explain tags bad.yaml');
  t.is(told.code, 1);
  t.regex(
    told.out,
    /^CREATE Pod acme-dev\/web: Denied\nRULE +FIELD +MESSAGE\nimages +spec.containers\[0\].image +container web has/,
  );
  const seen = json(await desk.nexusctl('pack explain tags review.yaml -o json')) as {
    input: { review: { userInfo: unknown }; parameters: unknown };
  };
  t.deepEqual(seen.input.parameters, { forbiddenTags: ['latest'] });
  t.like(seen.input.review, { operation: 'UPDATE', userInfo: { username: 'ann' } });
  t.regex(
    (await desk.nexusctl('pack explain tags bad.yaml --trace full')).out,
    /pack\/images.rego:7 .*endswith/,
  );
  const unbound = await desk.nexusctl('pack explain tags service.yaml');
  t.is(unbound.code, 0);
  t.regex(unbound.out, /The binding of the pack leaves this request out/);
  t.regex(
    (await desk.nexusctl('pack explain tags bad.yaml --trace all')).err,
    /--trace is all; it can be fails, notes, full/,
  );
});

test('explain follows no pack out to the network', async (t) => {
  const desk = await begun(await openDesk(t));
  await desk.write({
    'bad.yaml': pod('web:1'),
    'tags/images.rego':
      'package images\ndeny contains "x" if http.send({"method": "get", "url": "http://127.0.0.1:1/"})',
  });
  const { code, err } = await desk.nexusctl('pack explain tags bad.yaml --trace full');
  t.is(code, 1);
  t.regex(err, /undefined function http.send/);
});
