// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { attachChart } from '#hack/system/attach';
import { PLATFORM_NAMESPACE } from '#hack/system/chart';
import { type ApiUser, apiUser } from '../api-user.ts';

const test = anyTest as TestFn<ApiUser>;
const API = '/apis/nexusos.dev/v1alpha1';

test.before(async (t) => {
  t.context = await apiUser(await attachChart(), { user: 'image-boss', groups: ['system:masters'] });
});
test.after.always(async ({ context }) => {
  // Nobody, where the chart could not be installed.
  if ('close' in context) await context.close();
});

const PEM = '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n';

function policy(image: string, spec: object = {}): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'any' },
    spec: {
      images: [image],
      authorities: [{ name: 'builder', key: { pem: PEM } }],
      require: { signatures: { from: ['builder'] } },
      ...spec,
    },
  };
}

function waiver(image: string): object {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'ImageWaiver',
    metadata: { name: 'any', namespace: PLATFORM_NAMESPACE },
    spec: {
      policies: ['any'],
      vulnerability: 'CVE-2026-0001',
      subjects: { images: [image] },
      reason: 'nothing calls it',
      ticket: 'SEC-1',
      expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
    },
  };
}

/** Names that people write, and what they are told of those that no image has. */
const NAMES: Readonly<Record<string, RegExp | undefined>> = {
  '*': undefined,
  'registry.example/team/app': undefined,
  'registry.example/team*': undefined,
  'registry.example*': undefined,
  'registry.example:5000/team/*': undefined,
  'localhost/app': undefined,
  '*/team/app': undefined,
  'docker.io/library/busybox': undefined,
  'docker.io/team*': undefined,
  busybox: /begins with the registry and a slash: .*busybox is docker\.io\/library\/busybox/,
  'team/app': /begins with the registry and a slash: .*team\/app is docker\.io\/team\/app/,
  'registry.example': /begins with the registry and a slash: registry\.example\/team\/app/,
  'registry.example/team/app:1.4': /tags and digests are no part of it: name the repository alone/,
  'registry.example/team/*:1.4': /tags and digests are no part of it/,
  'index.docker.io/library/busybox': /Docker Hub is docker\.io/,
  'registry.example/team/': /no part of a name is empty: .*registry\.example\/team\/\*/,
  'registry.example//app': /no part of a name is empty/,
  'docker.io/busybox': /in library: docker\.io\/library\/busybox/,
  'registry.example/Team/app': /wanted are lower-case letters, .*no repository has upper case, blanks/,
  'https://registry.example/app': /a name has no scheme: without what stands before/,
  'registry.example/a b': /wanted are lower-case letters/,
  'registry.example/app@sha256:abc': /the digest of an image \(@sha256:\.\.\.\) is no part of it/,
};

for (const [name, told] of Object.entries(NAMES)) {
  const title = told === undefined ? 'may be named' : 'is no name of a repository, and what is is told';
  test(`${name} ${title}`, async (t) => {
    const asked = await t.context.send('POST', `${API}/clusterimagepolicies?dryRun=All`, policy(name));
    t.is(asked.status, told === undefined ? 201 : 422, asked.message);
    const waivers = `${API}/namespaces/${PLATFORM_NAMESPACE}/imagewaivers`;
    const waived = await t.context.send('POST', `${waivers}?dryRun=All`, waiver(name));
    t.is(waived.status, told === undefined ? 201 : 422, waived.message);
    if (told === undefined) return;
    t.regex(asked.message, told);
    t.true(asked.message.includes(`spec.images[0]: Invalid value: "${name}"`), asked.message);
    t.regex(waived.message, told);
    t.true(waived.message.includes(`spec.subjects.images[0]: Invalid value: "${name}"`), waived.message);
  });
}

const AGENT = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'Agent',
  metadata: { name: 'any', namespace: 'default' },
};

/** Fields that name an image, or where images are: what is written there, and what would pass. */
const MALFORMED: Readonly<Record<string, { path: string; object: object; field: string; told: RegExp }>> = {
  'the image of an Agent': {
    path: 'namespaces/default/agents',
    object: { ...AGENT, spec: { container: { image: 'Registry.example/Team app' } } },
    field: 'spec.container.image',
    told: /wanted is an image as container engines read it, such as registry\.example\/team\/app:1\.4/,
  },
  'the artifact of a pack': {
    path: 'namespaces/default/policypacks',
    object: {
      apiVersion: 'nexusos.dev/v1alpha1',
      kind: 'PolicyPack',
      metadata: { name: 'any', namespace: 'default' },
      spec: {
        version: '1',
        source: { oci: { image: 'oci://registry.example/packs', digest: `sha256:${'a'.repeat(64)}` } },
      },
    },
    field: 'spec.source.oci.image',
    told: /wanted is a registry and a repository in it, such as registry\.example\/packs\/images/,
  },
  'a registry of a Tenant': {
    path: 'tenants',
    object: {
      apiVersion: 'nexusos.dev/v1alpha1',
      kind: 'Tenant',
      metadata: { name: 'malformed-registry' },
      spec: { entitlements: { registries: ['https://registry.example/team'] } },
    },
    field: 'spec.entitlements.registries[0]',
    told: /wanted is the host of a registry, .* no scheme like https:\/\//,
  },
};

for (const [title, { path, object, field, told }] of Object.entries(MALFORMED)) {
  test(`what is spelt wrongly is told in words, with what would pass: ${title}`, async (t) => {
    const made = await t.context.send('POST', `${API}/${path}?dryRun=All`, object);
    t.is(made.status, 422, made.message);
    t.true(made.message.includes(`${field}: Invalid value`), made.message);
    t.regex(made.message, told);
    t.notRegex(made.message, /should match/);
  });
}

/** A waiver that counts between two times, in milliseconds from now. */
function waiverBetween(beginMs: number, endMs: number): object {
  const one = waiver('registry.example/*') as { readonly spec: object };
  const [notBefore, expiresAt] = [beginMs, endMs].map((ms) => new Date(Date.now() + ms).toISOString());
  return { ...one, spec: { ...one.spec, notBefore, expiresAt } };
}

test('a waiver that would never count is none', async (t) => {
  const waivers = `${API}/namespaces/${PLATFORM_NAMESPACE}/imagewaivers?dryRun=All`;
  const never = await t.context.send('POST', waivers, waiverBetween(7_200_000, 3_600_000));
  t.is(never.status, 422, never.message);
  t.regex(never.message, /spec\.notBefore: .*it would never count: notBefore has to be before expiresAt/);
  const later = await t.context.send('POST', waivers, waiverBetween(3_600_000, 7_200_000));
  t.is(later.status, 201, later.message);
});

const PRIVATE =
  '-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n';

test('a private key is refused where a public one is wanted, and not repeated', async (t) => {
  const authorities = [{ name: 'builder', key: { pem: PRIVATE } }];
  const made = await t.context.send(
    'POST',
    `${API}/clusterimagepolicies?dryRun=All`,
    policy('registry.example/*', { authorities }),
  );
  t.is(made.status, 422, made.message);
  t.regex(made.message, /spec\.authorities\[0\]\.key\.pem: .*found a private key; wanted is the public one/);
  t.false(made.message.includes('c2VjcmV0'), made.message);
});

test('what is no key at all is refused where it is written', async (t) => {
  const authorities = [{ name: 'builder', key: { pem: 'ssh-ed25519 AAAA' } }];
  const made = await t.context.send(
    'POST',
    `${API}/clusterimagepolicies?dryRun=All`,
    policy('registry.example/*', { authorities }),
  );
  t.is(made.status, 422, made.message);
  t.regex(
    made.message,
    /spec\.authorities\[0\]\.key\.pem: .*found no public key; wanted is a block that begins/,
  );
});
