// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { AttachedCluster } from '#hack/cluster/attached-cluster';
import { startCluster } from '#hack/cluster/cluster';
import { attachSystem } from '#hack/system/attach';
import { installChart } from '#hack/system/chart';
import { type OperatorProcess, startOperator } from '#hack/system/operator-process';
import type { AgentSpec } from '#crds/v1alpha1/agent';
import { API_VERSION } from '#crds/v1alpha1/names';
import type { QuotaLedgerStatus } from '#crds/v1alpha1/quota-ledger';
import type { TenantSpec } from '#crds/v1alpha1/tenant';
import type { KubeObject, Resource } from '../../core/object.ts';
import type { Phase, Run } from '../../core/run/run.ts';
import { ApiError } from '../../runtime/api-error.ts';
import { type Client, createClient } from '../../runtime/client.ts';
import { certificateCredentials } from '../../runtime/testing/certificate-credentials.ts';
import { eventually } from '#hack/tools/eventually';
import { createMetrics } from '../../telemetry/metrics.ts';
import { AGENTS, QUOTA_LEDGERS, RUNS, TENANTS } from '../../core/resources.ts';
import { CORE_EVENTS } from '../shared/workloads.ts';
import { type AuditEntry, auditEntries } from './audit-log.ts';

const CLASSES = join(import.meta.dirname, '../../../crds/samples/gpu-classes.yaml');

/** A control plane with simulated nodes, the GPU classes of the samples, and the operator as a process with the chart's roles. */
export interface WorkloadRig {
  readonly cluster: AttachedCluster;
  /** As the administrator. */
  readonly client: Client;
  /** Ends what is the rig's own. */
  close(): Promise<void>;
}

/** One that nobody else works on: what is counted is the test's own doing, and the operator may come and go. */
export interface OwnWorkloadRig extends WorkloadRig {
  /** Ends the operator, in order or with SIGKILL, waits for `meanwhile`, and starts another with a short lease. */
  restartOperator(how: 'stop' | 'kill', meanwhile?: () => Promise<void>): Promise<void>;
  /** Metrics of the operator, in the Prometheus format. */
  operatorMetrics(): Promise<string>;
}

/** Fields of a Run that a test chooses. */
export interface RunChoice {
  readonly agent?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** The system that scenarios share. Names of tenants, and what belongs to no tenant, must be the test's alone there. */
export async function attachWorkloadRig(): Promise<WorkloadRig> {
  const cluster = await attachSystem();
  const client = await prepareClient(cluster);
  return { cluster, client, close: () => client.close() };
}

/** Starts a system of the test's own and waits until the operator is ready. */
export async function startWorkloadRig(): Promise<OwnWorkloadRig> {
  const cluster = await startCluster({ audit: true });
  await installChart(cluster);
  const client = await prepareClient(cluster);
  // Not a field of the rig: ava gives each test a copy of it.
  let operator: OperatorProcess = await startOperator(cluster);
  return {
    cluster,
    client,
    async restartOperator(how, meanwhile) {
      await operator[how]();
      await meanwhile?.();
      operator = await startOperator(cluster, { env: { NEXUSOS_LEASE_DURATION_MS: '2000' } });
    },
    operatorMetrics: () => operator.metrics(),
    async close() {
      await operator.stop();
      await client.close();
      await cluster.stop();
    },
  };
}

/** Makes the GPU classes, and a client of the administrator. */
export async function prepareClient(cluster: AttachedCluster): Promise<Client> {
  const classes = await cluster.kubectl(['apply', '--server-side', '-f', CLASSES]);
  if (classes.code !== 0) throw new Error(classes.stderr);
  const credentials = await certificateCredentials(cluster.kubeconfigPath);
  return createClient({ credentials, metrics: createMetrics() });
}

/** Makes a Tenant and waits until it is Ready. Its namespaces are `<name>-<suffix>`. */
export async function makeTenant(rig: WorkloadRig, name: string, spec: Partial<TenantSpec>): Promise<void> {
  const tenant = { apiVersion: API_VERSION, kind: 'Tenant', metadata: { name }, spec };
  await rig.client.create(TENANTS, tenant, 'test');
  await eventually(`tenant ${name} is Ready`, () => isReady(rig, TENANTS, { name }));
}

/** Makes an Agent; one with little to ask for, if `spec` does not say more. */
export async function makeAgent(
  rig: WorkloadRig,
  key: { readonly namespace: string; readonly name: string },
  spec: Partial<AgentSpec> = {},
): Promise<void> {
  const container = {
    image: 'registry.example.com/agent:1',
    resources: { requests: { cpu: '100m', memory: '64Mi' } },
  };
  const agent = { apiVersion: API_VERSION, kind: 'Agent', metadata: key, spec: { container, ...spec } };
  await rig.client.create(AGENTS, agent, 'test');
}

/** Creates a Run and does not wait for anything. */
export function createRun(
  rig: WorkloadRig,
  key: { readonly namespace: string; readonly name: string },
  { agent = 'agent', annotations = {}, spec = {} }: RunChoice = {},
): Promise<KubeObject> {
  const run = {
    apiVersion: API_VERSION,
    kind: 'Run',
    metadata: { ...key, annotations },
    spec: { agentRef: { name: agent }, ...spec },
  };
  return rig.client.create(RUNS, run, 'test');
}

/** The Run as the API server holds it. */
export async function runOf(
  rig: WorkloadRig,
  key: { readonly namespace: string; readonly name: string },
): Promise<Run | undefined> {
  return (await rig.client.get(RUNS, key)) as Run | undefined;
}

/** Names of the Runs that hold a place in the ledger of a tenant. */
export async function reservationsOf(rig: WorkloadRig, tenant: string): Promise<readonly string[]> {
  const ledger = await rig.client.get(QUOTA_LEDGERS, { name: tenant });
  const status = ledger?.['status'] as QuotaLedgerStatus | undefined;
  return (status?.reservations ?? []).map((one) => one.name);
}

/** Waits until a Run is in `phase`, and with `reason` in its Ready condition if that is given. Returns it. */
export async function becomes(
  rig: WorkloadRig,
  key: { readonly namespace: string; readonly name: string },
  wanted: { readonly phase: Phase; readonly reason?: string },
): Promise<Run> {
  const what = `${key.namespace}/${key.name} is ${wanted.phase} ${wanted.reason ?? ''}`;
  const found: Run[] = [];
  await eventually(what, async () => {
    const run = await runOf(rig, key);
    if (run === undefined || !isAs(run, wanted)) throw new Error(`${what}: ${JSON.stringify(run?.status)}`);
    return found.push(run) > 0;
  });
  const [run] = found;
  if (run === undefined) throw new Error('unreachable: the wait has found it');
  return run;
}

function isAs(
  { status }: Run,
  { phase, reason }: { readonly phase: Phase; readonly reason?: string },
): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return status?.phase === phase && (reason === undefined || ready?.reason === reason);
}

/**
 * Whether nobody's turn was the reason: beside its 403, quota admission answers 409 when others write the ResourceQuota whenever
 * it would charge it, and 500 when it has no turn within 10 s. Nothing is made then, and who asked asks again.
 */
export function isQuotaContention(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  if (error.status === 409) return error.reason === 'Conflict' && error.message.includes('resourcequotas');
  return error.status === 500 && error.message.includes('resource quota evaluation timed out');
}

/** All objects of a kind, or those of a namespace. */
export async function listAll(
  rig: WorkloadRig,
  resource: Resource,
  options: { readonly namespace?: string; readonly labelSelector?: string } = {},
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = [];
  for await (const page of rig.client.list(resource, options)) found.push(...page.items);
  return found;
}

/** Reasons of the Events about objects of a name, in the namespace where such are told. */
export async function reasonsTold(
  rig: WorkloadRig,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<readonly string[]> {
  const events = await listAll(rig, CORE_EVENTS, { namespace });
  return events
    .filter((event) => (event['involvedObject'] as { readonly name?: string }).name === name)
    .map((event) => String(event['reason']));
}

/** Requests that the API server has completed, in order. */
export function auditOf(rig: WorkloadRig): Promise<readonly AuditEntry[]> {
  return auditEntries(rig.cluster.auditLog ?? '');
}

/** Whether a user name is that of the operator. */
export function isOperator(user: string): boolean {
  return user.includes('nexusos-operator');
}

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete']);
const ABOUT_RUNS: ReadonlySet<string> = new Set([
  'runs',
  'runs/status',
  'pods',
  'quotaledgers/status',
  'events',
  'resourcequotas',
]);

/** Writes of the operator about Runs and what belongs to them, after the first `before` requests of the audit log. */
export async function writesSince(rig: WorkloadRig, before: number): Promise<readonly AuditEntry[]> {
  const audit = (await auditOf(rig)).slice(before);
  return audit.filter(
    ({ user, verb, resource }) => isOperator(user) && WRITES.has(verb) && ABOUT_RUNS.has(resource),
  );
}

/** Whether Ready is True of an object and speaks of its present generation. */
async function isReady(
  rig: WorkloadRig,
  resource: Resource,
  key: { readonly namespace?: string; readonly name: string },
): Promise<boolean> {
  const object = (await rig.client.get(resource, key)) as Run | undefined;
  const ready = object?.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True') throw new Error(JSON.stringify(object?.status));
  return ready.observedGeneration === object?.metadata.generation;
}
