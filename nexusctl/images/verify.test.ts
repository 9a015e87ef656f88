// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { stringify } from 'yaml';
import { cycloneDx, report } from '#hack/sigstore/predicates';
import { ISSUER } from '#hack/sigstore/private-sigstore';
import { runProgram } from '#hack/tools/run-program';
import { CI, SignedWorld } from '#operator/supply-chain/testing/signed-world';
import { openDesk, type Ran } from '../testing/cli.ts';

let world: SignedWorld;
let pem: string;
const images: Record<'signed' | 'described' | 'keyless' | 'bare', string> = {
  signed: '',
  described: '',
  keyless: '',
  bare: '',
};

test.before(async () => {
  world = await SignedWorld.start();
  pem = await readFile(world.publicPath('builder'), 'utf8');
  for (const name of ['signed', 'described', 'keyless', 'bare'] as const)
    images[name] = world.registry.image(name);
  await world.sign(images.signed, 'builder');
  await world.attest(images.described, 'builder', { type: 'cyclonedx', predicate: cycloneDx() });
  await world.signKeyless(images.keyless);
});

test.after.always(() => world?.stop());

/** Documents as somebody keeps them in files. */
function manifest(kind: string, name: string, rest: object): string {
  const apiVersion = kind === 'Secret' || kind === 'ConfigMap' ? 'v1' : 'nexusos.dev/v1alpha1';
  return stringify({ apiVersion, kind, metadata: { name }, ...rest });
}

const about = (): readonly string[] => [`${world.registry.host}/*`];

function byKey(key: object = { pem }): string {
  const spec = {
    images: about(),
    authorities: [{ name: 'builder', key }],
    require: { signatures: { from: ['builder'] } },
  };
  return manifest('ClusterImagePolicy', 'signed', { spec });
}

function keyless(subject: string): string {
  const authority = {
    name: 'ci',
    keyless: { identities: [{ issuer: ISSUER, subject }] },
    trustRootRef: { name: 'own' },
  };
  const spec = { images: about(), authorities: [authority], require: { signatures: { from: ['ci'] } } };
  return manifest('ImagePolicy', 'built-here', { spec });
}

function value({ out }: Ran): Readonly<Record<string, unknown>> {
  return JSON.parse(out) as Readonly<Record<string, unknown>>;
}

test('an image that is as asked is told so, with who signed it', async (t) => {
  const desk = await openDesk(t);
  await desk.write({ 'policy.yaml': byKey() });
  const ran = await desk.nexusctl(
    `verify ${world.reference(images.signed)} --policy policy.yaml --plain-http`,
  );
  t.is(ran.code, 0, ran.err);
  t.regex(ran.out, /^outcome: Verified$/m);
  t.regex(ran.out, /ClusterImagePolicy signed +signatures +Verified +signed by builder/);
  t.true(ran.out.includes(`builder: key sha256:${world.fingerprint('builder')}`));
});

const refused = {
  bare: { reason: 'NoSignature', advice: /what to do: sign this digest/ },
  described: {
    reason: 'OnlyOtherStatements',
    advice: /what to do: what is attached is not what is asked for/,
  },
  keyless: { reason: 'WrongKey', advice: /what to do: have it signed by somebody whom the policy names/ },
} as const;

for (const [name, { reason, advice }] of Object.entries(refused)) {
  test(`an image that is not is told why, and what to do: ${name}`, async (t) => {
    const desk = await openDesk(t);
    await desk.write({ 'policies/policy.yaml': byKey() });
    const image = world.reference(images[name as 'bare']);
    const ran = await desk.nexusctl(`verify ${image} --policy policies --plain-http`);
    t.is(ran.code, 1, ran.err);
    t.true(ran.out.includes(reason), ran.out);
    t.regex(ran.out, advice);
    const told = value(await desk.nexusctl(`verify ${image} --policy policies --plain-http -o json`));
    t.like(told, { outcome: 'Refused', policies: [{ name: 'ClusterImagePolicy signed', reason }] });
  });
}

test('keys of Secrets and roots of ConfigMaps may be in the same files', async (t) => {
  const desk = await openDesk(t);
  const root = JSON.stringify(world.sigstore.trustedRoot);
  await desk.write({
    'key/policy.yaml': byKey({ secretRef: { name: 'keys', key: 'cosign.pub' } }),
    'key/secret.yaml': manifest('Secret', 'keys', {
      data: { 'cosign.pub': Buffer.from(pem).toString('base64') },
    }),
    'people/policy.yaml': keyless(CI),
    'people/root.yaml': manifest('TrustRoot', 'own', {
      spec: { configMapRef: { name: 'roots', key: 'own.json' } },
    }),
    'people/roots.yaml': manifest('ConfigMap', 'roots', { data: { 'own.json': root } }),
    'others/policy.yaml': keyless(`${CI}/other`),
    'others/root.yaml': manifest('TrustRoot', 'own', { spec: { trustedRoot: root } }),
  });
  const run = (image: string, policy: string): Promise<Ran> =>
    desk.nexusctl(`verify ${world.reference(image)} --policy ${policy} --plain-http`);
  t.is((await run(images.signed, 'key')).code, 0);
  const people = await run(images.keyless, 'people');
  t.is(people.code, 0, people.out + people.err);
  t.true(people.out.includes(`ci: "${CI}" by "${ISSUER}"`));
  const others = await run(images.keyless, 'others');
  t.is(others.code, 1);
  t.regex(others.out, /WrongIdentity/);
});

test('with bundles in files nothing is asked of anybody', async (t) => {
  const desk = await openDesk(t);
  const { evidence, subject } = world.registry.gathered(images.signed);
  const bundle = Buffer.from(evidence[0]!.bytes).toString();
  await desk.write({
    'policy.yaml': byKey(),
    'bundle.json': bundle,
    'many/bundles.jsonl': `${bundle}\n${bundle}\n`,
    'none/readme.txt': 'nothing',
    'manifest.json': Buffer.from(subject).toString(),
    'wrong.json': '{}',
  });
  // A host that nobody has: whoever asked it would fail.
  const name = `${world.registry.host}/app`;
  const offline = (image: string, words: string): Promise<Ran> =>
    desk.nexusctl(`verify ${name}@${image} --policy policy.yaml ${words}`);
  for (const words of [
    '--bundle bundle.json',
    '--bundle many',
    '--bundle bundle.json --manifest manifest.json',
  ]) {
    const ran = await offline(images.signed, words);
    t.is(ran.code, 0, `${words}: ${ran.out}${ran.err}`);
  }
  t.regex((await offline(images.bare, '--bundle bundle.json')).out, /DigestMismatch/);
  t.regex((await offline(images.signed, '--bundle none')).out, /NoSignature/);
  t.is((await offline(images.signed, '--bundle missing')).code, 2);
  t.regex(
    (await offline(images.signed, '--bundle bundle.json --manifest wrong.json')).err,
    /is not the manifest/,
  );
  const tagged = await desk.nexusctl(`verify ${name}:1 --policy policy.yaml --bundle bundle.json`);
  t.is(tagged.code, 2);
  t.regex(tagged.err, /has no digest/);
});

test('what cosign downloads is such a file', async (t) => {
  const desk = await openDesk(t);
  const image = world.registry.image('to be carried away');
  await world.sign(image, 'builder');
  await world.attest(image, 'builder', { type: 'cyclonedx', predicate: cycloneDx() });
  const bundles = await world.cosign.run('download', 'signature', world.reference(image));
  await desk.write({ 'policy.yaml': byKey(), 'evidence/bundles.jsonl': bundles });
  const asked = `verify registry.nowhere.example/app@${image} --policy policy.yaml --bundle evidence`;
  // By another name, which the policy is not about.
  t.is((await desk.nexusctl(asked)).code, 2);
  const ran = await desk.nexusctl(asked.replace('registry.nowhere.example', world.registry.host));
  t.is(ran.code, 0, `${ran.out}${ran.err}`);
});

test('with bundles in files platforms are asked as in a cluster: what is not there is not known', async (t) => {
  const desk = await openDesk(t);
  const { registry } = world;
  const [one, two] = [registry.image('one platform'), registry.image('another platform')];
  const inner = registry.index([two]);
  const index = registry.index([one, inner]);
  for (const image of [one, inner, index]) await world.sign(image, 'builder');
  const files = (image: string, name: string) => {
    const { subject, evidence } = registry.gathered(image);
    const bundles = evidence.map(({ bytes }) => Buffer.from(bytes).toString());
    return {
      [`manifests/${name}.json`]: Buffer.from(subject).toString(),
      [`bundles/${name}.jsonl`]: bundles.map((text) => `${text}\n`).join(''),
    };
  };
  const all = { ...files(one, 'one'), ...files(inner, 'inner'), ...files(index, 'index') };
  await desk.write({ ...all, 'policy.yaml': byKey().replace('spec:', 'spec:\n  platforms: Each') });
  const run = (words: string): Promise<Ran> =>
    desk.nexusctl(`verify ${world.reference(index)} --policy policy.yaml --bundle bundles${words}`);
  const without = await run('');
  t.is(without.code, 3, without.out);
  t.regex(without.out, /platforms +Unknown +.*--manifest/);
  const alone = await run(' --manifest manifests/index.json');
  t.is(alone.code, 3, alone.out);
  t.regex(alone.out, new RegExp(`the manifest of ${one} is not among the files`));
  await desk.write(files(two, 'two'));
  const unsigned = await run(' --manifest manifests');
  t.is(unsigned.code, 1, unsigned.out);
  t.true(unsigned.out.includes(two), 'the one in the index within');
  await world.sign(two, 'builder');
  await desk.write(files(two, 'two'));
  const signed = await run(' --manifest manifests');
  t.is(signed.code, 0, signed.out + signed.err);
});

test('what cannot be told is neither a yes nor a no', async (t) => {
  const desk = await openDesk(t);
  await desk.write({
    'policy.yaml': byKey(),
    'nobody.yaml': byKey().replaceAll(world.registry.host, '127.0.0.1:9'),
  });
  const missing = world.reference(`sha256:${'0'.repeat(64)}`);
  const ran = await desk.nexusctl(`verify ${missing} --policy policy.yaml --plain-http`);
  t.not(ran.code, 0);
  const none = await desk.nexusctl('verify 127.0.0.1:9/app:1 --policy nobody.yaml --plain-http');
  t.is(none.code, 3, none.err);
});

const wrong: Readonly<Record<string, { readonly policy: () => string; readonly says: RegExp }>> = {
  'a policy about something else': {
    policy: () => byKey().replaceAll(`${world.registry.host}/*`, 'other.example/*'),
    says: /no policy is about .*\n.*ClusterImagePolicy signed is about other\.example/,
  },
  'a field that is not as it is to be': {
    policy: () => byKey().replace('- builder', '- Builder'),
    says: /does not fit the schema.*\n.*spec\.require\.signatures\.from/,
  },
  'a key that is none': {
    policy: () => byKey({ pem: 'none' }),
    says: /cannot be used\n.*key\.pem: found no PEM/,
  },
  'a Secret that is not there': {
    policy: () => byKey({ secretRef: { name: 'keys', key: 'k' } }),
    says: /no key k in a Secret keys/,
  },
};

for (const [title, { policy, says }] of Object.entries(wrong)) {
  test(`what cannot be used is told: ${title}`, async (t) => {
    const desk = await openDesk(t);
    await desk.write({ 'policy.yaml': policy() });
    const image = world.reference(images.signed);
    const ran = await desk.nexusctl(`verify ${image} --policy policy.yaml --plain-http`);
    t.is(ran.code, 2, ran.out);
    t.regex(ran.err, says);
  });
}

test('a time may be named: what held then', async (t) => {
  const desk = await openDesk(t);
  await desk.write({ 'policy.yaml': byKey() });
  const image = world.reference(images.signed);
  const words = `verify ${image} --policy policy.yaml --plain-http --at`;
  t.is((await desk.nexusctl(`${words} 2026-11-23T00:00:00Z`)).code, 0);
  t.is((await desk.nexusctl(`${words} then`)).code, 2);
});

/** Whatever asks the network ends there, and says so. */
const NO_NETWORK = `
import { syncBuiltinESMExports } from 'node:module';
import dgram from 'node:dgram';
import dns from 'node:dns';
import net from 'node:net';
const refuse = () => { throw new Error('the network was asked'); };
net.Socket.prototype.connect = refuse;
dgram.createSocket = refuse;
dns.lookup = refuse;
dns.promises.lookup = refuse;
syncBuiltinESMExports();
`;

test('with policies and bundles in files it runs where there is no network at all', async (t) => {
  const desk = await openDesk(t);
  const { evidence } = world.registry.gathered(images.signed);
  await desk.write({
    'policy.yaml': byKey(),
    'bundle.json': Buffer.from(evidence[0]!.bytes).toString(),
    'no-network.mjs': NO_NETWORK,
  });
  const run = (...words: readonly string[]) =>
    runProgram(process.execPath, {
      args: [
        '--import',
        join(desk.folder, 'no-network.mjs'),
        join(import.meta.dirname, '../main.ts'),
        'verify',
        world.reference(images.signed),
        '--policy',
        'policy.yaml',
        ...words,
      ],
      cwd: desk.folder,
      env: { HOME: desk.folder },
    });
  const offline = await run('--bundle', 'bundle.json', '-o', 'json');
  t.is(offline.code, 0, offline.stderr);
  t.like(JSON.parse(offline.stdout), { outcome: 'Verified', digest: images.signed });
  const online = await run('--plain-http', '-o', 'json');
  t.is(online.code, 3, 'it is told where somebody is asked');
  t.like(JSON.parse(online.stdout), { outcome: 'Unknown', policies: [{ reason: 'RegistryUnreachable' }] });
});

function waiver(by: string): string {
  return stringify({
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImageWaiver',
    metadata: { name: 'right', annotations: { 'nexusos.dev/created-by': 'ann' } },
    spec: {
      policies: ['scanned'],
      vulnerability: 'CVE-2026-0001',
      subjects: { namespaces: ['team-main'] },
      reason: 'nothing calls it',
      ticket: 'SEC-1',
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      approval: { decision: 'Approved', by },
    },
  });
}

test('waivers of the files count as in a cluster, and those that do not are told with the reason', async (t) => {
  const desk = await openDesk(t);
  const image = world.registry.image('waived');
  await world.attest(image, 'scanner', { type: 'vuln', predicate: report(new Date().toISOString()) });
  const key = { pem: await readFile(world.publicPath('scanner'), 'utf8') };
  const vulnerabilities = { from: ['scanner'], budget: { critical: 0, unscored: 0 } };
  const spec = { images: about(), authorities: [{ name: 'scanner', key }], require: { vulnerabilities } };
  await desk.write({
    'policies/policy.yaml': manifest('ClusterImagePolicy', 'scanned', { spec }),
    'policies/waiver.yaml': waiver('bob'),
    'policies/namespace.yaml': stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'team-main', labels: { 'nexusos.dev/tenant': 'team' } },
    }),
  });
  const words = `verify ${world.reference(image)} --policy policies --plain-http`;
  const waived = await desk.nexusctl(`${words} --namespace team-main`);
  t.is(waived.code, 0, waived.out + waived.err);
  t.regex(waived.out, /1 waived/);
  const elsewhere = await desk.nexusctl(words);
  t.is(elsewhere.code, 1, elsewhere.out);
  t.regex(elsewhere.out, /OverBudget/);
  t.regex(elsewhere.out, /ImageWaiver right is left out: .*--namespace/);
  await desk.write({ 'policies/waiver.yaml': waiver('ann') });
  const alone = await desk.nexusctl(`${words} --namespace team-main`);
  t.is(alone.code, 1);
  t.regex(alone.out, /ImageWaiver right is left out: who approves it must be somebody else/);
});

test('what becomes of pods is told: a policy that only warns lets them start', async (t) => {
  const desk = await openDesk(t);
  const warns = byKey().replace('spec:', 'spec:\n  enforcement: Warn');
  const allows = byKey().replace('spec:', 'spec:\n  unknown: Allow');
  await desk.write({ 'enforce.yaml': byKey(), 'warn.yaml': warns, 'allow.yaml': allows });
  const verify = async (image: string, policy: string) =>
    value(await desk.nexusctl(`verify ${image} --policy ${policy} --plain-http -o json`));
  const bare = world.reference(images.bare);
  t.like(await verify(bare, 'enforce.yaml'), { outcome: 'Refused', pods: 'DoNotStart' });
  t.like(await verify(bare, 'warn.yaml'), { outcome: 'Refused', pods: 'StartWithWarning' });
  t.like(await verify(world.reference(images.signed), 'enforce.yaml'), { pods: 'Start' });
  await desk.write({ 'nobody.yaml': allows.replaceAll(world.registry.host, '127.0.0.1:9') });
  t.like(await verify('127.0.0.1:9/app:1', 'nobody.yaml'), { outcome: 'Unknown', pods: 'Start' });
});
