// SPDX-License-Identifier: Apache-2.0
import { type Cluster, type ClusterOptions, startCluster } from '#hack/cluster/cluster';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import { WebhookSystem } from '#hack/system/webhook-process';
import { eventually } from '#hack/tools/eventually';
import { proveApiServer } from './proven-api-server.ts';
import { User } from './user.ts';

/** A control plane of its own that asks admission processes: these come and go here. */
export interface AdmissionWorld {
  readonly cluster: Cluster;
  /** The administrator. */
  readonly user: User;
  readonly webhooks: WebhookSystem;
  readonly operator: OperatorProcess;
  close(): Promise<void>;
}

/** What of it is chosen. */
export interface AdmissionChoice {
  readonly replicas?: number;
  /** Values of the chart under `webhooks`. */
  readonly values?: Readonly<Record<string, unknown>>;
  /** Values of the chart under `platform`. */
  readonly platform?: Readonly<Record<string, unknown>>;
  /** Whether the API server proves itself to the processes, which then serve nobody else. */
  readonly isProven?: boolean;
  /** Settings of the operator that win over those of the chart. */
  readonly operatorEnv?: Readonly<Record<string, string>>;
  /** Whose writes the audit log holds with what was written. */
  readonly auditBodiesOf?: ClusterOptions['auditBodiesOf'];
}

const PROBE = '/apis/nexusos.dev/v1alpha1/tenants?dryRun=All';

/** Starts it, and waits until the API server asks, and is answered. */
export async function startAdmission({
  replicas = 2,
  values,
  platform,
  isProven = false,
  operatorEnv = {},
  auditBodiesOf = [],
}: AdmissionChoice = {}): Promise<AdmissionWorld> {
  const proven = isProven ? await proveApiServer() : undefined;
  const cluster = await startCluster({
    audit: true,
    auditBodiesOf,
    ...(proven && { extraArgs: proven.extraArgs }),
  });
  const webhooks = await WebhookSystem.open(cluster);
  await installChart(cluster, {
    values: { webhooks: { ...webhooks.values, ...values }, ...(platform !== undefined && { platform }) },
  });
  const operator = await startOperator(cluster, { env: operatorEnv });
  await Promise.all(Array.from({ length: replicas }, () => webhooks.start(proven && { env: proven.env })));
  await eventually('the API server is answered', async () => {
    const { status, text } = await cluster.admin.send('POST', PROBE, tenant('probe'));
    if (status !== 201) throw new Error(`${status} ${text}`);
    return true;
  });
  return {
    cluster,
    user: new User(cluster),
    webhooks,
    operator,
    async close() {
      await operator.kill();
      await webhooks.stop();
      await cluster.stop();
      await proven?.remove();
    },
  };
}

/** A Tenant of one namespace, and whatever else it is to be. */
export function tenant(name: string, spec: object = {}) {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name },
    spec: { namespaces: [{ suffix: 'main' }], ...spec },
  };
}
