// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { stringify } from 'yaml';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { Proof } from '#operator/core/images/proof';
import type { KubeObject } from '#operator/core/object';
import { signProof } from '#operator/supply-chain/signed-proof';
import { type Desk, openDesk } from '../testing/cli.ts';
import { tellersOf } from './live-world.ts';

interface Told {
  readonly judged: number;
  readonly newlyDenied: number;
  readonly bothAllowed: number;
  readonly beyond: number;
  readonly outside: number;
  readonly withoutFacts: { readonly objects: number; readonly rules: readonly string[] };
  readonly unseen: readonly string[];
  readonly unasked: readonly string[];
  readonly perhapsAsked: readonly string[];
  readonly notes: readonly string[];
}

async function diff({ nexusctl }: Desk, words: string): Promise<Told & { readonly code: number }> {
  const { code, out, err } = await nexusctl(`pack diff ${words} -o json`);
  if (out === '') throw new Error(err);
  return { code, ...(JSON.parse(out) as Told) };
}

const IMAGE = 'registry.example/app:1';

const pod = (namespace: string, name: string, { image = IMAGE, labels = {} } = {}) =>
  stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { containers: [{ name: 'app', image }] },
  });

function pack(
  rego: string,
  { namespace, ...spec }: { readonly namespace?: string; readonly [field: string]: unknown },
) {
  const binding = { rules: [{ apiGroups: [''], resources: ['pods'] }] };
  const manifest = {
    kind: 'PolicyPack',
    metadata: { name: 'p', namespace },
    spec: { version: '1.0.0', binding, ...spec },
  };
  return { 'p/manifest.yaml': stringify(manifest), 'p/p.rego': `package p\n\n${rego}\n` };
}

/** One rule that goes by images, one that goes by every one of them, and one that does not. */
const IMAGES = `deny contains {"rule": "verified", "msg": "is not verified"} if {
	some one in input.images
	not is_verified(one)
}

is_verified(one) if {
	some policy in one.policies
	policy.outcome == "Verified"
}

deny contains {"rule": "all", "msg": "not all are known"} if not all_known

all_known if {
	every one in input.images {
		one.state == "Known"
	}
}

deny contains {"rule": "owner", "msg": "who owns it?"} if not input.review.object.metadata.labels.owner
`;

test('of a folder nothing is known of images: rules that go by them are told, and only the others judge', async (t) => {
  const desk = await openDesk(t);
  await desk.write({
    ...pack(IMAGES, { facts: ['Images'] }),
    'live/owned.yaml': pod('acme-dev', 'owned', { labels: { owner: 'ann' } }),
    'live/own.yaml': pod('acme-dev', 'own', { image: 'registry.example/other:1', labels: { owner: 'ann' } }),
    'live/nobodys.yaml': pod('acme-dev', 'nobodys'),
    'live/agent.yaml': 'apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: acme-dev}\n',
  });
  const blind = await diff(desk, 'p --against live');
  t.like(blind, { code: 1, newlyDenied: 1, bothAllowed: 3 });
  t.deepEqual(blind.withoutFacts, { objects: 3, rules: ['all', 'verified'] });
  t.is(
    blind.notes[0],
    'nothing is known of the images of 3 objects: rules that go by input.images could not be judged, among them all, verified (--images says what is known)',
  );
  t.regex(
    (await desk.nexusctl('pack diff p --against live')).out,
    /\nnothing is known of the images of 3 objects: /,
  );

  await desk.write({
    'known.yaml': stringify({
      images: [{ image: 'registry.example/app:1', policies: [{ name: 'signed' }] }],
    }),
  });
  const told = await diff(desk, 'p --against live --images known.yaml');
  t.like(told, { newlyDenied: 2, bothAllowed: 2, withoutFacts: { objects: 0 } });
  t.deepEqual(told.notes, []);
});

test('a pack that is told of no images judges as ever', async (t) => {
  const desk = await openDesk(t);
  await desk.write({
    ...pack(IMAGES, {}),
    'live/a.yaml': pod('acme-dev', 'a', { labels: { owner: 'ann' } }),
  });
  t.like(await diff(desk, 'p --against live'), { newlyDenied: 1, withoutFacts: { objects: 0 } });
});

const TENANT = {
  apiVersion: API_VERSION,
  kind: 'Tenant',
  metadata: { name: 'acme' },
  spec: {
    displayName: 'Acme',
    plan: 'gold',
    owners: [{ kind: 'User', name: 'ann', role: 'admin' }],
    namespaces: [{ suffix: 'dev' }],
  },
};
const GOLD = { rules: [{ apiGroups: [''], resources: ['pods'] }], tenants: { plans: ['gold'] } };

test('tenants, who is exempt, and what no pack is asked about, are as the folder says', async (t) => {
  const desk = await openDesk(t);
  await desk.write({
    ...pack('deny contains "gold" if input.tenant.plan == "gold"', { binding: GOLD }),
    'live/a.yaml': pod('acme-dev', 'a'),
    'live/b.yaml': pod('acme-dev', 'b'),
    'live/c.yaml': pod('elsewhere', 'c'),
    'live/system.yaml': pod('kube-system', 'dns'),
  });
  const unknown = await diff(desk, 'p --against live');
  t.like(unknown, { code: 0, judged: 3, newlyDenied: 0, beyond: 1 });
  t.deepEqual(unknown.notes, [
    'of 3 objects no tenant is known: what goes by tenants, the binding included, saw none',
    'left out: 1 object that no pack is ever asked about',
  ]);

  await desk.write({ 'live/tenant.yaml': stringify(TENANT) });
  t.like(await diff(desk, 'p --against live'), { code: 1, newlyDenied: 2, outside: 0 });

  const exemption = {
    apiVersion: API_VERSION,
    kind: 'PolicyExemption',
    metadata: {
      name: 'a',
      namespace: 'nexusos-system',
      annotations: { 'nexusos.dev/created-by': 'ann' },
    },
    spec: {
      packRef: { namespace: 'nexusos-system', name: 'p' },
      subjects: { tenants: ['acme'], names: ['a'] },
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      reason: 'it is old',
      ticket: 'T-1',
      approval: { decision: 'Approved', by: 'bob' },
    },
  };
  await desk.write({ 'live/exempt.yaml': stringify(exemption) });
  t.like(await diff(desk, 'p --against live'), { newlyDenied: 1 });
  const own = { ...exemption, spec: { ...exemption.spec, approval: { decision: 'Approved', by: 'ann' } } };
  await desk.write({ 'live/exempt.yaml': stringify(own) });
  t.like(await diff(desk, 'p --against live'), { newlyDenied: 2 }, 'nobody approves for himself');

  await desk.write({ 'live/tenant.yaml': stringify({ ...TENANT, spec: { plan: 7 } }) });
  const { notes } = await diff(desk, 'p --against live');
  t.regex(notes[0] ?? '', /^Tenant acme is passed over: spec\./);
});

test("a tenant's pack reaches that tenant, whatever it says; and what only changes are judged by is judged", async (t) => {
  const desk = await openDesk(t);
  await desk.write({
    ...pack('deny contains "no"', {
      namespace: 'acme-dev',
      binding: { ...GOLD, tenants: { names: ['other'] }, excludedNamespaces: ['*'] },
    }),
    'live/tenant.yaml': stringify(TENANT),
    'live/a.yaml': pod('acme-dev', 'a'),
    'live/b.yaml': pod('elsewhere', 'b'),
  });
  t.like(await diff(desk, 'p --against live'), { newlyDenied: 1, judged: 3 });
  const binding = { rules: [{ apiGroups: [''], resources: ['pods'], operations: ['UPDATE'] }] };
  await desk.write(pack('deny contains "no" if input.review.oldObject.metadata.name == "b"', { binding }));
  const changed = await diff(desk, 'p --against live');
  t.like(changed, { newlyDenied: 1, outside: 1 });
  t.true(changed.notes.some((one) => one.startsWith('newly denied in namespaces of no tenant')));
});

test('what the API server does not ask about is told where it would be refused', async (t) => {
  const desk = await openDesk(t);
  const binding = { rules: [{ apiGroups: ['', 'apps'], resources: ['secrets', 'pods'] }] };
  await desk.write({
    ...pack('deny contains "no"', { binding }),
    'live/a.yaml': pod('acme-dev', 'a'),
    'live/b.yaml': stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'b', namespace: 'acme-dev' },
    }),
  });
  const told = await diff(desk, 'p --against live');
  t.like(told, { newlyDenied: 2, unasked: ['Secret'] });
  t.true(told.notes.some((one) => one.startsWith('the API server does not ask about Secret: ')));
});

const ROLLOUT = stringify({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'a', namespace: 'acme-dev' },
});
const WORDS = 'the API server does not ask about Rollout: ';

function registration(resources: readonly string[]): string {
  return stringify({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: 'nexusos-webhooks' },
    webhooks: [{ rules: [{ apiGroups: ['argoproj.io'], resources, operations: ['CREATE', 'UPDATE'] }] }],
  });
}

test('kinds of others may be asked about: that is told, unless the configuration of the API server is among the manifests', async (t) => {
  const desk = await openDesk(t);
  const binding = { rules: [{ apiGroups: ['argoproj.io'], resources: ['rollouts'] }] };
  await desk.write({ ...pack('deny contains "no"', { binding }), 'live/a.yaml': ROLLOUT });
  const unknown = await diff(desk, 'p --against live');
  t.like(unknown, { newlyDenied: 1, unasked: ['Rollout'], perhapsAsked: ['Rollout'] });
  const [note = ''] = unknown.notes.filter((one) => one.startsWith(WORDS));
  t.regex(
    note,
    / \(Rollout: unless webhooks\.policy\.resources of the chart names it, which is not known here\)$/,
  );
  await desk.write({ 'live/chart.yaml': registration(['rollouts']) });
  const asked = await diff(desk, 'p --against live');
  t.like(asked, { newlyDenied: 1, unasked: [], perhapsAsked: [] });
  t.false(asked.notes.some((one) => one.startsWith(WORDS)));

  await desk.write({ 'live/chart.yaml': registration(['workflows']) });
  const unasked = await diff(desk, 'p --against live');
  t.like(unasked, { unasked: ['Rollout'], perhapsAsked: [] });
  t.true(unasked.notes.some((one) => one.startsWith(WORDS) && one.endsWith('by scans at most')));
});

const HOSTS = `package p

deny contains sprintf("host %s is taken by %s/%s", [host, namespace, name]) if {
	some rule in input.review.object.spec.rules
	host := rule.host
	some namespace, versions in data.inventory.namespace
	some name, other in versions["networking.k8s.io/v1"].Ingress
	[namespace, name] != [input.review.namespace, input.review.name]
	some taken in other.spec.rules
	taken.host == host
}
`;

function ingress(namespace: string, name: string, host: string): string {
  const metadata = { name, namespace };
  return stringify({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata,
    spec: { rules: [{ host }] },
  });
}

test('objects of a folder are compared with each other, and those of a tenant with its own', async (t) => {
  const desk = await openDesk(t);
  const kinds = [{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', fields: ['spec.rules.host'] }];
  const spec = {
    binding: { rules: [{ apiGroups: ['networking.k8s.io'], resources: ['ingresses'] }] },
    inventory: { kinds },
  };
  await desk.write({
    ...pack('', spec),
    'p/p.rego': HOSTS,
    'live/tenant.yaml': stringify(TENANT),
    'live/a.yaml': ingress('acme-dev', 'a', 'shop.example'),
    'live/b.yaml': ingress('other', 'b', 'shop.example'),
    'live/c.yaml': ingress('acme-dev', 'c', 'else.example'),
  });
  t.like(await diff(desk, 'p --against live'), { newlyDenied: 2, unseen: [] });
  t.like(
    await diff(desk, 'p --against live --namespace other'),
    { newlyDenied: 1 },
    'with what is elsewhere',
  );
  await desk.write({ ...pack('', { ...spec, namespace: 'acme-dev' }), 'p/p.rego': HOSTS });
  t.like(await diff(desk, 'p --against live'), { newlyDenied: 0 });
  await desk.write({ 'p/data.json': JSON.stringify({ inventory: {} }) });
  const { unseen, notes } = await diff(desk, 'p --against live');
  t.deepEqual(unseen, ['its data have an inventory of their own']);
  t.true(notes.some((one) => one.startsWith('live objects (spec.inventory) are not seen: its data have')));
});

const NOW = new Date('2026-11-01T00:00:00Z');
const DIGEST = `sha256:${'a'.repeat(64)}`;

function keyPair() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

const PROOF: Proof = {
  namespace: 'acme-dev',
  image: IMAGE,
  digest: DIGEST,
  verifiedAt: NOW.toISOString(),
  expiresAt: new Date(NOW.getTime() + 3_600_000).toISOString(),
  policies: [
    {
      kind: 'ClusterImagePolicy',
      name: 'signed',
      uid: 'u1',
      generation: 1,
      digest: DIGEST,
      outcome: 'Verified',
      message: 'fine',
    },
  ],
};

test('of a cluster, what is proved is believed for its signature, in its namespace, and by no other key', (t) => {
  const [operator, stranger] = [keyPair(), keyPair()];
  const pem = operator.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const verdict = (namespace: string, { privateKey }: ReturnType<typeof keyPair>): KubeObject => ({
    apiVersion: API_VERSION,
    kind: 'ImageVerdict',
    metadata: { name: 'app', namespace },
    spec: { image: PROOF.image },
    status: { proof: signProof(PROOF, { verifier: { id: 'x', version: '1' }, key: privateKey }) },
  });
  const policy = {
    apiVersion: API_VERSION,
    kind: 'ClusterImagePolicy',
    metadata: { name: 'signed', uid: 'u1', generation: 1 },
    spec: { images: ['registry.example/*'], enforcement: 'Enforce', unknown: 'Deny', maxAgeSeconds: 86_400 },
  };
  const stateIn = (namespace: string, by: ReturnType<typeof keyPair>) => {
    const teller = tellersOf({
      keys: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'keys' }, data: { 'a.pem': pem } },
      policies: [policy],
      verdicts: [verdict(namespace, by)],
      namespaces: ['acme-dev', 'other'].map((name) => ({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name },
      })),
    })(namespace);
    const [one] = teller([{ field: 'spec.containers[0].image', image: PROOF.image }], NOW);
    return [one?.state, one?.reason ?? one?.policies[0]?.outcome];
  };
  t.deepEqual(stateIn('acme-dev', operator), ['Known', 'Verified']);
  t.deepEqual(stateIn('acme-dev', stranger), ['NotKnown', 'BeingVerified']);
  t.deepEqual(stateIn('other', operator), ['NotKnown', 'BeingVerified'], 'a copy of it in another namespace');
  t.deepEqual(stateIn('nowhere', operator), ['NotKnown', 'Unavailable']);
});
