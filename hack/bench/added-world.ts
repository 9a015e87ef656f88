// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { KubeObject, Resource } from '#operator/core/object';
import { hasStatus } from '#operator/runtime/api-error';
import { findFreePorts } from '../cluster/ports.ts';
import { installChart, PLATFORM_NAMESPACE } from '../system/chart.ts';
import { reviewOf } from '../system/direct-review.ts';
import { startOperator } from '../system/operator-process.ts';
import { WebhookSystem } from '../system/webhook-process.ts';
import { eventually } from '../tools/eventually.ts';
import type { Asked } from './added-figures.ts';
import { type BenchEnvironment, isReady } from './environment.ts';
import { type OtherWebhook, startEmpty, startOther } from './other-webhook.ts';
import {
  BENCH_PARAMETERS,
  BENCH_TENANT,
  benchPod,
  moduleOf,
  PLATFORM_RULES,
  TENANT_RULES,
} from './policy-packs.ts';
import { authorityOf } from './review-sender.ts';
import { RULE_CASES } from './rule-cases.ts';
import { makeTenants, namespaceOf } from './run-world.ts';
import { secondsUntilDone } from './until-done.ts';

/** Tenants that are alike; admission is asked about pods of the one and not of the other. */
export const TENANT_OF: Readonly<Record<Asked, string>> = {
  nobody: 'team-unasked',
  'an empty webhook': 'team-empty',
  NexusOS: BENCH_TENANT,
  'the other': 'team-other',
};
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const OURS = 'nexusos-webhooks';
/** Within what the API server waits for, as the chart has it. */
const TIMEOUT_SECONDS = 3;
const PACKS: Resource = {
  apiVersion: 'nexusos.dev/v1alpha1',
  kind: 'PolicyPack',
  plural: 'policypacks',
  namespaced: true,
};

/** A control plane on which NexusOS, and perhaps somebody else, judges pods by the same rules. */
export interface AddedWorld {
  /** The admission processes that judge, by who is asked. */
  readonly pids: Readonly<Record<string, number>>;
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/**
 * Starts the admission processes, and waits until each refuses what breaks a rule, and nothing else, asked directly and by the API server.
 *
 * @throws Error naming the rule where one does not.
 */
export async function openAddedWorld(
  environment: BenchEnvironment,
  program: string | undefined,
): Promise<AddedWorld> {
  const { cluster } = environment;
  const ends: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).toReversed()) await end();
  };
  try {
    const webhooks = await WebhookSystem.open(cluster);
    ends.push(() => webhooks.stop());
    // Asked directly, as the other is: the balancer of tests would be in the way of ours alone.
    const [port] = await findFreePorts(1);
    const url = `https://127.0.0.1:${port}`;
    await installChart(cluster, { values: { webhooks: { ...webhooks.values, url } } });
    const operator = await startOperator(cluster);
    ends.push(() => operator.stop());
    const ours = await webhooks.start({ env: { NEXUSOS_SERVE: `127.0.0.1:${port}` } });
    await makeTenants(environment, Object.values(TENANT_OF));
    await leaveOut(environment, ['nobody', 'an empty webhook', 'the other']);
    await makePacks(environment);
    const path = `/validate?timeout=${TIMEOUT_SECONDS}s`;
    await untilItJudges('NexusOS', { url: `${url}${path}`, ca: await authorityOf(cluster) });
    const pids: Record<string, number> = { 'NexusOS process': ours.process.pid };
    const empty = await startEmpty();
    ends.push(() => empty.stop());
    await haveItAsked(environment, 'an empty webhook', empty);
    if (empty.pid !== undefined) pids['empty process'] = empty.pid;
    const asked: Asked[] = ['nobody', 'an empty webhook', 'NexusOS'];
    if (program !== undefined) {
      const other = await besides(environment, program, ends);
      asked.push('the other');
      if (other.pid !== undefined) pids['other process'] = other.pid;
    }
    for (const one of asked) await untilItIsAsked(environment, one);
    return { pids, asked, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Has ours not be asked about pods of these. The operator leaves all but the authority of a configuration to who installs it. */
async function leaveOut({ client }: BenchEnvironment, asked: readonly Asked[]): Promise<void> {
  const path = `${CONFIGURATIONS}/${OURS}`;
  const found = (await client.raw({ verb: 'get', path })) as {
    readonly webhooks: readonly { readonly name: string }[];
  };
  const index = found.webhooks.findIndex(({ name }) => name.startsWith('workloads.'));
  if (index < 0) throw new Error(`${OURS} has no webhook for workloads`);
  const values = asked.map((one) => namespaceOf(TENANT_OF[one]));
  await client.raw({
    verb: 'patch',
    path,
    contentType: 'application/json-patch+json',
    body: [
      {
        op: 'add',
        path: `/webhooks/${index}/namespaceSelector/matchExpressions/-`,
        value: { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values },
      },
    ],
  });
}

async function makePacks({ client }: BenchEnvironment): Promise<void> {
  const objects = [
    packOf(PLATFORM_NAMESPACE, 'platform-rules', PLATFORM_RULES),
    packOf(namespaceOf(BENCH_TENANT), 'tenant-rules', TENANT_RULES),
  ];
  await secondsUntilDone(client, { width: 1, resource: PACKS, objects, isDone: isReady });
}

function packOf(namespace: string, name: string, rules: readonly string[]): KubeObject {
  return {
    apiVersion: PACKS.apiVersion,
    kind: PACKS.kind,
    metadata: { name, namespace },
    spec: {
      version: '1.0.0',
      source: { inline: { modules: { 'rules.rego': moduleOf(rules) } } },
      parameters: BENCH_PARAMETERS,
      binding: { rules: [{ apiGroups: [''], resources: ['pods'] }] },
      rollout: { shadowSeconds: 0 },
    },
  };
}

/** Starts the other by the program of the caller, and has it asked. */
async function besides(
  environment: BenchEnvironment,
  program: string,
  ends: (() => Promise<unknown>)[],
): Promise<OtherWebhook> {
  const { cluster } = environment;
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-rules-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const namespace = namespaceOf(TENANT_OF['the other']);
  const rules = join(folder, 'rules.json');
  await writeFile(
    rules,
    JSON.stringify({
      namespace,
      tenant: BENCH_TENANT,
      parameters: BENCH_PARAMETERS,
      platform: PLATFORM_RULES,
      own: TENANT_RULES,
    }),
  );
  const other = await startOther(program, {
    KUBECONFIG: cluster.kubeconfigPath,
    NEXUSOS_BENCH_RULES: rules,
  });
  ends.push(() => other.stop());
  await untilItJudges('the other', other);
  await haveItAsked(environment, 'the other', other);
  return other;
}

/** Has the API server ask it about pods of its tenant. */
async function haveItAsked({ client }: BenchEnvironment, asked: Asked, webhook: OtherWebhook): Promise<void> {
  const body = configurationOf(webhook, TENANT_OF[asked]);
  await client.raw({ verb: 'create', path: CONFIGURATIONS, body });
}

function configurationOf({ url, ca }: OtherWebhook, tenant: string): KubeObject {
  const namespace = namespaceOf(tenant);
  const webhook = {
    name: `${tenant}.bench.nexusos.dev`,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
    timeoutSeconds: TIMEOUT_SECONDS,
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['pods'] }],
    namespaceSelector: {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: [namespace] }],
    },
    clientConfig: { url, caBundle: Buffer.from(ca).toString('base64') },
  };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: `bench-${tenant}` },
    webhooks: [webhook],
  };
}

/** Until it lets the good pod pass, and refuses each that breaks a rule. */
async function untilItJudges(
  asked: Asked,
  { url, ca }: { readonly url: string; readonly ca: string },
): Promise<void> {
  const dispatcher = new Agent({ allowH2: false, connect: { ca } });
  const good = benchPod(namespaceOf(TENANT_OF[asked]));
  const passes = async (pod: KubeObject): Promise<boolean> => {
    const answer = await request(url, {
      method: 'POST',
      dispatcher,
      headers: { 'content-type': 'application/json' },
      body: reviewOf({ object: pod, plural: 'pods' }),
    });
    const { response } = (await answer.body.json()) as { readonly response?: { readonly allowed?: boolean } };
    if (typeof response?.allowed !== 'boolean') throw new Error(`${url} answered ${answer.statusCode}`);
    return response.allowed;
  };
  try {
    await eventually(`${asked} judges by all rules`, async () => {
      for (const { says, breaks } of RULE_CASES)
        if (await passes(breaks(good))) throw new Error(`it lets pass what breaks "${says}"`);
      if (!(await passes(good))) throw new Error('it refuses a pod that breaks no rule');
      return true;
    });
  } finally {
    await dispatcher.close();
  }
}

/** Until the API server asks as it is told to: a pod that breaks a rule is refused where somebody is asked. */
async function untilItIsAsked(environment: BenchEnvironment, asked: Asked): Promise<void> {
  const namespace = namespaceOf(TENANT_OF[asked]);
  const good = benchPod(namespace);
  const bad = { ...good, metadata: { ...good.metadata, annotations: {} } };
  await eventually(`${asked} is asked by the API server`, async () => {
    await tryPod(environment, good);
    const isRefused = await tryPod(environment, bad).then(
      () => false,
      (error: unknown) => hasStatus(error, 403),
    );
    return isRefused === (asked !== 'nobody');
  });
}

/** Creates a pod as a dry run. @throws ApiError when it is refused. */
export function tryPod({ client }: BenchEnvironment, body: KubeObject): Promise<unknown> {
  const path = `/api/v1/namespaces/${body.metadata.namespace}/pods`;
  return client.raw({ verb: 'create', path, query: { dryRun: 'All' }, body, attempts: 1 });
}
