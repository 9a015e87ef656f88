// SPDX-License-Identifier: Apache-2.0
import { LABELS } from '#crds/v1alpha1/names';
import { isRun, type PodPlace } from './pod-place.ts';
import { isReservedKey, nodeRules, reservedKeys, reservedKeysOfAffinity } from './node-rules.ts';
import { type Cel, type GuardrailSettings, listParameter, parameter, quote, type Rule } from './policy.ts';

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

/** What the rules of `podRules` use. */
export function podVariables(place: PodPlace, settings: GuardrailSettings): Readonly<Record<string, Cel>> {
  return {
    spec: place.spec,
    isRun: isRun(place, settings),
    tenant: parameter('tenant'),
    isHard: `${parameter('isolation')} == 'Hard'`,
    registries: `${listParameter('registries')}.map(r, r.endsWith('/') ? r.substring(0, size(r) - 1) : r)`,
    volumes: '(has(variables.spec.volumes) ? variables.spec.volumes : [])',
    tolerations: '(has(variables.spec.tolerations) ? variables.spec.tolerations : [])',
    nodeSelector: '(has(variables.spec.nodeSelector) ? variables.spec.nodeSelector : {})',
    images: [
      ...CONTAINER_LISTS.map((list) => ifHas(list, `variables.spec.${list}.map(c, c.image)`)),
      'variables.volumes.filter(v, has(v.image) && has(v.image.reference)).map(v, v.image.reference)',
    ].join(' + '),
    foreignImages:
      `size(variables.registries) == 0 ? [] : variables.images.filter(i, !(variables.isRun && i == ${quote(settings.remoteImage)}) && !variables.registries.exists(r, ` +
      `${FULL_IMAGE}.startsWith(r + '/') || (r.contains('/') && (${FULL_IMAGE} == r || ${FULL_IMAGE}.startsWith(r + ':') || ${FULL_IMAGE}.startsWith(r + '@')))))`,
    reservedKeys: reservedKeys(settings),
    nodeKeys: [
      `variables.nodeSelector.map(k, k).filter(k, ${isReservedKey('k')})`,
      `variables.tolerations.filter(t, has(t.key) && ${isReservedKey('t.key')}).map(t, t.key)`,
    ].join(' + '),
    affinityKeys: reservedKeysOfAffinity(),
  };
}

/** Whether an image with a slash begins with a registry; the same rule as `repositoryOf` of core/agent. */
const HAS_HOST = "i.split('/')[0].matches('[.:A-Z]') || i.split('/')[0] == 'localhost'";
/** An image with its registry: `nginx` is `docker.io/library/nginx`, as container runtimes read it. */
const FULL_IMAGE = `(!i.contains('/') ? 'docker.io/library/' + i : (${HAS_HOST}) ? i : 'docker.io/' + i)`;

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
  const typeOfVolume = NODE_VOLUMES.reduceRight((rest, type) => `has(v.${type}) ? '${type}' : ${rest}`, "''");
  const hasHostPort = 'has(c.ports) && c.ports.exists(p, has(p.hostPort) && p.hostPort != 0)';
  return [
    ...namespaces,
    {
      field: `${path}volumes`,
      holds: `variables.volumes.all(v, !(${isNodeVolume}))`,
      found: `variables.volumes.filter(v, ${isNodeVolume}).map(v, v.name + ': ' + (${typeOfVolume})).join(', ')`,
      allowed: quote(
        'configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, projected, secret',
      ),
    },
    {
      field: `${path}containers[*].ports[*].hostPort`,
      holds: noContainer(hasHostPort),
      found: containersWhere(
        hasHostPort,
        "c.name + ': ' + c.ports.filter(p, has(p.hostPort) && p.hostPort != 0).map(p, string(p.hostPort)).join(', ')",
      ),
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

/** Names of the devices that the container `c` asks for. */
const DEVICES = ['limits', 'requests']
  .map(
    (field) =>
      `(has(c.resources) && has(c.resources.${field}) ? c.resources.${field}.filter(k, k.contains('/')) : [])`,
  )
  .join(' + ');

/** Devices come through Runs only: there the ledger counts them by class. */
function deviceRules({ path }: PodPlace): readonly Rule[] {
  return [
    {
      field: `${path}containers[*].resources`,
      holds: `variables.isRun || (${noContainer(ASKS_DEVICE)})`,
      found: containersWhere(ASKS_DEVICE, `c.name + ': ' + (${DEVICES}).join(', ')`),
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

/**
 * Affinity to pods stays within the namespace: anti-affinity is symmetric, so a term over all namespaces would keep every
 * other tenant off a whole zone.
 */
function affinityRule({ path }: PodPlace): Rule {
  const places = ['podAffinity', 'podAntiAffinity'].flatMap((kind) =>
    [
      { list: 'requiredDuringSchedulingIgnoredDuringExecution', term: 't' },
      { list: 'preferredDuringSchedulingIgnoredDuringExecution', term: 't.podAffinityTerm' },
    ].map(({ list, term }) => {
      const affinity = `variables.spec.affinity.${kind}`;
      const terms = `(has(${affinity}) && has(${affinity}.${list}) ? ${affinity}.${list} : [])`;
      return { kind, terms, term };
    }),
  );
  const holds = places.map(({ terms, term }) => `${terms}.all(t, ${isLocal(term)})`);
  const found = places.map(
    ({ kind, terms, term }) =>
      `${terms}.filter(t, !(${isLocal(term)})).map(t, '${kind} over ' + (has(${term}.namespaces) ? ${term}.namespaces.join(', ') : 'a namespaceSelector'))`,
  );
  return {
    field: `${path}affinity`,
    holds: `!has(variables.spec.affinity) || (${holds.join(' && ')})`,
    found: `(${found.join(' + ')}).join('; ')`,
    allowed: quote('terms without namespaces and namespaceSelector, about pods of the same namespace'),
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
    found: "'tenant ' + variables.tenant + ', which is suspended'",
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
