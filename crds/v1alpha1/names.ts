// SPDX-License-Identifier: Apache-2.0

/** The API group of all kinds. */
export const GROUP = 'nexusos.dev';
/** The served and stored version. */
export const VERSION = 'v1alpha1';
/** `apiVersion` of every object of ours. */
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Labels that NexusOS sets. Tenants can neither set nor change any of them. */
export const LABELS = {
  /** Name of the tenant that an object or a namespace belongs to. */
  tenant: 'nexusos.dev/tenant',
  /** Name of the Agent that a Pod runs; on a Run, of the one whose schedule started it. */
  agent: 'nexusos.dev/agent',
  /** On a Run that a schedule started: UID of the Agent. */
  scheduledBy: 'nexusos.dev/scheduled-by',
  /** Name of the Run that a Pod carries out. */
  run: 'nexusos.dev/run',
  /** UID of that Run. */
  runUid: 'nexusos.dev/run-uid',
  /** On a pod of a Run of many: number of its attempt. */
  attempt: 'nexusos.dev/attempt',
  /** On such a pod: its index, from 0. */
  index: 'nexusos.dev/index',
  /** On whatever stands for an Agent of shape service, its pods included: name of that Agent. */
  service: 'nexusos.dev/service',
  /** On a pod of such an Agent: the AgentRevision that it is of. */
  revision: 'nexusos.dev/revision',
  /** On a Pod of a Run that may call others, `true`: it has a token for the API server. */
  calls: 'nexusos.dev/calls',
  /** On a PolicyPackRevision, and on the ConfigMaps that its module is kept in: name of the PolicyPack. */
  pack: 'nexusos.dev/policy-pack',
  /** On these ConfigMaps: UID of the PolicyPack, which is in another namespace. */
  packUid: 'nexusos.dev/policy-pack-uid',
  /** GPU class of a Pod. */
  gpuClass: 'nexusos.dev/gpu-class',
  /** On a node: the pool that it belongs to. */
  nodePool: 'nexusos.dev/node-pool',
  /** On a node, and as taint key: the tenant that it is dedicated to. */
  dedicated: 'nexusos.dev/dedicated',
  /** On a tenant's namespace: `true` while the tenant is suspended. */
  suspended: 'nexusos.dev/suspended',
  /** On a tenant's namespace: `Soft` or `Hard`. */
  isolation: 'nexusos.dev/isolation',
  /** On a Secret where the platform keeps sources of pull secrets: `true` lets tenants name it as pull secret. */
  shareable: 'nexusos.dev/shareable',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

/** Annotations that NexusOS reads or sets. */
export const ANNOTATIONS = {
  /** On the Deployment of a service that is scaled by others: digest of what we want of it beside the number of its pods. */
  scaledHash: 'nexusos.dev/scaled-hash',
  /** On the Deployment of a service: when pods that had found no room in quota were last asked for again. */
  askedAgainAt: 'nexusos.dev/asked-again-at',
  /** On a Run and a PolicyExemption: user name of who created it. The API server accepts no other, nor any change. */
  createdBy: 'nexusos.dev/created-by',
  /** On a namespace, set by its present owner: the tenant that may adopt it. */
  adoptInto: 'nexusos.dev/adopt-into',
  /** On a Tenant: its own name, without which it cannot be deleted. */
  confirmDeletion: 'nexusos.dev/confirm-deletion',
  /** On what we apply: digest of the applied object, so that fields no longer wanted are noticed. */
  appliedHash: 'nexusos.dev/applied-hash',
  /** On a tenant's namespace: UID of the Tenant. */
  tenantUid: 'nexusos.dev/tenant-uid',
  /** On a tenant's namespace: PriorityClasses that its pods may name, separated by commas. */
  priorityClasses: 'nexusos.dev/priority-classes',
  /** On an Agent with a schedule: user name of who said last what it starts. The API server accepts no other. */
  scheduleAuthor: 'nexusos.dev/schedule-author',
  /** On a Run that a schedule started: when that was due, in RFC 3339. */
  scheduledTime: 'nexusos.dev/scheduled-time',
  /** On a pod of a Run: what the Run was admitted by, in JSON, until its status tells. */
  admission: 'nexusos.dev/admission',
  /** On a ResourceQuota: revision of the grant that its spec was written for. */
  grantRevision: 'nexusos.dev/grant-revision',
  /** On a copy of a pull secret: UID and resourceVersion of its source. No digest: that would let a reader guess. */
  source: 'nexusos.dev/source',
  /** On a PolicyPack: whom somebody asks whose request it refuses. */
  contact: 'nexusos.dev/contact',
  /** On a policy of a floor, and on what binds it: PolicyPackRevision that it is of. */
  floorOf: 'nexusos.dev/floor-of',
  /** On a policy of a floor: how many exemptions that count in admission it does not know, if any. */
  floorLeavesOut: 'nexusos.dev/floor-leaves-out',
  /** On a Report on what exists: the PolicyPack that it is of, as namespace/name. */
  reportOf: 'nexusos.dev/report-of',
  /** On the Secret of the admission process: since when every webhook configuration trusts what is to be served next, in RFC 3339. */
  trustedAt: 'nexusos.dev/trusted-at',
  /** On a QuotaLedger that deals out devices: who leads, written anew by each who begins to. */
  ledBy: 'nexusos.dev/led-by',
  /** On the Leases of operators: number of shards that tenants are dealt out in by who holds it. */
  shards: 'nexusos.dev/shards',
  /** On a pod: images as they were written that are named by their digests now, in JSON by field. */
  images: 'nexusos.dev/images',
  /** On the Lease of a shard: the operator that asks its holder for it, and when it asked. */
  claimedBy: 'nexusos.dev/claimed-by',
  /** On a PolicyReplica that began while it could not reach the API server: of which time that was that it began from, in RFC 3339. */
  lastKnown: 'nexusos.dev/last-known',
} as const;

/** Name of the webhook configurations, and of the Service in front of those who are asked. */
export const WEBHOOKS_NAME = 'nexusos-webhooks';

/** Name of the ConfigMap in the namespace of the platform with the public keys that verdicts on images are believed by. */
export const VERDICT_KEYS_NAME = 'nexusos-verdict-keys';

/** Value of the managed-by label on everything that NexusOS makes. */
export const MANAGED_BY = 'nexusos';

/** Finalizers, by the controller that takes them off. */
export const FINALIZERS = {
  tenant: 'nexusos.dev/tenant',
  /** On a PolicyPack, from before its first revision: what that is kept in is in another namespace. */
  policyPack: 'nexusos.dev/policy-pack',
  /** On a pod of a Run, from its creation: it stays until its attempt is settled. */
  pod: 'nexusos.dev/run',
} as const;
