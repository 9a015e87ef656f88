// SPDX-License-Identifier: Apache-2.0
import { gunzipSync } from 'node:zlib';
import anyTest from 'ava';
import type { PackPlace } from '../core/policy-pack/pack.ts';
import { writeArchive } from './archive.ts';
import { packRequest, pinnedToolchain, verifyTools } from './testing/verifying.ts';
import { compilePack, sourceFiles } from './compile.ts';
import { verifyPack } from './verify-pack.ts';

/** One after the other, as packs are verified: what is timed must not wait for what is beside it. */
const test = anyTest.serial;
const TENANT: PackPlace = { kind: 'tenant', tenant: 'vp' };

function inline(modules: Readonly<Record<string, string>>, data?: object) {
  return { source: { inline: { modules, ...(data !== undefined && { data }) } } };
}

const NO_LATEST = `package images
deny contains finding if {
  some i, container in input.review.object.spec.containers
  endswith(container.image, ":latest")
  finding := {"msg": sprintf("image %s", [container.image]), "field": sprintf("spec.containers[%d].image", [i])}
}
`;
const TESTS = `package images_test
import data.images
test_denied if count(images.deny) == 1 with input as {"review": {"object": {"spec": {"containers": [{"image": "a:latest"}]}}}}
`;

test('a pack becomes a module that is stored in parts, and data beside it', async (t) => {
  const request = packRequest({
    ...inline({ 'images.rego': NO_LATEST, 'images_test.rego': TESTS }, { limits: { cpu: 3 } }),
    tests: { minCoveragePercent: 50 },
  });
  const outcome = await verifyPack(request, await verifyTools());
  if (outcome.kind !== 'verified') throw new Error(JSON.stringify(outcome));
  const { pack } = outcome;
  t.like(pack, {
    provenance: 'Inline',
    hasMutate: false,
    tests: 1,
    coveragePercent: 100,
    compiler: 'opa 1.22.0',
    entrypoints: [{ path: 'nexusos/main/decision', role: 'decision' }],
    builtins: ['sprintf'],
  });
  const whole = gunzipSync(Buffer.concat(pack.module.parts.map((part) => Buffer.from(part, 'base64'))));
  t.is(whole.length, pack.module.size);
  t.is(whole.subarray(0, 4).toString('latin1'), '\0asm');
  const data = gunzipSync(Buffer.concat(pack.data!.parts.map((part) => Buffer.from(part, 'base64'))));
  t.deepEqual(JSON.parse(data.toString()), { limits: { cpu: 3 } });
});

test('the same source is the same module, whoever compiles it and when', async (t) => {
  const request = packRequest(inline({ 'images.rego': NO_LATEST }));
  const [one, other] = await Promise.all([
    verifyPack(request, await verifyTools()),
    verifyPack(request, await verifyTools()),
  ]);
  t.is(one.kind, 'verified');
  t.deepEqual(one, other);
});

test('a test that is still to be done is none that fails, nor is a function with the name of one', async (t) => {
  const modules = {
    'a.rego':
      'package a\ntest_helper(x) if x.name == "a"\ndeny contains "a" if test_helper(input.review.object.metadata)',
    'b.rego':
      'package b\ndeny contains "b" if input.review.object.metadata.name == "b"\ntodo_test_b if false',
  };
  for (const more of [{}, { 'c_test.rego': 'package c_test\ntest_c if true\ntodo_test_d if false' }]) {
    const { 'a.rego': helper, ...rest } = modules;
    // With tests of its own, the compiler takes such a function for one of them.
    const taken = 'c_test.rego' in more ? rest : { 'a.rego': helper, ...rest };
    const outcome = await verifyPack(packRequest(inline({ ...taken, ...more })), await verifyTools());
    t.is(outcome.kind, 'verified', JSON.stringify(outcome).slice(0, 300));
  }
});

const LOOP = `package slow
deny contains "never" if {
  some a in numbers.range(1, 3000)
  some b in numbers.range(1, 3000)
  a * b == -1
}
`;

interface Refused {
  readonly spec: Parameters<typeof packRequest>[0];
  readonly place?: PackPlace;
  readonly want: string;
  readonly words: RegExp;
}

const REFUSED: Readonly<Record<string, Refused>> = {
  'Rego that is none': {
    spec: inline({ 'a.rego': 'package a\n\ndeny if {' }),
    want: 'CompileFailed',
    words: /^a\.rego:3: /,
  },
  'what was Rego before OPA 1.0, not said to be': {
    spec: inline({ 'a.rego': 'package a\ndeny[msg] { msg := "x" }' }),
    want: 'CompileFailed',
    words: /a\.rego:2: .*`if` keyword is required/,
  },
  'constraints that nobody could read': {
    spec: inline({ 'a.rego': 'package a\ndeny contains "x" if input.x' }, { gatekeeper: { constraints: 1 } }),
    want: 'InvalidSource',
    words: /a constraint in the data: gatekeeper\.constraints has to be a list of constraints/,
  },
  'a request over the network': {
    spec: inline({ 'a.rego': 'package a\ndeny if http.send({"url": "https://a.example"}).status == 200' }),
    want: 'CompileFailed',
    words: /a\.rego:2: undefined function http\.send/,
  },
  'a test that asks over the network': {
    spec: inline({
      'a.rego': 'package a\ndeny if input.x',
      'a_test.rego': 'package a_test\ntest_a if http.send({"url": "https://a.example"}).status == 200',
    }),
    want: 'CompileFailed',
    words: /a_test\.rego:2:11: undefined function http\.send/,
  },
  'a test that asks for names of the network': {
    spec: inline({
      'a.rego': 'package a\ndeny if input.x',
      'a_test.rego': 'package a_test\ntest_a if count(net.lookup_ip_addr("a.example")) > 0',
    }),
    want: 'CompileFailed',
    words: /a_test\.rego:2:.*undefined function net\.lookup_ip_addr/,
  },
  'no rule that is asked for': {
    spec: inline({ 'a.rego': 'package a\nhelper := 1' }),
    want: 'NoRules',
    words: /deny, warn, violation, mutate/,
  },
  'a test that fails': {
    spec: inline({
      'a.rego': 'package a\ndeny if input.x',
      'a_test.rego': 'package a_test\nimport data.a\ntest_good if not a.deny\ntest_bad if a.deny',
    }),
    want: 'TestsFailed',
    words: /^1 of 2 tests fail: a_test\.test_bad$/,
  },
  'a test that fails, beside the rule that it is of': {
    spec: inline({ 'a.rego': 'package a\ndeny if input.x\ntest_bad if deny' }),
    want: 'TestsFailed',
    words: /^1 of 1 tests fail: a\.test_bad$/,
  },
  'tests that reach too little': {
    spec: {
      ...inline({ 'a.rego': NO_LATEST, 'a_test.rego': 'package a_test\ntest_a if true' }),
      tests: { minCoveragePercent: 80 },
    },
    want: 'CoverageTooLow',
    words: /minCoveragePercent: found 0 %; at least 80 % is needed; no test reaches a\.rego:2, a\.rego:4-5$/,
  },
  'no tests where some are asked for': {
    spec: { ...inline({ 'a.rego': NO_LATEST }), tests: { minCoveragePercent: 1 } },
    want: 'CoverageTooLow',
    words: /found no tests/,
  },
  'rules that say two things at a time': {
    spec: inline({
      'a.rego': 'package a\nx := 1 if input.review\nx := 2 if input.review\ndeny contains "y" if x == 3',
    }),
    want: 'EvaluationFailed',
    words: /tried on Pod example-main\/web, it fails \(Abort\)/,
  },
  'what is against kube-system': {
    spec: inline({
      'a.rego': 'package a\ndeny contains "not here" if startswith(input.review.namespace, "kube-")',
    }),
    want: 'LocksOut',
    words:
      /it refuses Deployment kube-system\/coredns \(a: not here\).*namespaceSelector or excludedNamespaces/,
  },
  'what refuses all that is of no tenant': {
    spec: inline({ 'a.rego': 'package a\ndeny contains "no tenant" if input.tenant == null' }),
    want: 'LocksOut',
    words: /it refuses Deployment kube-system\/coredns/,
  },
};

for (const [title, { spec, place, want, words }] of Object.entries(REFUSED)) {
  test(`refused: ${title}`, async (t) => {
    const outcome = await verifyPack(packRequest(spec, place), await verifyTools());
    if (outcome.kind !== 'fault') throw new Error('it was verified');
    t.is(outcome.fault.reason, want as typeof outcome.fault.reason, outcome.fault.message);
    t.regex(outcome.fault.message, words);
    t.false(outcome.fault.passing);
  });
}

const TAKEN: Readonly<Record<string, Omit<Refused, 'want' | 'words'>>> = {
  'Rego from before OPA 1.0, said to be': {
    spec: { ...inline({ 'a.rego': 'package a\ndeny[msg] { msg := "x"; input.x }' }), regoVersion: 'V0' },
  },
  'a rule that asks for a label which system objects do not have': {
    spec: inline({
      'a.rego': 'package a\ndeny contains "owner" if not input.review.object.metadata.labels.owner',
    }),
  },
  'what is against kube-system, and leaves it out': {
    spec: {
      ...inline({
        'a.rego': 'package a\ndeny contains "not here" if startswith(input.review.namespace, "kube-")',
      }),
      binding: { excludedNamespaces: ['kube-*'] },
    },
  },
  'what is against kube-system, and only warns': {
    spec: {
      ...inline({
        'a.rego': 'package a\ndeny contains "not here" if startswith(input.review.namespace, "kube-")',
      }),
      enforcement: 'Warn',
    },
  },
  'a pack of a tenant that refuses everything: it can be changed': {
    spec: inline({ 'a.rego': 'package a\ndeny := true' }),
    place: TENANT,
  },
  'an AdmissionReview as input': {
    spec: {
      ...inline({ 'a.rego': 'package a\ndeny contains "x" if input.request.kind.kind == "Secret"' }),
      input: 'AdmissionReview',
    },
  },
};

for (const [title, { spec, place }] of Object.entries(TAKEN)) {
  test(`taken: ${title}`, async (t) => {
    const outcome = await verifyPack(packRequest(spec, place), await verifyTools());
    t.is(outcome.kind, 'verified', JSON.stringify(outcome).slice(0, 500));
  });
}

test('a pack that takes too long is refused, and stopped', async (t) => {
  const outcome = await verifyPack(packRequest(inline({ 'slow.rego': LOOP })), await verifyTools());
  t.like(outcome, { kind: 'fault', fault: { reason: 'EvaluationFailed' } });
  t.regex(JSON.stringify(outcome), /tried on Pod example-main\/web, it fails \((Timeout|OutOfMemory)\)/);
});

test('a pack that has its time again when a machine is busy is taken', async (t) => {
  const tools = await verifyTools();
  let asked = 0;
  const outcome = await verifyPack(packRequest(inline({ 'images.rego': NO_LATEST })), {
    ...tools,
    host() {
      const host = tools.host();
      return {
        ready: () => host.ready(),
        close: () => host.close(),
        evaluate(evaluation) {
          asked += 1;
          const late = { kind: 'failed', reason: 'Timeout', message: 'stopped', micros: 50_000 } as const;
          return asked < 3 ? Promise.resolve(late) : host.evaluate(evaluation);
        },
      };
    },
  });
  t.is(outcome.kind, 'verified', JSON.stringify(outcome).slice(0, 300));
});

const SPEC = {
  source: { bundle: { url: 'https://packs.example/a.tar.gz', digest: `sha256:${'0'.repeat(64)}` } },
};

function bytes(files: Readonly<Record<string, string | Uint8Array>>): Promise<Uint8Array> {
  return writeArchive(
    Object.fromEntries(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)])),
  );
}

test('a bundle says its own version of Rego, and its data may be anywhere in it', async (t) => {
  const bundle = await bytes({
    '.manifest': JSON.stringify({ rego_version: 0, roots: ['a', 'allowed'] }),
    'a/a.rego':
      'package a\ndeny[msg] { not data.allowed.names[input.review.name]; msg := "not allowed"; input.x }',
    'allowed/data.json': '{"names":{"web":true}}',
    'README.md': 'not part of it',
  });
  const outcome = await verifyPack(packRequest(SPEC), await verifyTools(bundle));
  if (outcome.kind !== 'verified') throw new Error(JSON.stringify(outcome));
  t.is(outcome.pack.provenance, 'Bundle');
  const data = gunzipSync(Buffer.from(outcome.pack.data!.parts[0]!, 'base64')).toString();
  t.deepEqual(JSON.parse(data), { allowed: { names: { web: true } } });
});

test('a bundle keeps to its roots', async (t) => {
  const bundle = await bytes({
    '.manifest': JSON.stringify({ roots: ['tenants/vp'] }),
    'a.rego': 'package other\ndeny if input.x',
  });
  const outcome = await verifyPack(packRequest(SPEC), await verifyTools(bundle));
  t.like(outcome, { kind: 'fault', fault: { reason: 'CompileFailed' } });
  t.regex(JSON.stringify(outcome), /manifest roots \[tenants\/vp\] do not permit 'package other'/);
});

test('a floor that is none is refused, and says where it is wrong', async (t) => {
  const bundle = await bytes({ 'a.rego': 'package a\ndeny if input.x', 'floor.yaml': 'rules: 7' });
  const outcome = await verifyPack(packRequest(SPEC), await verifyTools(bundle));
  t.like(outcome, { kind: 'fault', fault: { reason: 'InvalidFloor' } });
  t.regex(JSON.stringify(outcome), /floor\.yaml: .*rules/);
});

async function prebuilt(): Promise<Uint8Array> {
  const { run } = await pinnedToolchain();
  const compiled = await compilePack(
    { files: sourceFiles({ 'a.rego': NO_LATEST }, undefined), regoVersion: 'V1' },
    { run },
  );
  if (compiled.kind !== 'ok') throw new Error(JSON.stringify(compiled));
  return compiled.pack.wasm;
}

test('a module that somebody else has compiled is taken as it is, by what its entry points are called', async (t) => {
  const wasm = await prebuilt();
  const manifest = { roots: [''], wasm: [{ entrypoint: 'nexusos/main/decision', module: '/policy.wasm' }] };
  const bundle = await bytes({
    '.manifest': JSON.stringify(manifest),
    'policy.wasm': wasm,
    'data.json': '{"a":1}',
  });
  const outcome = await verifyPack(packRequest(SPEC), await verifyTools(bundle));
  if (outcome.kind !== 'verified') throw new Error(JSON.stringify(outcome));
  t.like(outcome.pack, {
    provenance: 'Prebuilt',
    hasMutate: true,
    entrypoints: [{ path: 'nexusos/main/decision', role: 'decision' }],
    module: { size: wasm.length },
  });
  t.is(outcome.pack.compiler, undefined);
});

const ODD_MODULES: Readonly<
  Record<
    string,
    { readonly manifest: object; readonly wasm?: string; readonly want: string; readonly words: RegExp }
  >
> = {
  'an entry point that nobody asks': {
    manifest: { wasm: [{ entrypoint: 'a/helper', module: '/policy.wasm' }] },
    want: 'NoRules',
    words: /found the entry points a\/helper/,
  },
  'an entry point that it does not have': {
    manifest: { wasm: [{ entrypoint: 'a/deny', module: '/policy.wasm' }] },
    want: 'ModuleRefused',
    words: /no entry point a\/deny/,
  },
  'no module at all': {
    manifest: { wasm: [{ entrypoint: 'nexusos/main/decision', module: '/policy.wasm' }] },
    wasm: 'hello',
    want: 'ModuleRefused',
    words: /cannot be read/,
  },
};

for (const [title, { manifest, wasm, want, words }] of Object.entries(ODD_MODULES)) {
  test(`refused: a module with ${title}`, async (t) => {
    const module = wasm ?? (await prebuilt());
    const bundle = await bytes({ '.manifest': JSON.stringify(manifest), 'policy.wasm': module });
    const outcome = await verifyPack(packRequest(SPEC), await verifyTools(bundle));
    if (outcome.kind !== 'fault') throw new Error('it was verified');
    t.is(outcome.fault.reason, want as typeof outcome.fault.reason, outcome.fault.message);
    t.regex(outcome.fault.message, words);
  });
}
