// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS } from '#crds/v1alpha1/names';
import type { KubeObject } from '../core/object.ts';
import { exemptionOf, tenantFacts } from '../core/policy/objects.ts';
import { BINDING_NAMES, POLICY_NAMES } from '../core/policy-floor/names.ts';
import type { FloorSettings, FloorSource } from '../core/policy-floor/objects.ts';
import { type FloorPack, type FloorsObserved, planFloors } from '../core/policy-floor/plan.ts';
import type { PolicyPack, PolicyPackRevision } from '../core/policy-pack/pack.ts';
import { isRevisionOf } from '../core/policy-pack/revision.ts';
import {
  NAMESPACES,
  POLICY_EXEMPTIONS,
  POLICY_PACK_REVISIONS,
  POLICY_PACKS,
  TENANTS,
} from '../core/resources.ts';
import type { Controller, Key, PolicyRule, Reader, Watch } from '../runtime/controller.ts';
import { floorsSeen, floorWatches } from './shared/policy-floors.ts';
import { exemptionWatch } from './shared/policy-world.ts';

/**
 * The controller of floors: what the API server itself holds of packs of the platform. Its object is the namespace of the platform, so that one pass
 * at a time decides on the floors of all packs.
 */
export function policyFloorController(
  settings: FloorSettings,
): Controller<KubeObject, FloorsObserved, undefined> {
  const { platformNamespace } = settings;
  const all = (): readonly Key[] => [{ name: platformNamespace }];
  const ofPlatform: Watch['keys'] = ({ metadata }) => (metadata.namespace === platformNamespace ? all() : []);
  return {
    name: 'policy-floor',
    resource: NAMESPACES,
    onlyReads: true,
    selects: { fieldSelector: `metadata.name=${platformNamespace}` },
    watches: [
      { resource: POLICY_PACKS, keys: ofPlatform },
      { resource: POLICY_PACK_REVISIONS, keys: ofPlatform },
      // Of which tenants a pack is may follow from their plans, and labels.
      { resource: TENANTS, keys: all, patienceMs: () => 1000 },
      exemptionWatch(platformNamespace, all),
      ...floorWatches(all),
    ],
    rbac: RBAC,
    observe: (_, read) => observe(read, settings),
    plan: (_, observed, now) => planFloors(observed, settings, now),
  };
}

/** All of it by name: with more, the operator's token could undo the guardrails that bind it. */
const RBAC: readonly PolicyRule[] = (
  [
    ['validatingadmissionpolicies', POLICY_NAMES],
    ['validatingadmissionpolicybindings', BINDING_NAMES],
  ] as const
).map(([resource, resourceNames]) => ({
  apiGroups: ['admissionregistration.k8s.io'],
  resources: [resource],
  verbs: ['create', 'patch', 'delete'],
  resourceNames,
}));

function observe(read: Reader, { platformNamespace }: FloorSettings): FloorsObserved {
  const namespace = platformNamespace;
  const packs = read.list(POLICY_PACKS, { namespace }) as readonly PolicyPack[];
  return {
    ...floorsSeen(read),
    packs: packs
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((pack) => floorPack(pack, read)),
    tenants: read.list(TENANTS).map(tenantFacts),
    exemptions: read.list(POLICY_EXEMPTIONS, { namespace }).map(exemptionOf),
  };
}

function floorPack(pack: PolicyPack, read: Reader): FloorPack {
  const { activeRevision, candidateRevision, previousRevision } = pack.status ?? {};
  const active = revisionOf(pack, activeRevision, read);
  const next = revisionOf(pack, candidateRevision ?? previousRevision, read);
  return {
    uid: pack.metadata.uid ?? '',
    isBehind: active === 'unseen',
    active: sourceOf(pack, active),
    next: sourceOf(pack, next),
  };
}

type Seen = PolicyPackRevision | 'unseen' | undefined;

function revisionOf(pack: PolicyPack, name: string | undefined, read: Reader): Seen {
  const { namespace = '' } = pack.metadata;
  if (name === undefined || name === '') return undefined;
  const revision = read.get(POLICY_PACK_REVISIONS, { namespace, name }) as PolicyPackRevision | undefined;
  return revision !== undefined && isRevisionOf(revision, pack) ? revision : 'unseen';
}

function sourceOf(pack: PolicyPack, revision: Seen): FloorSource | undefined {
  const { namespace = '', uid = '' } = pack.metadata;
  if (revision === undefined || revision === 'unseen' || revision.spec.floor === undefined) return undefined;
  const { floor, version, binding, parameters, enforcement } = revision.spec;
  return {
    pack: { namespace, name: pack.metadata.name, uid },
    revision: revision.metadata.name,
    version,
    contact: pack.metadata.annotations?.[ANNOTATIONS.contact],
    floor,
    binding,
    parameters,
    enforcement,
  };
}
