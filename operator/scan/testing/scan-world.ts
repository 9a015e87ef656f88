// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { attachCluster } from '#hack/cluster/attach';
import { LABELS } from '#crds/v1alpha1/names';
import { POLICY_PACK } from '#crds/v1alpha1/policy-pack';
import type { KubeObject, Resource } from '../../core/object.ts';
import type { Exemption } from '../../core/policy/exemption.ts';
import { pack as packed } from '../../policy/packs/testing/packed.ts';
import { compileRego } from '../../policy/testing/compile.ts';
import { type Client, createClient } from '../../runtime/client.ts';
import { certificateCredentials } from '../../runtime/testing/certificate-credentials.ts';
import { createLog } from '../../telemetry/log.ts';
import { createMetrics, type Metrics } from '../../telemetry/metrics.ts';
import { HostOnDemand } from '../host-on-demand.ts';
import { PolicyJudge } from '../judge.ts';
import type { ScanWorld } from '../../core/scan/world.ts';

const NAMESPACES: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
const CONFIG_MAPS: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
/** What packs of these tests judge. */
export const SERVICES: Resource = { apiVersion: 'v1', kind: 'Service', plural: 'services', namespaced: true };

/** Whom others keep from the processors is waited for: what is asked is asked once, however busy the machine is. */
export const PATIENT = { maxWaitMs: 60_000, patienceMs: 60_000, loadDeadlineMs: 10_000 };

const ENTRYPOINT = 'nexusos/main/decision';

/** What a revision is made from; the rest goes into its spec as it is. */
export interface RevisionSource {
  readonly name: string;
  readonly rego: string;
  readonly binding?: Readonly<Record<string, unknown>>;
  readonly evaluation?: { readonly deadlineMs: number; readonly memoryMiB: number };
}

/** Real modules in a real API server, and namespaces that count as a tenant's. */
export interface ScanTestWorld {
  readonly client: Client;
  readonly metrics: Metrics;
  readonly host: HostOnDemand;
  readonly judge: PolicyJudge;
  readonly platformNamespace: string;
  /** Namespaces of the tenant. */
  readonly namespaces: readonly string[];
  /** What is known of the cluster. */
  world(exemptions?: readonly Exemption[]): ScanWorld;
  /** A pack of the platform that is about services. */
  pack(name: string): KubeObject;
  /** A revision of it, compiled by the real compiler and kept in ConfigMaps. */
  revision(pack: KubeObject, source: RevisionSource): Promise<KubeObject>;
  /** Makes a Service. */
  service(namespace: string, name: string, labels?: Readonly<Record<string, string>>): Promise<KubeObject>;
  close(): Promise<void>;
}

/** Rego that denies what `condition` says of the object `input.review.object`. */
export function denying(condition: string): string {
  return `package nexusos.main
    decision := {"deny": deny}
    deny contains {"msg": sprintf("%s is not allowed", [input.review.name]), "rule": "names"} if {
      ${condition}
    }`;
}

/** Makes a world of its own in the cluster that tests share. */
export async function createScanWorld(): Promise<ScanTestWorld> {
  const { kubeconfigPath } = await attachCluster();
  const client = createClient({ credentials: await certificateCredentials(kubeconfigPath) });
  const id = randomBytes(4).toString('hex');
  const platformNamespace = `scan-platform-${id}`;
  const namespaces = [`scan-${id}-a`, `scan-${id}-b`];
  for (const name of [platformNamespace, ...namespaces])
    await client.create(NAMESPACES, plain(NAMESPACES, { name }), 'test');
  const metrics = createMetrics();
  const workers = { platformWorkers: 1, tenantWorkers: 1, spareWorkers: 0 };
  const host = new HostOnDemand({ ...workers, metrics, limits: PATIENT });
  const judge = new PolicyJudge({ client, platformNamespace, evaluate: host.evaluate });
  return {
    client,
    metrics,
    host,
    judge,
    platformNamespace,
    namespaces,
    world: (exemptions = []) => worldOf({ id, platformNamespace, namespaces, exemptions }),
    pack: (name) => makePack(platformNamespace, name),
    revision: async (pack, { name, rego, ...fields }) => {
      const module = packed(`${name}-${id}`, await compileRego({ rego, entrypoints: [ENTRYPOINT] }));
      for (const [chunk, part] of module.parts) {
        const binaryData = { part: Buffer.from(part).toString('base64') };
        const object = { ...plain(CONFIG_MAPS, { name: chunk, namespace: platformNamespace }), binaryData };
        await client.create(CONFIG_MAPS, object, 'test');
      }
      return makeRevision(pack, name, { module: module.blob, ...fields });
    },
    service: (namespace, name, labels = {}) =>
      client.create(
        SERVICES,
        { ...plain(SERVICES, { name, namespace, labels }), spec: { ports: [{ port: 80 }] } },
        'test',
      ),
    async close() {
      await host.close();
      for (const name of [platformNamespace, ...namespaces]) await client.delete(NAMESPACES, { name });
      await client.close();
    },
  };
}

function worldOf(of: {
  readonly id: string;
  readonly platformNamespace: string;
  readonly namespaces: readonly string[];
  readonly exemptions: readonly Exemption[];
}): ScanWorld {
  const tenant = `scan-${of.id}`;
  return {
    platformNamespace: of.platformNamespace,
    namespaces: new Map(of.namespaces.map((name) => [name, { name, labels: { [LABELS.tenant]: tenant } }])),
    tenants: new Map([[tenant, { name: tenant, labels: {}, plan: 'standard', tier: 'Soft' }]]),
    exemptions: of.exemptions,
  };
}

function makePack(namespace: string, name: string): KubeObject {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: POLICY_PACK.kind,
    metadata: { name, namespace, uid: `uid-of-${name}` },
    spec: { rollout: { latencyBudgetMs: 25 } },
  };
}

function makeRevision(
  { metadata }: KubeObject,
  name: string,
  fields: Readonly<Record<string, unknown>>,
): KubeObject {
  return {
    apiVersion: 'nexusos.dev/v1alpha1',
    kind: 'PolicyPackRevision',
    metadata: { name, namespace: metadata.namespace ?? '', uid: `uid-of-${name}` },
    spec: {
      packRef: { name: metadata.name, uid: metadata.uid },
      version: '1.0.0',
      entrypoints: [{ path: ENTRYPOINT, role: 'decision' }],
      input: 'Review',
      hasMutate: false,
      binding: { rules: [{ apiGroups: [''], resources: ['services'] }] },
      enforcement: 'Deny',
      // What is sound here answers in a millisecond: only a machine that stands still makes it late.
      evaluation: { deadlineMs: 5000, memoryMiB: 16 },
      ...fields,
    },
  };
}

function plain({ apiVersion, kind }: Resource, metadata: KubeObject['metadata']): KubeObject {
  return { apiVersion, kind, metadata };
}

/** A log that says nothing. */
export const SILENT_LOG = createLog({ level: 'silent' });
