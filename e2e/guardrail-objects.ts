// SPDX-License-Identifier: Apache-2.0

/** Fields of a manifest. */
export type Fields = Readonly<Record<string, unknown>>;

/** A container that every guardrail and the restricted Pod Security Standard let pass. */
export function container(fields: Fields = {}): Fields {
  return {
    name: 'c',
    image: 'registry.example/agent:1',
    imagePullPolicy: 'Always',
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...fields,
  };
}

/** A pod spec that passes; `fields` are put over it. */
export function podSpec(fields: Fields = {}): Fields {
  return { containers: [container()], ...fields };
}

/** A pod; `fields` are put over its spec. */
export function pod(fields: Fields = {}, metadata: Fields = {}): Fields {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', ...metadata }, spec: podSpec(fields) };
}

const SELECTED = { app: 'a' };

/** A template of pods; `fields` are put over the pods' spec. */
export function template(fields: Fields = {}, labels: Fields = {}): Fields {
  return { metadata: { labels: { ...SELECTED, ...labels } }, spec: podSpec(fields) };
}

/** A Deployment, StatefulSet, DaemonSet or ReplicaSet. */
export function appsObject(kind: string, podTemplate: Fields): Fields {
  const spec = { selector: { matchLabels: SELECTED }, template: podTemplate };
  return { apiVersion: 'apps/v1', kind, metadata: { name: 'w' }, spec };
}

/** A Deployment; `fields` are put over its pods' spec. */
export function deployment(fields: Fields = {}, labels: Fields = {}): Fields {
  return appsObject('Deployment', template(fields, labels));
}

/** A Job of pods with `fields`. */
export function job(fields: Fields = {}): Fields {
  const spec = { template: { spec: podSpec({ restartPolicy: 'Never', ...fields }) } };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'j' }, spec };
}

/** A CronJob of pods with `fields`. */
export function cronJob(fields: Fields = {}): Fields {
  const spec = { schedule: '0 0 * * *', jobTemplate: { spec: job(fields)['spec'] } };
  return { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'c' }, spec };
}

/** A ReplicationController of pods with `fields`. */
export function replicationController(fields: Fields = {}): Fields {
  const spec = { selector: SELECTED, template: template(fields) };
  return { apiVersion: 'v1', kind: 'ReplicationController', metadata: { name: 'r' }, spec };
}

/** A PodTemplate of pods with `fields`. */
export function podTemplate(fields: Fields = {}): Fields {
  return { apiVersion: 'v1', kind: 'PodTemplate', metadata: { name: 't' }, template: template(fields) };
}

/** A Service; `fields` are put over its spec. */
export function service(fields: Fields = {}): Fields {
  const spec = { ports: [{ port: 80 }], ...fields };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec };
}

/** A NetworkPolicy for all pods; `fields` are put over its spec. */
export function networkPolicy(fields: Fields): Fields {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'n' },
    spec: { podSelector: {}, ...fields },
  };
}

/** A NetworkPolicy that opens one block outwards. */
export function egressTo(cidr: string, more: { except?: readonly string[]; ports?: readonly Fields[] } = {}) {
  const { except, ports } = more;
  const rule = { to: [{ ipBlock: { cidr, ...(except && { except }) } }], ...(ports && { ports }) };
  return networkPolicy({ policyTypes: ['Egress'], egress: [rule] });
}

/** A NetworkPolicy that lets one peer in. */
export function ingressFrom(peer: Fields): Fields {
  return networkPolicy({ policyTypes: ['Ingress'], ingress: [{ from: [peer] }] });
}

/** A RoleBinding; without `roleRef` it binds a Role of the namespace. */
export function roleBinding(subject: Fields, roleRef: Fields = { kind: 'Role', name: 'reader' }): Fields {
  const apiGroup = 'rbac.authorization.k8s.io';
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: 'RoleBinding',
    metadata: { name: 'b' },
    roleRef: { apiGroup, ...roleRef },
    subjects: [subject['kind'] === 'ServiceAccount' ? subject : { apiGroup, ...subject }],
  };
}

/** A claim on storage. */
export function volumeClaim(fields: Fields = {}): Fields {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'v' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...fields },
  };
}

/** A ConfigMap with `metadata`. */
export function configMap(metadata: Fields = {}): Fields {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', ...metadata } };
}
