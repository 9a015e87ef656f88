// SPDX-License-Identifier: Apache-2.0
import anyTest, { type TestFn } from 'ava';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import { eventually } from '#hack/tools/eventually';
import { findCondition } from '../core/conditions.ts';
import type { KubeObject, Resource } from '../core/object.ts';
import type { Tenant } from '../core/tenant/tenant.ts';
import { hasStatus } from '../runtime/api-error.ts';
import { type Client, createClient } from '../runtime/client.ts';
import { certificateCredentials } from '../runtime/testing/certificate-credentials.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { TENANTS } from '../core/resources.ts';
import {
  isQuotaContention,
  listAll,
  makeTenant,
  attachWorkloadRig,
  reasonsTold,
  type WorkloadRig,
} from './testing/workload-rig.ts';

const test = anyTest as TestFn<WorkloadRig>;
const OWNER = 'eager-ann';
const SERVICE = { apiVersion: 'v1', kind: 'Service' } as const;
const SERVICES: Resource = { ...SERVICE, plural: 'services', namespaced: true };

test.before(async (t) => {
  t.context = await attachWorkloadRig();
});
test.after.always((t) => t.context.close());

async function ownerClient({ cluster }: WorkloadRig): Promise<Client> {
  const path = await cluster.kubeconfigFor({ user: OWNER });
  return createClient({ credentials: await certificateCredentials(path), metrics: createMetrics() });
}

function serviceIn(namespace: string, name: string): KubeObject {
  return { ...SERVICE, metadata: { namespace, name }, spec: { ports: [{ port: 80 }] } };
}

/** How a create ended: by whom it was refused, if it was. */
async function tryCreate(
  client: Client,
  service: KubeObject,
): Promise<'made' | 'noAccess' | 'noQuota' | 'noTurn'> {
  try {
    await client.create(SERVICES, service, 'test');
    return 'made';
  } catch (error) {
    if (isQuotaContention(error)) return 'noTurn';
    if (!hasStatus(error, 403) && !hasStatus(error, 404)) throw error;
    return /exceeded quota/.test(error.message) ? 'noQuota' : 'noAccess';
  }
}

/** Creates until the quota has refused thirty times. Returns how many were made. */
async function grabAll(client: Client, namespace: string): Promise<number> {
  const ends = { made: 0, noAccess: 0, noQuota: 0, noTurn: 0 };
  const deadline = performance.now() + 120_000;
  for (let i = 0; ends.noQuota < 30 && performance.now() < deadline; i += 1) {
    ends[await tryCreate(client, serviceIn(namespace, `s-${i}`))] += 1;
  }
  if (ends.noAccess === 0 || ends.noQuota < 30) throw new Error(`${namespace}: ${JSON.stringify(ends)}`);
  return ends.made;
}

test('an owner who grabs from the first moment never gets more than the total, in a namespace that is new or added', async (t) => {
  const rig = t.context;
  const owner = await ownerClient(rig);
  const spec: Partial<TenantSpec> = {
    owners: [{ kind: 'User', name: OWNER, role: 'admin' }],
    quotas: { objects: { services: '4' } },
  };
  const names = ['eager-1', 'eager-2'];
  const first = names.map((name) => grabAll(owner, `${name}-a`));
  await Promise.all(names.map((name) => makeTenant(rig, name, { ...spec, namespaces: [{ suffix: 'a' }] })));
  t.deepEqual(await Promise.all(first), [4, 4]);

  await Promise.all(names.map((name) => emptyOut(rig, `${name}-a`)));
  const second = names.map((name) => grabAll(owner, `${name}-b`));
  const namespaces = [{ suffix: 'a' }, { suffix: 'b' }];
  await Promise.all(
    names.map((name) => rig.client.patch(TENANTS, { name }, { body: { spec: { namespaces } } })),
  );
  for (const made of await Promise.all(second)) t.true(made >= 1 && made <= 4, `${made} of 4`);
  await owner.close();
});

async function emptyOut(rig: WorkloadRig, namespace: string): Promise<void> {
  const services = await listAll(rig, SERVICES, { namespace });
  await Promise.all(
    services.map(({ metadata }) => rig.client.delete(SERVICES, { namespace, name: metadata.name })),
  );
}

async function quotaBecomes(rig: WorkloadRig, name: string, reason: string): Promise<string> {
  const messages: string[] = [];
  await eventually(`QuotaEnforced of ${name} is ${reason}`, async () => {
    const tenant = (await rig.client.get(TENANTS, { name })) as Tenant | undefined;
    const quota = findCondition(tenant?.status?.conditions ?? [], 'QuotaEnforced');
    if (quota?.reason !== reason) throw new Error(JSON.stringify(quota));
    return messages.push(quota.message) > 0;
  });
  return messages[0] ?? '';
}

test('a quota that Kubernetes does not count is told, and Ready is not held up by it', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'typo', {
    namespaces: [{ suffix: 'a' }],
    quotas: { objects: { pods: '3', 'count/secretz': '4' } },
  });
  t.regex(await quotaBecomes(rig, 'typo', 'NotCounted'), /count\/secretz$/);
  const body = { spec: { quotas: { objects: { 'count/secretz': null, 'count/secrets': '4' } } } };
  await rig.client.patch(TENANTS, { name: 'typo' }, { body });
  await quotaBecomes(rig, 'typo', 'Enforced');
});

test('a quota that is lowered below what is in use is told on the Tenant until enough has ended', async (t) => {
  const rig = t.context;
  await makeTenant(rig, 'shrunk', {
    owners: [{ kind: 'User', name: 'ann', role: 'admin' }],
    namespaces: [{ suffix: 'a' }],
    quotas: { objects: { services: '3' } },
  });
  for (const name of ['x', 'y', 'z']) await rig.client.create(SERVICES, serviceIn('shrunk-a', name), 'test');
  const body = { spec: { quotas: { objects: { services: '2' } } } };
  await isTold(rig, 'shrunk', ['Provisioned']);
  await rig.client.patch(TENANTS, { name: 'shrunk' }, { body });
  t.regex(await quotaBecomes(rig, 'shrunk', 'OverCommitted'), /: services$/);
  await rig.client.delete(SERVICES, { namespace: 'shrunk-a', name: 'x' });
  await quotaBecomes(rig, 'shrunk', 'Enforced');
  await isTold(rig, 'shrunk', ['Enforced', 'OverCommitted', 'Provisioned']);
});

/** Waits until the Events about a Tenant have exactly these reasons, however often. */
async function isTold(rig: WorkloadRig, name: string, reasons: readonly string[]): Promise<void> {
  await eventually(`told of ${name}: ${reasons.join(', ')}`, async () => {
    const told = [...new Set(await reasonsTold(rig, { namespace: 'default', name }))].toSorted();
    if (told.join() !== reasons.join()) throw new Error(told.join(', '));
    return true;
  });
}
