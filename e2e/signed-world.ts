// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { startOperator } from '#hack/system/operator-process';
import { WebhookSystem } from '#hack/system/webhook-process';
import { eventually } from '#hack/tools/eventually';
import { type RunningRegistry, startRegistry } from '#hack/tools/registry-process';
import { servesReports } from './reports.ts';
import { Signer } from './signing.ts';
import { tenantManifest, User } from './user.ts';

/** A tenant on a running system with admission and Reports, a registry, and people who sign. */
export interface SignedWorld {
  readonly admin: User;
  /** Admin of the tenant. */
  readonly owner: User;
  readonly signer: Signer;
  readonly stranger: Signer;
  readonly registry: RunningRegistry;
  /** For files of a test; it goes with the world. */
  readonly folder: string;
  /** The administrator's. */
  readonly kubeconfig: string;
  readonly close: () => Promise<void>;
}

const DEADLINE_MS = 180_000;

/** Starts it. What began ends too where something in between fails. */
export async function startSignedWorld(tenant: string): Promise<SignedWorld> {
  const ends: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of ends.splice(0)) await end();
  };
  try {
    return { ...(await started(tenant, ends)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function started(
  tenant: string,
  ends: (() => Promise<unknown>)[],
): Promise<Omit<SignedWorld, 'close'>> {
  const folder = await mkdtemp(join(tmpdir(), `nexusos-signed-${process.pid}-`));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const registry = await startRegistry({ folder: join(folder, 'registry') });
  ends.unshift(() => registry.stop());
  const cluster = await startCluster();
  ends.unshift(() => cluster.stop());
  const webhooks = await WebhookSystem.open(cluster);
  ends.unshift(() => webhooks.stop());
  const admin = new User(cluster);
  await servesReports(admin);
  await installChart(cluster, { values: { webhooks: webhooks.values } });
  const registries = [{ host: registry.host, isPrivate: true, isPlainHttp: true }];
  const operator = await startOperator(cluster, { env: { NEXUSOS_REGISTRIES: JSON.stringify(registries) } });
  ends.unshift(() => operator.stop());
  await webhooks.start();
  const [signer, stranger] = [await Signer.create(), await Signer.create()];
  ends.push(() => signer.remove());
  ends.push(() => stranger.remove());
  const owner = new User(cluster, await cluster.kubeconfigFor({ user: `${tenant}-admin` }));
  await eventually(
    'a Tenant is taken',
    () => admin.applies(tenantManifest(tenant)).then(() => true),
    DEADLINE_MS,
  );
  await admin.awaitsReady(`tenant/${tenant}`);
  return { admin, owner, signer, stranger, registry, folder, kubeconfig: cluster.kubeconfigPath };
}
