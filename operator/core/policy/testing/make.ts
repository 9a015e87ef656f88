// SPDX-License-Identifier: Apache-2.0
import type { JudgingPack, PackOutcome } from '../compose.ts';
import type { Exemption } from '../exemption.ts';
import type { RequestFacts } from '../facts.ts';
import { type PackAnswer, SILENT } from '../outputs.ts';
import type { Review } from '../review.ts';
import type { PackState, SnapshotInput, SnapshotRevision } from '../snapshot.ts';

/** When requests of tests are made. */
export const NOW = new Date('2026-11-20T12:00:00Z');
/** Where the platform's packs are. */
export const PLATFORM = 'nexusos';

/** A review of a new Pod of tenant acme, but for what is given. */
export function makeReview(parts: Partial<Review> = {}): Review {
  return {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    subResource: '',
    name: 'web-1',
    namespace: 'acme-dev',
    operation: 'CREATE',
    userInfo: { username: 'ann', groups: ['system:authenticated'] },
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-1', namespace: 'acme-dev', labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'registry.example.com/web:1' }] },
    },
    dryRun: false,
    ...parts,
  };
}

/** What is known of a request in namespace acme-dev. */
export const FACTS: RequestFacts = {
  tenant: {
    name: 'acme',
    labels: { segment: 'banking' },
    plan: 'gold',
    tier: 'Soft',
    residency: { primaryRegion: 'eu-1' },
    entitlements: { tools: ['search'] },
  },
  namespace: { name: 'acme-dev', labels: { 'nexusos.dev/tenant': 'acme', stage: 'dev' } },
};

/** A pack of the platform that denies, but for what is given. */
export function makePack(parts: Partial<JudgingPack> = {}): JudgingPack {
  const name = parts.pack?.name ?? 'baseline';
  return {
    pack: { namespace: PLATFORM, name },
    revision: `${name}-000000000001`,
    version: '1.2.0',
    trust: 'Platform',
    enforcement: 'Deny',
    judgesAccess: false,
    ...parts,
  };
}

/** A pack of tenant acme. */
export function makeTenantPack(parts: Partial<JudgingPack> = {}): JudgingPack {
  return makePack({ pack: { namespace: 'acme-dev', name: 'own' }, trust: 'Tenant', ...parts });
}

/** A pack that has answered. */
export function answered(pack: JudgingPack, answer: Partial<PackAnswer> = {}): PackOutcome {
  return { pack, result: { kind: 'answer', answer: { ...SILENT, ...answer } } };
}

/** A pack that could not be evaluated. */
export function failed(pack: JudgingPack, reason = 'Timeout'): PackOutcome {
  return { pack, result: { kind: 'failed', reason, message: 'it took more than 50 ms' } };
}

/** An approved exemption of acme-dev from all of baseline, but for what is given. */
export function makeExemption(parts: Partial<Exemption> = {}): Exemption {
  return {
    name: 'legacy-web',
    packRef: { namespace: PLATFORM, name: 'baseline' },
    subjects: { namespaces: ['acme-dev'] },
    expiresAt: '2026-12-01T00:00:00Z',
    ticket: 'OPS-7',
    requestedBy: 'ann',
    approval: { decision: 'Approved', by: 'bob' },
    ...parts,
  };
}

/** A loaded revision of a pack of the platform. */
export function makeRevision(parts: Partial<SnapshotRevision> = {}): SnapshotRevision {
  const judging = makePack(parts);
  return {
    ...judging,
    key: `${judging.pack.namespace}/${judging.revision}`,
    isLoaded: true,
    binding: {},
    entrypoints: [{ path: 'nexusos/main/decision', role: 'decision' }],
    shape: 'Review',
    parameters: '{}',
    mayChange: false,
    deadlineMs: 50,
    memoryMiB: 16,
    ...parts,
  };
}

/** The state of a pack of which `active` decides. */
export function makeState(active: SnapshotRevision, parts: Partial<PackState> = {}): PackState {
  return {
    pack: active.pack,
    uid: `uid-of-${active.pack.name}`,
    trust: active.trust,
    active: active.key,
    rollout: 'None',
    percent: 0,
    latencyBudgetMs: 25,
    ...parts,
  };
}

/** What a snapshot of these is made from, with acme and its namespace. */
export function makeInput(
  packs: readonly PackState[],
  revisions: readonly SnapshotRevision[],
  parts: Partial<SnapshotInput> = {},
): SnapshotInput {
  const { tenant, namespace } = FACTS;
  return {
    platformNamespace: PLATFORM,
    packs,
    revisions: new Map(revisions.map((one) => [one.key, one])),
    quarantined: new Set(),
    enforced: new Map(),
    exemptions: [],
    tenants: new Map(tenant === undefined ? [] : [[tenant.name, tenant]]),
    namespaces: new Map(namespace === undefined ? [] : [[namespace.name, namespace]]),
    ...parts,
  };
}
