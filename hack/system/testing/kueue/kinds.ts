// SPDX-License-Identifier: Apache-2.0

/** The API group of Kueue. */
export const GROUP = 'kueue.x-k8s.io';

/** Which versions of the API are served, the stored one first. */
export type Versions = readonly ('v1beta1' | 'v1beta2')[];

interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly scope: 'Cluster' | 'Namespaced';
  readonly hasStatus: boolean;
  /** Schema of the spec in a version. */
  readonly spec: (version: string) => object;
}

const text = { type: 'string', maxLength: 253 };
const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const quantity = { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] };
const stopPolicy = { type: 'string', enum: ['None', 'Hold', 'HoldAndDrain'], default: 'None' };

const RESOURCES = {
  type: 'array',
  minItems: 1,
  maxItems: 64,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['name'],
  items: {
    type: 'object',
    required: ['name', 'nominalQuota'],
    properties: { name: text, nominalQuota: quantity, borrowingLimit: quantity, lendingLimit: quantity },
  },
};

const GROUPS = {
  type: 'array',
  maxItems: 16,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['coveredResources', 'flavors'],
    'x-kubernetes-validations': [
      {
        rule: 'self.flavors.all(f, size(f.resources) == size(self.coveredResources))',
        message: 'each flavor names as many resources as the group covers',
      },
    ],
    properties: {
      coveredResources: { type: 'array', minItems: 1, maxItems: 64, items: text },
      flavors: {
        type: 'array',
        minItems: 1,
        maxItems: 64,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: {
          type: 'object',
          required: ['name', 'resources'],
          properties: { name: text, resources: RESOURCES },
        },
      },
    },
  },
};

const clusterQueue: Kind = {
  kind: 'ClusterQueue',
  plural: 'clusterqueues',
  scope: 'Cluster',
  hasStatus: true,
  spec: (version) => ({
    type: 'object',
    properties: {
      [version === 'v1beta1' ? 'cohort' : 'cohortName']: text,
      namespaceSelector: open,
      resourceGroups: GROUPS,
      queueingStrategy: { type: 'string', enum: ['StrictFIFO', 'BestEffortFIFO'], default: 'BestEffortFIFO' },
      preemption: {
        type: 'object',
        default: {},
        properties: {
          reclaimWithinCohort: { type: 'string', enum: ['Never', 'LowerPriority', 'Any'], default: 'Never' },
          withinClusterQueue: {
            type: 'string',
            enum: ['Never', 'LowerPriority', 'LowerOrNewerEqualPriority'],
            default: 'Never',
          },
        },
      },
      stopPolicy,
      fairSharing: { type: 'object', properties: { weight: { ...quantity, default: 1 } } },
    },
  }),
};

const KINDS: readonly Kind[] = [
  clusterQueue,
  {
    kind: 'LocalQueue',
    plural: 'localqueues',
    scope: 'Namespaced',
    hasStatus: true,
    spec: () => ({
      type: 'object',
      properties: {
        clusterQueue: {
          ...text,
          'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'field is immutable' }],
        },
        stopPolicy,
      },
    }),
  },
  {
    kind: 'ResourceFlavor',
    plural: 'resourceflavors',
    scope: 'Cluster',
    hasStatus: false,
    spec: () => ({
      type: 'object',
      properties: {
        nodeLabels: { type: 'object', maxProperties: 8, additionalProperties: { type: 'string' } },
        nodeTaints: { type: 'array', maxItems: 8, items: open },
        tolerations: { type: 'array', maxItems: 8, items: open },
      },
    }),
  },
  {
    kind: 'Workload',
    plural: 'workloads',
    scope: 'Namespaced',
    hasStatus: true,
    spec: () => ({
      type: 'object',
      properties: {
        queueName: text,
        active: { type: 'boolean', default: true },
        podSets: { type: 'array', items: open },
      },
    }),
  },
];

/**
 * CustomResourceDefinitions with the group, versions, kinds and those fields of Kueue's that NexusOS uses, in our own words and by its published
 * contract. They are not Kueue's own: what these allow beyond that, or refuse, was compared by hand.
 */
export function kueueKinds(versions: Versions): readonly object[] {
  return KINDS.map(({ kind, plural, scope, hasStatus, spec }) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${GROUP}`,
      annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in for tests' },
    },
    spec: {
      group: GROUP,
      scope,
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: versions.map((name, i) => ({
        name,
        served: true,
        storage: i === 0,
        ...(hasStatus && { subresources: { status: {} } }),
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: spec(name), ...(hasStatus && { status: open }) },
          },
        },
      })),
    },
  }));
}
