// SPDX-License-Identifier: Apache-2.0
import * as z from 'zod';
import type { KindDescriptor } from '../openapi/kind.ts';
import { AGE, readyColumn, REASON } from './columns.ts';
import { conditions, dnsLabel, dnsSubdomain, instant, observedGeneration, spelt, text } from './meta.ts';
import { GROUP, VERSION } from './names.ts';
import { MAX_GRANTED_AMOUNTS } from './quota-ledger.ts';
import { tenantRunHistory } from './run-history.ts';
import { network, residency } from './tenant-network.ts';
import { quotas } from './tenant-quotas.ts';
import { containerDefaults, isolation, podSecurity } from './tenant-workloads.ts';

const owner = z
  .object({
    kind: z.enum(['User', 'Group', 'ServiceAccount']).describe('Kind of subject.'),
    name: text(
      'Name of the user, group or service account, exactly as the API server authenticates it.',
      253,
    ).min(1),
    namespace: dnsLabel(
      'Namespace of the service account. Only for, and needed by, kind ServiceAccount.',
    ).optional(),
    role: z
      .enum(['admin', 'operator', 'viewer'])
      .describe('admin: everything in the namespaces; operator: run and restart; viewer: read, no Secrets.'),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: "(self.kind == 'ServiceAccount') == has(self.namespace)",
        message: 'namespace is needed for a ServiceAccount and not allowed for a User or Group',
        fieldPath: '.namespace',
      },
      {
        rule: "self.kind == 'ServiceAccount' || !self.name.startsWith('system:')",
        message: 'names that start with system: belong to Kubernetes and cannot own a tenant',
        fieldPath: '.name',
      },
    ],
  });

const namespace = z.object({
  suffix: dnsLabel('The namespace is named <tenant>-<suffix>. Together at most 63 characters.', 40),
});

const adoptedNamespace = z.object({
  name: dnsLabel(
    'An existing namespace to take over. It must carry the annotation nexusos.dev/adopt-into: <tenant> first.',
  ),
});

const entitlements = z
  .object({
    modelTiers: z
      .array(dnsLabel('A model tier.'))
      .max(32)
      .describe('Model tiers that agents may use. Left out: any; an empty list: none.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    modelBackends: z
      .array(text('A model backend.', 253).min(1))
      .max(64)
      .describe('Model backends that agents may use. Left out: any; an empty list: none.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    tools: z
      .array(text('A tool.', 128).min(1))
      .max(256)
      .describe('Tools that agents may call. Left out: any; an empty list: none.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    registries: z
      .array(
        spelt(
          z.string().min(1).max(253),
          '^[a-z0-9][a-z0-9.:-]*(/[a-z0-9][a-z0-9._/-]*)?$',
          'wanted is the host of a registry, with a port and a path in it where they are meant, in lower case, such as registry.example or registry.example:5000/team: no scheme like https://, no blanks and no *',
        ).describe('Registry host, optionally with a path: registry.example.com/team.'),
      )
      .max(32)
      .describe('Registries, or paths in them, that images may come from. Empty: any registry.')
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional(),
    priorityClasses: z
      .array(dnsSubdomain('A PriorityClass.'))
      .max(16)
      .describe('PriorityClasses that pods may name. Empty: none but the default of the cluster.')
      .meta({
        'x-kubernetes-list-type': 'set',
        'x-kubernetes-validations': [
          {
            rule: "self.all(name, !name.startsWith('system-'))",
            message:
              'classes that start with system- belong to Kubernetes; name others, made by the platform',
          },
        ],
      })
      .optional(),
  })
  .describe('What agents of the tenant may use at most.');

const branding = z
  .object({
    supportContact: text('Whom to ask. Named in refusals that the tenant meets.', 253).optional(),
    logoURL: z
      .string()
      .max(1024)
      .regex(/^https:\/\//)
      .describe('Logo for portals.')
      .optional(),
    primaryColor: z
      .string()
      .max(7)
      .regex(/^#[0-9a-fA-F]{6}$/)
      .describe('Main colour for portals.')
      .optional(),
  })
  .describe('How portals and messages present the tenant.');

const spec = z
  .object({
    displayName: text('Name for people.', 100).optional(),
    plan: dnsLabel('Plan tier, a name the platform chooses.').default('standard'),
    suspended: z
      .boolean()
      .default(false)
      .describe('true: nothing new starts in the tenant. What runs is treated as suspendPolicy says.'),
    suspendPolicy: z
      .enum(['Finish', 'Pause'])
      .default('Finish')
      .describe(
        'On suspension, running Runs finish, or are paused and go back to the queue without spending a retry.',
      ),
    owners: z.array(owner).max(64).describe('Who may act in the tenant, and in which role.').optional(),
    namespaces: z
      .array(namespace)
      .max(64)
      .describe(
        'Namespaces that NexusOS creates and owns. Removing one deletes it, and needs its full name in the annotation nexusos.dev/confirm-deletion.',
      )
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['suffix'] })
      .optional(),
    adoptNamespaces: z
      .array(adoptedNamespace)
      .max(64)
      .describe('Existing namespaces to take over. They are released, not deleted, when removed here.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional(),
    quotas: quotas.optional(),
    runHistory: tenantRunHistory.optional(),
    containerDefaults: containerDefaults.optional(),
    entitlements: entitlements.optional(),
    isolation: isolation.default({ tier: 'Soft' }),
    podSecurity: podSecurity.default({ enforce: 'restricted' }),
    network: network.optional(),
    residency: residency.optional(),
    imagePullSecrets: z
      .array(
        z.object({
          name: dnsSubdomain(
            'Secret in the namespace that the platform shares pull secrets from, labelled nexusos.dev/shareable: "true".',
          ),
        }),
      )
      .max(16)
      .describe('Pull secrets copied into every namespace of the tenant, and kept fresh.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional(),
    branding: branding.optional(),
  })
  .describe('What the tenant is and may use.');

const namespaceStatus = z.object({
  name: dnsLabel('Name of the namespace.'),
  uid: text('UID of the namespace: the tenant owns this very one, and no later namesake.', 64).optional(),
  adopted: z.boolean().describe('true when it existed before and was taken over.'),
  state: z
    .enum(['Pending', 'Active', 'Conflict', 'Terminating'])
    .describe('Conflict: it belongs to somebody else and is left alone.'),
  message: text('Why the state is not Active.', 1024).optional(),
});

const usage = z.object({
  name: text('What is limited: requests.cpu, pods, gpus/h100, runs.concurrent, runUnits/hour.', 253),
  used: text('Amount in use now; of a budget, what was used in the window by attempts that have ended.', 32),
  reserved: text('Of a budget: what is reserved for Runs under way.', 32).optional(),
  limit: text('Amount allowed.', 32),
});

const summary = z
  .object({
    namespaces: text('Active of wanted namespaces.', 32).optional(),
    runs: text('Admitted of allowed concurrent Runs.', 32).optional(),
    gpus: text('GPUs in use of GPUs allowed, over all classes.', 32).optional(),
    runUnits: text('Run units of the last month in which any were used, and which that is.', 64).optional(),
    cost: text(
      'What the same month has cost, and in which currency; only where that is known.',
      64,
    ).optional(),
  })
  .describe('Figures for kubectl get.');

const status = z
  .object({
    observedGeneration: observedGeneration().optional(),
    state: z
      .enum(['Pending', 'Active', 'Suspended', 'Terminating'])
      .describe('Where the tenant is in its life.')
      .optional(),
    namespaces: z
      .array(namespaceStatus)
      .max(128)
      .describe('Namespaces of the tenant.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional(),
    usage: z
      .array(usage)
      .max(256)
      .describe('Use against every quota.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional(),
    usageAt: instant('When usage was last written. It is written at most every few seconds.').optional(),
    summary: summary.optional(),
    conditions: conditions(
      'Ready, Provisioned, QuotaEnforced; NeedsAttention, Reconciling and Stalled only while true.',
    ).optional(),
  })
  .describe('What is.');

/** Reasons of Tenant conditions and Events, each with its meaning. */
export const TENANT_REASONS = {
  /** Every namespace and everything in it is as wanted. */
  Provisioned: 'Provisioned',
  /** Namespaces or what belongs in them are being made. */
  Provisioning: 'Provisioning',
  /** A wanted namespace exists and belongs to somebody else. */
  NamespaceConflict: 'NamespaceConflict',
  /** A namespace to adopt does not exist, or its owner has not consented. */
  AdoptionRefused: 'AdoptionRefused',
  /** An object of somebody else bears the name that one of ours needs, in a namespace that is adopted. */
  NameTaken: 'NameTaken',
  /** The API server refuses something that the tenant needs: a quota, a policy, or an object of somebody else. */
  WriteRefused: 'WriteRefused',
  /** A pull secret does not exist, is not shareable or is not of a type that pulls images. */
  PullSecretUnavailable: 'PullSecretUnavailable',
  /** A destination of the egress allow-list lies in a range that the platform reserves. */
  EgressRefused: 'EgressRefused',
  /** The RuntimeClass of the isolation does not exist. */
  RuntimeClassNotFound: 'RuntimeClassNotFound',
  /** The tenant has no owners, so nobody can use it. */
  NoOwners: 'NoOwners',
  /** A peer is named by one side only, or does not exist: nothing is open to it. */
  PeerOneSided: 'PeerOneSided',
  /** NetworkPolicies in the namespaces open more than the Tenant allows since it was narrowed. */
  PolicyBeyondBorder: 'PolicyBeyondBorder',
  /** Most of a budget is used in its window. */
  BudgetNearlyUsed: 'BudgetNearlyUsed',
  /** A GPU class named in the quotas does not exist. */
  GPUClassNotFound: 'GPUClassNotFound',
  /** A namespace no longer wanted is kept until its deletion is confirmed. */
  DeletionNotConfirmed: 'DeletionNotConfirmed',
  /** The tenant is suspended. */
  Suspended: 'Suspended',
  /** The tenant is being deleted. */
  Terminating: 'Terminating',
  /** The quotas are not yet dealt out to the namespaces. */
  QuotaPending: 'QuotaPending',
  /** Every quota that is set is enforced. */
  Enforced: 'Enforced',
  /** Some quotas that are set are recorded and not enforced: by this version, or as long as the platform has no price. */
  NotEnforced: 'NotEnforced',
  /** Kubernetes does not count what some quotas name: a typing error, or a kind that is new to the cluster. */
  NotCounted: 'NotCounted',
  /** A quota of objects is less than what NexusOS and Kubernetes make in the namespaces; that is enforced instead. */
  QuotaTooSmall: 'QuotaTooSmall',
  /** More is in use than a quota allows since it was lowered; nothing is taken away, and nothing new starts. */
  OverCommitted: 'OverCommitted',
  /** The spec does not parse. */
  InvalidSpec: 'InvalidSpec',
} as const;

/** Names of tenants that would collide with namespaces of Kubernetes or of the platform. */
export const RESERVED_TENANT_NAMES = [
  'kube',
  'default',
  'nexusos',
  'openshift',
  'istio',
  'cert-manager',
] as const;

/** The sum of the sizes of lists and maps of the spec, as CEL. */
function sizes(fields: readonly string[]): string {
  return fields.map(size).join(' + ');
}

function size(field: string): string {
  const isThere = field.includes('.') ? `has(self.spec.${field.split('.')[0]}) && ` : '';
  return `(${isThere}has(self.spec.${field}) ? size(self.spec.${field}) : 0)`;
}

/** The Tenant kind: cluster-scoped, one organisation or team. */
export const TENANT = {
  group: GROUP,
  version: VERSION,
  kind: 'Tenant',
  plural: 'tenants',
  singular: 'tenant',
  shortNames: ['tn'],
  categories: ['nexusos'],
  scope: 'Cluster',
  description:
    'A Tenant is one team or organisation: its namespaces, its people, its quotas and its borders.',
  spec,
  status,
  rules: [
    {
      rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",
      message:
        'the name of a Tenant is a DNS label of at most 40 characters: lower case letters, digits and hyphens',
    },
    {
      rule: `!(self.metadata.name in [${RESERVED_TENANT_NAMES.map((name) => `'${name}'`).join(', ')}]) && !${JSON.stringify(
        RESERVED_TENANT_NAMES.map((name) => `${name}-`),
      )}.exists(p, self.metadata.name.startsWith(p))`,
      message: `the name is reserved: ${RESERVED_TENANT_NAMES.join(', ')} and names that start with one of them and a hyphen`,
    },
    {
      rule: '!has(self.spec.namespaces) || self.spec.namespaces.all(n, size(self.metadata.name) + 1 + size(n.suffix) <= 63)',
      message: 'tenant name, hyphen and namespace suffix together may have at most 63 characters',
    },
    {
      rule: `(${sizes(['namespaces', 'adoptNamespaces'])}) * (${sizes(['quotas.compute', 'quotas.objects', 'quotas.gpus'])}) <= ${MAX_GRANTED_AMOUNTS}`,
      message: `the number of namespaces times that of quotas under compute, objects and gpus may be at most ${MAX_GRANTED_AMOUNTS}`,
    },
  ],
  columns: [
    {
      name: 'State',
      type: 'string',
      jsonPath: '.status.state',
      description: 'Where the tenant is in its life.',
    },
    readyColumn('Everything is as wanted.'),
    {
      name: 'Namespaces',
      type: 'string',
      jsonPath: '.status.summary.namespaces',
      description: 'Active of wanted.',
    },
    {
      name: 'Runs',
      type: 'string',
      jsonPath: '.status.summary.runs',
      description: 'Running of allowed Runs.',
    },
    {
      name: 'GPUs',
      type: 'string',
      jsonPath: '.status.summary.gpus',
      description: 'GPUs in use of allowed.',
    },
    {
      name: 'Units',
      type: 'string',
      jsonPath: '.status.summary.runUnits',
      description: 'Run units of the month.',
      priority: 1,
    },
    {
      name: 'Cost',
      type: 'string',
      jsonPath: '.status.summary.cost',
      description: 'Cost of the month.',
      priority: 1,
    },
    { ...REASON, priority: 1 },
    AGE,
  ],
} as const satisfies KindDescriptor;

/** Spec of a Tenant after defaulting. */
export type TenantSpec = z.output<typeof spec>;
/** Status of a Tenant. */
export type TenantStatus = z.output<typeof status>;
/** One owner of a Tenant. */
export type TenantOwner = z.output<typeof owner>;
