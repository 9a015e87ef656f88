// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import { LABELS } from '#crds/v1alpha1/names';
import { eventually } from '#hack/tools/eventually';
import { findCondition } from '../core/conditions.ts';
import type { KubeObject } from '../core/object.ts';
import { NETWORK_POLICIES, NODES, RUNTIME_CLASSES, SECRETS } from '../core/resources.ts';
import {
  becomes,
  changeTenant,
  createTenant,
  PLATFORM,
  plain,
  startTenantRig,
  type TenantRig,
  tenantOf,
  writesAbout,
} from './testing/tenant-rig.ts';

const test = anyTest as TestFn<TenantRig>;
const READY = { status: 'True', reason: 'Provisioned' } as const;
const OWNERS = [{ kind: 'User', name: 'ann', role: 'admin' }] as const;

test.before(async (t) => {
  t.context = await startTenantRig();
});
test.after.always((t) => t.context.close());

/** Waits until NeedsAttention is there for `reason`, or not there. Returns what it says. */
async function attention(rig: TenantRig, name: string, reason: string | undefined): Promise<string> {
  const said: string[] = [];
  await eventually(`${name} needs attention: ${reason ?? 'no'}`, async () => {
    const found = findCondition((await tenantOf(rig, name))?.status?.conditions ?? [], 'NeedsAttention');
    if (found?.reason !== reason) throw new Error(JSON.stringify(found));
    return said.push(found?.message ?? '') > 0;
  });
  return said[0] ?? '';
}

async function exceptOf(rig: TenantRig, tenant: string): Promise<readonly string[]> {
  const key = { namespace: `${tenant}-x`, name: 'nexusos' };
  const { egress = [] } = ((await rig.client.get(NETWORK_POLICIES, key))?.['spec'] ?? {}) as {
    egress?: readonly { to: readonly { ipBlock?: { except?: readonly string[] } }[] }[];
  };
  return egress.flatMap(({ to }) => to.flatMap(({ ipBlock }) => ipBlock?.except ?? []));
}

test('egress to everywhere leaves out Services, and nodes as they come and go; nobody else is written to', async (t) => {
  const rig = t.context;
  const { client } = rig;
  const wide = { egress: [{ cidr: '0.0.0.0/0' }] };
  const narrow = { egress: [{ cidr: '198.51.100.0/24' }] };
  await createTenant(rig, 'wide', { namespaces: [{ suffix: 'x' }], owners: [...OWNERS], network: wide });
  await createTenant(rig, 'narrow', { namespaces: [{ suffix: 'x' }], owners: [...OWNERS], network: narrow });
  await becomes(rig, 'wide', READY);
  await becomes(rig, 'narrow', READY);
  const before = await writesAbout(rig, 'narrow');
  const node = { ...plain(NODES, 'late'), spec: { podCIDRs: ['10.240.7.0/24'], podCIDR: '10.240.7.0/24' } };
  await client.create(NODES, node, 'test');
  const addresses = [{ type: 'InternalIP', address: '10.77.1.5' }];
  await client.replaceStatus(NODES, { ...node, status: { addresses } }, 'test');
  await eventually('the node and its pods are closed', async () => {
    const except = await exceptOf(rig, 'wide');
    return except.includes('10.77.1.0/24') && except.includes('10.240.0.0/16');
  });
  await becomes(rig, 'wide', READY);

  const settled = await writesAbout(rig, 'wide');
  await client.patch(NODES, { name: 'late' }, { body: { metadata: { labels: { beat: '1' } } } });
  const next = { ...plain(NODES, 'next'), spec: { podCIDRs: ['10.240.8.0/24'], podCIDR: '10.240.8.0/24' } };
  await client.create(NODES, next, 'test');
  await client.delete(NODES, { name: 'late' });
  await eventually(
    'the address is free',
    async () => !(await exceptOf(rig, 'wide')).includes('10.77.1.0/24'),
  );
  const after = (await writesAbout(rig, 'wide')).slice(settled.length);
  const policies = after.filter((one) => one.includes('networkpolicies'));
  t.is(policies.length, 1, `a label and a neighbour change nothing: ${after.join('; ')}`);
  t.true((await exceptOf(rig, 'wide')).includes('10.240.0.0/16'), 'the neighbour is still there');
  t.deepEqual(await writesAbout(rig, 'narrow'), before);
});

test('a RuntimeClass that is not there is told, and waited for', async (t) => {
  const rig = t.context;
  const isolation = { tier: 'Hard', runtimeClassName: 'late-sandbox' } as const;
  await createTenant(rig, 'hard', { namespaces: [{ suffix: 'x' }], isolation });
  await becomes(rig, 'hard', { status: 'False', reason: 'RuntimeClassNotFound' });
  await rig.client.create(
    RUNTIME_CLASSES,
    { ...plain(RUNTIME_CLASSES, 'late-sandbox'), handler: 'x' },
    'test',
  );
  await becomes(rig, 'hard', READY);
  t.pass();
});

test('both sides of a peering that one side lacks are told, and a tenant without owners', async (t) => {
  const rig = t.context;
  await createTenant(rig, 'caller', { owners: [...OWNERS], network: { peers: ['callee', 'ghost'] } });
  t.regex(await attention(rig, 'caller', 'PeerOneSided'), /ghost/);
  await createTenant(rig, 'callee', { owners: [...OWNERS] });
  t.regex(await attention(rig, 'callee', 'PeerOneSided'), /caller would talk with this tenant/);
  await changeTenant(rig, 'caller', { spec: { network: { peers: ['callee'] } } });
  await changeTenant(rig, 'callee', { spec: { network: { peers: ['caller'] } } });
  await attention(rig, 'caller', undefined);
  await attention(rig, 'callee', undefined);
  await changeTenant(rig, 'callee', { spec: { owners: [] } });
  t.regex(await attention(rig, 'callee', 'NoOwners'), /spec\.owners is empty/);
});

test('policies that a narrowed border leaves behind are named until they go, and are not touched', async (t) => {
  const rig = t.context;
  const network = { egress: [{ cidr: '198.51.100.0/24' }] };
  await createTenant(rig, 'cutback', { namespaces: [{ suffix: 'x' }], owners: [...OWNERS], network });
  await becomes(rig, 'cutback', READY);
  const key = { namespace: 'cutback-x', name: 'theirs' };
  const egress = [{ to: [{ ipBlock: { cidr: '198.51.100.7/32' } }] }];
  const spec = { podSelector: {}, policyTypes: ['Egress'], egress };
  await rig.client.create(NETWORK_POLICIES, { ...plain(NETWORK_POLICIES, ''), metadata: key, spec }, 'test');
  await changeTenant(rig, 'cutback', { spec: { network: { egress: [] } } });
  const said = await attention(rig, 'cutback', 'PolicyBeyondBorder');
  t.regex(said, /cutback-x\/theirs \(to 198\.51\.100\.7\/32\)/);
  t.truthy(await rig.client.get(NETWORK_POLICIES, key));
  await rig.client.delete(NETWORK_POLICIES, key);
  await attention(rig, 'cutback', undefined);
});

function source(): KubeObject {
  const metadata = { name: 'kept', namespace: PLATFORM, labels: { [LABELS.shareable]: 'true' } };
  const data = { '.dockerconfigjson': Buffer.from('{"auths":{}}').toString('base64') };
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/dockerconfigjson', data };
}

test('a copy of a pull secret that somebody changes or deletes is put back before long', async (t) => {
  const rig = t.context;
  const { client } = rig;
  await client.create(SECRETS, source(), 'test');
  await createTenant(rig, 'keeper', {
    namespaces: [{ suffix: 'x' }],
    owners: [...OWNERS],
    imagePullSecrets: [{ name: 'kept' }],
  });
  await becomes(rig, 'keeper', READY);
  const key = { namespace: 'keeper-x', name: 'nexusos-pull-kept' };
  const isWhole = async () =>
    JSON.stringify((await client.get(SECRETS, key))?.['data']) === JSON.stringify(source()['data']);
  await eventually('the copy is there', isWhole);
  const other = { '.dockerconfigjson': Buffer.from('{"auths":{"x":{}}}').toString('base64') };
  await client.patch(SECRETS, key, { body: { data: other } });
  await eventually('the copy is as it was', isWhole);
  await client.delete(SECRETS, key);
  await eventually('the copy is there again', isWhole);
  t.pass();
});
