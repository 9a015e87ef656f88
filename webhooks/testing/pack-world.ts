// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { ANNOTATIONS, LABELS } from '#crds/v1alpha1/names';
import { POLICY_PACK, type PolicyPackStatus } from '#crds/v1alpha1/policy-pack';
import type { PolicyPackRevisionSpec } from '#crds/v1alpha1/policy-pack-revision';
import { TENANT } from '#crds/v1alpha1/tenant';
import type { KubeObject, Resource } from '#operator/core/object';
import { CONFIG_MAPS } from '#operator/core/resources';
import { HereSession, evaluateHere } from '#operator/policy/evaluate-here';
import { pack as packBytes } from '#operator/policy/packs/testing/packed';
import { type CompiledPack, compilePack, sourceFiles } from '#operator/rego/compile';
import { pinnedOpa } from '#operator/rego/testing/opa';
import type { WatchTarget } from '#operator/runtime/cache';
import type { Change } from '#operator/runtime/store';
import { createLog } from '#operator/telemetry/log';
import { MetricFactory } from '#operator/telemetry/metric';
import type { ClusterSettings, PackCache } from '../packs/cluster.ts';
import type { PackHost } from '../packs/modules.ts';
import { createPacks, type Packs } from '../packs/packs.ts';
import type { DecisionContext } from '../policy.ts';
import type { AdmissionRequest, Answer } from '../review.ts';

/** Where packs of the platform are in tests. */
export const PLATFORM = 'nexusos-system';

/** Stores of objects that tests fill by hand, and that tell of changes as watches do. */
export class FakeCache implements PackCache {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #handlers = new Map<string, ((change: Change) => void)[]>();

  watch(target: WatchTarget, handler: (change: Change) => void): void {
    const { kind } = target.resource;
    this.#handlers.set(kind, [...(this.#handlers.get(kind) ?? []), handler]);
  }

  get(resource: Resource, { namespace, name }: { readonly namespace?: string; readonly name: string }) {
    return this.#objects.get(resource.kind)?.get(`${namespace ?? ''}/${name}`);
  }

  list(resource: Resource): readonly KubeObject[] {
    return [...(this.#objects.get(resource.kind)?.values() ?? [])];
  }

  /** Puts an object in, or in place of the one that is there. */
  put(...objects: readonly KubeObject[]): void {
    for (const object of objects) {
      const { namespace, name } = object.metadata;
      const ofKind = this.#objects.get(object.kind) ?? new Map<string, KubeObject>();
      const key = `${namespace ?? ''}/${name}`;
      const old = ofKind.get(key);
      this.#objects.set(object.kind, ofKind.set(key, object));
      for (const handler of this.#handlers.get(object.kind) ?? []) handler({ old, object });
    }
  }

  /** Takes an object out. */
  remove({ kind, metadata: { namespace, name } }: KubeObject): void {
    const ofKind = this.#objects.get(kind);
    const old = ofKind?.get(`${namespace ?? ''}/${name}`);
    ofKind?.delete(`${namespace ?? ''}/${name}`);
    for (const handler of this.#handlers.get(kind) ?? []) handler({ old, object: undefined });
  }
}

/** What a pack of tests is, beside its Rego. */
export interface PackParts {
  readonly namespace?: string;
  readonly name?: string;
  readonly version?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly revision?: Partial<PolicyPackRevisionSpec>;
  readonly status?: PolicyPackStatus;
}

/** A revision with the parts of its module. */
export interface MadeRevision {
  readonly name: string;
  readonly object: KubeObject;
  readonly chunks: readonly KubeObject[];
}

const compiled = new Map<string, Promise<CompiledPack>>();

async function compileFresh(rego: string, data: PackParts['data']): Promise<CompiledPack> {
  const files = sourceFiles({ 'policy.rego': rego }, data);
  const result = await compilePack({ files, regoVersion: 'V1' }, { run: await pinnedOpa() });
  if (result.kind === 'refused') throw new Error(JSON.stringify(result));
  return result.pack;
}

/** Compiles Rego as the operator does, once for each text. */
export function compileTestPack(rego: string, data?: PackParts['data']): Promise<CompiledPack> {
  const key = JSON.stringify([rego, data]);
  const known = compiled.get(key) ?? compileFresh(rego, data);
  compiled.set(key, known);
  return known;
}

/** A revision of a pack, from Rego. */
export async function makeRevision(rego: string, parts: PackParts = {}): Promise<MadeRevision> {
  const { namespace = PLATFORM, name: pack = 'rules', version = '1.0.0' } = parts;
  const { wasm, data, entrypoints, hasMutate } = await compileTestPack(rego, parts.data);
  const digest = createHash('sha256')
    .update(rego)
    .update(version)
    .update(JSON.stringify(parts))
    .digest('hex');
  const name = `${pack}-${digest.slice(0, 12)}`;
  const module = packBytes(`${name}-module`, wasm, 50_000);
  const kept = data === undefined ? undefined : packBytes(`${name}-data`, data);
  const spec: PolicyPackRevisionSpec = {
    packRef: { name: pack, uid: uidOf(namespace, pack) },
    version,
    digest: `sha256:${digest}`,
    sourceDigest: `sha256:${digest}`,
    module: module.blob,
    ...(kept !== undefined && { data: kept.blob }),
    entrypoints: entrypoints.map((path) => ({ path, role: 'decision' as const })),
    input: 'Review',
    hasMutate,
    binding: {},
    enforcement: 'Deny',
    evaluation: { deadlineMs: 75, memoryMiB: 16 },
    provenance: 'Inline',
    ...parts.revision,
  };
  const object = { ...kube('PolicyPackRevision', namespace, name), spec };
  const chunks = [...module.parts, ...(kept?.parts ?? [])].map(([chunk, bytes]) => ({
    ...kube('ConfigMap', PLATFORM, chunk),
    binaryData: { part: Buffer.from(bytes).toString('base64') },
  }));
  return { name, object, chunks };
}

/** A pack whose status names revisions. */
export function makePack(status: PolicyPackStatus, parts: PackParts = {}): KubeObject {
  const { namespace = PLATFORM, name = 'rules', version = '1.0.0' } = parts;
  const spec = POLICY_PACK.spec.parse({
    version,
    source: { inline: { modules: { 'a.rego': 'package a' } } },
  });
  const metadata = {
    name,
    namespace,
    uid: uidOf(namespace, name),
    annotations: { [ANNOTATIONS.contact]: '#policy' },
  };
  return { ...kube('PolicyPack', namespace, name), metadata, spec, status };
}

/** A tenant with its namespaces. */
export function makeTenant(name: string, ...namespaces: readonly string[]): readonly KubeObject[] {
  return [
    { ...kube('Tenant', undefined, name), spec: TENANT.spec.parse({}) },
    ...namespaces.map((one) => {
      const object = kube('Namespace', undefined, one);
      return { ...object, metadata: { ...object.metadata, labels: { [LABELS.tenant]: name } } };
    }),
  ];
}

function kube(kind: string, namespace: string | undefined, name: string): KubeObject {
  const apiVersion = kind === 'ConfigMap' || kind === 'Namespace' ? 'v1' : 'nexusos.dev/v1alpha1';
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}

function uidOf(namespace: string, name: string): string {
  return `uid-of-${namespace}-${name}`;
}

/** A host that evaluates in this thread: for modules that end. */
export function hostHere(): PackHost & { readonly released: readonly string[] } {
  const session = new HereSession();
  const released: string[] = [];
  return {
    evaluate: (one) => Promise.resolve(evaluateHere(one, session)),
    prepare: () => Promise.resolve({ kind: 'ready' }),
    isQuarantined: () => false,
    release: (digest) => void released.push(digest),
    releaseData: (digest, dataDigest) => void released.push(`${digest} ${dataDigest}`),
    released,
  };
}

/** A process that judges, without its server: stores, host and all that is between. */
export interface PackWorld {
  readonly cache: FakeCache;
  readonly packs: Packs;
  readonly factory: MetricFactory;
  /** Asks about a new Pod in acme-dev, but for what is given. */
  readonly ask: (request?: Partial<AdmissionRequest>, context?: Partial<DecisionContext>) => Promise<Answer>;
  /** Resolves when what has changed is what is judged by. */
  readonly settled: () => Promise<void>;
}

/** Begins to judge by what is in `cache`. */
export async function startWorld(options: {
  readonly cache: FakeCache;
  readonly host?: PackHost;
  readonly stateFolder?: string;
  readonly log?: Writable;
  readonly allowedPercent?: number;
  readonly isVouchedFor?: boolean;
  readonly images?: ClusterSettings['images'];
}): Promise<PackWorld> {
  const {
    cache,
    host = hostHere(),
    stateFolder,
    log: to,
    allowedPercent = 100,
    isVouchedFor = true,
    images,
  } = options;
  const factory = new MetricFactory();
  const packs = createPacks({
    cache,
    host,
    readChunk: (name) => Promise.resolve(cache.get(CONFIG_MAPS, { namespace: PLATFORM, name })),
    settings: { platformNamespace: PLATFORM, ...(images && { images }) },
    stateFolder,
    decisionLog: { to, allowedPercent, labels: { app: 'nexusos' } },
    isVouchedFor,
    factory,
    log: createLog({ level: 'silent' }),
  });
  await packs.start();
  const world: PackWorld = {
    cache,
    packs,
    factory,
    ask: (request, context) => packs.decider.decide(makeRequest(request), makeContext(context)),
    settled: async () => {
      while (packs.snapshots.isDue || !packs.modules.isSettled) await packs.snapshots.next(50);
    },
  };
  await world.settled();
  return world;
}

function makeContext(parts: Partial<DecisionContext> = {}): DecisionContext {
  return {
    signal: new AbortController().signal,
    // One that no busy machine lets run out: tests of deadlines set their own.
    deadlineAt: performance.now() + 60_000,
    mutating: false,
    ...parts,
  };
}

let requests = 0;

/** A request for a new Pod in acme-dev, but for what is given. */
export function makeRequest(parts: Partial<AdmissionRequest> = {}): AdmissionRequest {
  requests += 1;
  const namespace = parts.namespace ?? 'acme-dev';
  return {
    uid: `00000000-0000-4000-8000-${String(requests).padStart(12, '0')}`,
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    name: 'web',
    namespace,
    operation: 'CREATE',
    userInfo: { username: 'ann', groups: ['system:authenticated'] },
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace, labels: { app: 'web' } },
      spec: { hostNetwork: true, containers: [{ name: 'c', image: 'x' }] },
    },
    oldObject: null,
    dryRun: false,
    ...parts,
  };
}
