// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { type Cel, listParameter, parameter, quote, type Rule } from './policy.ts';

/** Volumes that reach the node or, past every NetworkPolicy, its network. */
const NODE_VOLUMES = [
  'hostPath',
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'glusterfs',
  'iscsi',
  'nfs',
  'photonPersistentDisk',
  'portworxVolume',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
  'vsphereVolume',
] as const;

const CONTAINER_LISTS = ['containers', 'initContainers', 'ephemeralContainers'] as const;

/** Where in an object a pod is described. */
export interface PodPlace {
  /** Field path for messages, with a dot at its end: `spec.template.spec.`. */
  readonly path: string;
  readonly spec: Cel;
  readonly metadata: Cel;
  /** A pod, rather than a template that pods are made from. */
  readonly isPod: boolean;
}

/** What the rules of `podRules` use. */
export function podVariables({ spec, metadata }: PodPlace): Readonly<Record<string, Cel>> {
  return {
    spec,
    // Only NexusOS can set this label; another guardrail sees to that.
    isRun: `has(${metadata}) && has(${metadata}.labels) && ${quote(LABELS.runUid)} in ${metadata}.labels`,
    tenant: parameter('tenant'),
    isHard: `${parameter('isolation')} == 'Hard'`,
    registries: listParameter('registries'),
    volumes: '(has(variables.spec.volumes) ? variables.spec.volumes : [])',
    tolerations: '(has(variables.spec.tolerations) ? variables.spec.tolerations : [])',
    nodeSelector: '(has(variables.spec.nodeSelector) ? variables.spec.nodeSelector : {})',
    images: [
      ...CONTAINER_LISTS.map((list) => ifHas(list, `variables.spec.${list}.map(c, c.image)`)),
      'variables.volumes.filter(v, has(v.image) && has(v.image.reference)).map(v, v.image.reference)',
    ].join(' + '),
    foreignImages:
      'size(variables.registries) == 0 ? [] : variables.images.filter(i, !variables.registries.exists(r, ' +
      `${FULL_IMAGE}.startsWith(r + '/') || (r.contains('/') && (${FULL_IMAGE} == r || ${FULL_IMAGE}.startsWith(r + ':') || ${FULL_IMAGE}.startsWith(r + '@')))))`,
    nodeKeys: NODE_KEYS,
  };
}

/** An image with its registry: `nginx` is `docker.io/library/nginx`, as container runtimes read it. */
const FULL_IMAGE =
  "(!i.contains('/') ? 'docker.io/library/' + i : (i.split('/')[0].contains('.') || i.split('/')[0].contains(':') || i.split('/')[0] == 'localhost') ? i : 'docker.io/' + i)";

const AFFINITY = 'variables.spec.affinity.nodeAffinity';
const HAS_NODE_AFFINITY = 'has(variables.spec.affinity) && has(variables.spec.affinity.nodeAffinity)';

/** Keys of node labels and taints that the pod reaches for, of ours only. */
const NODE_KEYS = [
  "variables.nodeSelector.map(k, k).filter(k, k.startsWith('nexusos.dev/'))",
  "variables.tolerations.filter(t, has(t.key) && t.key.startsWith('nexusos.dev/')).map(t, t.key)",
  `(${HAS_NODE_AFFINITY} && has(${AFFINITY}.requiredDuringSchedulingIgnoredDuringExecution) && ${AFFINITY}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.exists(t, has(t.matchExpressions) && t.matchExpressions.exists(e, e.key.startsWith('nexusos.dev/'))) ? ['affinity'] : [])`,
  `(${HAS_NODE_AFFINITY} && has(${AFFINITY}.preferredDuringSchedulingIgnoredDuringExecution) && ${AFFINITY}.preferredDuringSchedulingIgnoredDuringExecution.exists(t, has(t.preference.matchExpressions) && t.preference.matchExpressions.exists(e, e.key.startsWith('nexusos.dev/'))) ? ['affinity'] : [])`,
].join(' + ');

/** What every pod, and every template of pods, of a tenant must keep to. */
export function podRules(place: PodPlace): readonly Rule[] {
  return [
    // First, since it is the reason that no change of the manifest mends.
    suspensionRule(),
    ...hostRules(place),
    ...imageRules(place),
    ...deviceRules(place),
    ...nodeRules(place),
    affinityRule(place),
  ];
}

function hostRules({ path }: PodPlace): readonly Rule[] {
  const namespaces = (['hostNetwork', 'hostPID', 'hostIPC'] as const).map((field) => ({
    field: path + field,
    holds: `!has(variables.spec.${field}) || !variables.spec.${field}`,
    found: quote('true'),
    allowed: quote('false, or not set'),
  }));
  const isNodeVolume = NODE_VOLUMES.map((type) => `has(v.${type})`).join(' || ');
  const hasHostPort = 'has(c.ports) && c.ports.exists(p, has(p.hostPort) && p.hostPort != 0)';
  return [
    ...namespaces,
    {
      field: `${path}volumes`,
      holds: `variables.volumes.all(v, !(${isNodeVolume}))`,
      found: `'volumes of the node or its network: ' + variables.volumes.filter(v, ${isNodeVolume}).map(v, v.name).join(', ')`,
      allowed: quote(
        'configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, projected, secret',
      ),
    },
    {
      field: `${path}containers[*].ports[*].hostPort`,
      holds: noContainer(hasHostPort),
      found: containersWhere(hasHostPort, 'c.name'),
      allowed: quote('no hostPort: use a Service'),
    },
  ];
}

function imageRules({ path }: PodPlace): readonly Rule[] {
  const isCached = "!has(c.imagePullPolicy) || c.imagePullPolicy != 'Always'";
  const isCachedVolume = "has(v.image) && (!has(v.image.pullPolicy) || v.image.pullPolicy != 'Always')";
  return [
    {
      field: `${path}containers[*].imagePullPolicy`,
      holds: noContainer(isCached),
      found: containersWhere(
        isCached,
        "c.name + ': ' + (has(c.imagePullPolicy) ? c.imagePullPolicy : 'not set')",
      ),
      allowed: quote('Always, so that nobody runs an image of somebody else from the cache of a node'),
    },
    {
      field: `${path}volumes[*].image.pullPolicy`,
      holds: `variables.volumes.all(v, !(${isCachedVolume}))`,
      found: `variables.volumes.filter(v, ${isCachedVolume}).map(v, v.name).join(', ')`,
      allowed: quote('Always'),
    },
    {
      field: `${path}containers[*].image`,
      holds: 'size(variables.foreignImages) == 0',
      found: "variables.foreignImages.join(', ')",
      allowed: "'images from ' + variables.registries.join(', ')",
    },
  ];
}

/** A container asks for a device: only extended resources have a slash in their names. */
const ASKS_DEVICE = ['limits', 'requests']
  .map(
    (field) =>
      `(has(c.resources) && has(c.resources.${field}) && c.resources.${field}.exists(k, k.contains('/')))`,
  )
  .join(' || ');

/** Devices come through Runs only: there the ledger counts them by class. */
function deviceRules({ path }: PodPlace): readonly Rule[] {
  return [
    {
      field: `${path}containers[*].resources`,
      holds: `variables.isRun || (${noContainer(ASKS_DEVICE)})`,
      found: `'devices asked for by container ' + ${containersWhere(ASKS_DEVICE, 'c.name')}`,
      allowed: quote('cpu, memory, ephemeral-storage and hugepages; GPUs by a Run of an Agent with spec.gpu'),
    },
    {
      field: `${path}resourceClaims`,
      holds:
        'variables.isRun || !has(variables.spec.resourceClaims) || size(variables.spec.resourceClaims) == 0',
      found: "variables.spec.resourceClaims.map(c, c.name).join(', ')",
      allowed: quote('none; GPUs by a Run of an Agent with spec.gpu'),
    },
  ];
}

function nodeRules({ path, isPod }: PodPlace): readonly Rule[] {
  const dedicated = quote(LABELS.dedicated);
  const isOwnNode = `variables.isHard && k == ${dedicated}`;
  // The scheduler binds later, so a node name in a request to create was put there by hand.
  const nodeName = "!has(variables.spec.nodeName) || variables.spec.nodeName == ''";
  return [
    {
      field: `${path}nodeName`,
      holds: isPod ? `request.operation != 'CREATE' || ${nodeName}` : nodeName,
      found: 'variables.spec.nodeName',
      allowed: quote('not set: the scheduler chooses'),
    },
    {
      field: `${path}nodeSelector, tolerations or affinity`,
      holds: `variables.nodeKeys.all(k, variables.isRun && k != ${dedicated} && k != 'affinity' || ${isOwnNode})`,
      found: "variables.nodeKeys.join(', ')",
      allowed: quote('no keys of nexusos.dev: GPU classes and dedicated nodes are chosen by NexusOS'),
    },
    {
      field: `${path}tolerations`,
      holds: `variables.tolerations.all(t, has(t.key) && t.key != '' && (t.key != ${dedicated} || (has(t.value) && t.value == variables.tenant && (!has(t.operator) || t.operator == 'Equal'))))`,
      found: quote('a toleration of every taint, or of the nodes of another tenant'),
      allowed: quote('tolerations with a key'),
    },
    {
      field: `${path}nodeSelector`,
      holds: `!variables.isHard || (${dedicated} in variables.nodeSelector && variables.nodeSelector[${dedicated}] == variables.tenant)`,
      found: `${dedicated} in variables.nodeSelector ? ${quote(`${LABELS.dedicated}: `)} + variables.nodeSelector[${dedicated}] : 'no ${LABELS.dedicated}'`,
      allowed: `${quote(`${LABELS.dedicated}: `)} + variables.tenant`,
    },
    {
      field: `${path}runtimeClassName`,
      holds: `!variables.isHard || (has(variables.spec.runtimeClassName) && variables.spec.runtimeClassName == ${parameter('runtimeClass')})`,
      found: "has(variables.spec.runtimeClassName) ? variables.spec.runtimeClassName : 'not set'",
      allowed: parameter('runtimeClass'),
    },
    {
      field: `${path}priorityClassName`,
      holds:
        "!has(variables.spec.priorityClassName) || !variables.spec.priorityClassName.startsWith('system-')",
      found: 'variables.spec.priorityClassName',
      allowed: quote('classes of the platform, none that starts with system-'),
    },
  ];
}

/**
 * Affinity to pods stays within the namespace: anti-affinity is symmetric, so a term over all namespaces would keep every
 * other tenant off a whole zone.
 */
function affinityRule({ path }: PodPlace): Rule {
  const kinds = ['podAffinity', 'podAntiAffinity'].flatMap((kind) => {
    const affinity = `variables.spec.affinity.${kind}`;
    const required = `${affinity}.requiredDuringSchedulingIgnoredDuringExecution`;
    const preferred = `${affinity}.preferredDuringSchedulingIgnoredDuringExecution`;
    return [
      `(!has(${affinity}) || !has(${required}) || ${required}.all(t, ${isLocal('t')}))`,
      `(!has(${affinity}) || !has(${preferred}) || ${preferred}.all(t, ${isLocal('t.podAffinityTerm')}))`,
    ];
  });
  return {
    field: `${path}affinity`,
    holds: `!has(variables.spec.affinity) || (${kinds.join(' && ')})`,
    found: quote('a term with namespaces or namespaceSelector'),
    allowed: quote('terms about pods of the same namespace'),
  };
}

function isLocal(term: Cel): Cel {
  return `!has(${term}.namespaceSelector) && !has(${term}.namespaces)`;
}

/** A Run that was admitted before the suspension still gets its pod; the ledger admits none after. */
function suspensionRule(): Rule {
  const label = quote(LABELS.suspended);
  return {
    field: 'metadata.namespace',
    holds: `request.operation != 'CREATE' || variables.isRun || !(has(namespaceObject.metadata.labels) && ${label} in namespaceObject.metadata.labels && namespaceObject.metadata.labels[${label}] == 'true')`,
    found: quote('a suspended tenant'),
    allowed: quote('new workloads once spec.suspended of the Tenant is false again'),
  };
}

function ifHas(field: string, expression: Cel): Cel {
  return `(has(variables.spec.${field}) ? ${expression} : [])`;
}

/** That no container of any sort is so. */
function noContainer(is: Cel): Cel {
  return CONTAINER_LISTS.map(
    (list) => `(!has(variables.spec.${list}) || variables.spec.${list}.all(c, !(${is})))`,
  ).join(' && ');
}

/** A string: what `tells` says of the containers that are so. */
function containersWhere(is: Cel, tells: Cel): Cel {
  const found = CONTAINER_LISTS.map((list) =>
    ifHas(list, `variables.spec.${list}.filter(c, ${is}).map(c, ${tells})`),
  ).join(' + ');
  return `(${found}).join(', ')`;
}
