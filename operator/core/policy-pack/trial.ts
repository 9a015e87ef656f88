// SPDX-License-Identifier: Apache-2.0
import { API_VERSION, LABELS } from '#crds/v1alpha1/names';
import { isNamespaceReview, type RequestFacts } from '../policy/facts.ts';
import type { JsonObject, Review } from '../policy/review.ts';

/** A request that a pack is tried on before it judges any. */
export interface TrialCase {
  /** The object, for people: `Deployment kube-system/coredns`. */
  readonly what: string;
  readonly review: Review;
  readonly facts: RequestFacts;
}

/** An object of Kubernetes, or of NexusOS itself, and the same of some tenant. */
export interface ProtectedCase extends TrialCase {
  readonly twin: TrialCase;
}

const TENANT = 'example';
const NAMESPACE = 'example-main';

/** Plain objects of a tenant. What is said of them is of no matter: it is tried that anything is, in time. */
export function plainCases(tenant: string = TENANT): readonly TrialCase[] {
  const namespace = `${tenant}-main`;
  return [
    pod('web', namespace),
    deployment('web', namespace),
    ...OURS.map(({ kind, resource, spec }) =>
      objectOf({ apiVersion: API_VERSION, kind, metadata: { name: 'worker', namespace }, spec }, resource),
    ),
  ].map((review) => caseOf(review, factsOf(namespace, tenant)));
}

const OURS = [
  {
    kind: 'Agent',
    resource: 'agents',
    spec: { shape: 'job', container: { image: 'registry.example.com/agent:1' } },
  },
  { kind: 'Run', resource: 'runs', spec: { agentRef: { name: 'worker' } } },
] as const;

/**
 * Objects without which the cluster, or NexusOS, does not work, each beside the same of a tenant. The webhooks ask nobody about these; but a pack
 * that refuses one and lets its twin pass is against the system itself, and was not meant to be.
 */
export function protectedCases(platformNamespace: string): readonly ProtectedCase[] {
  const reviews = [
    deployment('coredns', 'kube-system'),
    pod('coredns-5d78c9869d-abcde', 'kube-system'),
    deployment('nexusos-operator', platformNamespace),
    pod('nexusos-webhooks-7c5ddbdf54-abcde', platformNamespace),
    namespaceReview('kube-system'),
    namespaceReview(platformNamespace),
  ];
  return reviews.map((review) => ({
    ...caseOf(review, factsOf(placeOf(review), undefined)),
    twin: caseOf(movedTo(review, NAMESPACE), factsOf(NAMESPACE, TENANT)),
  }));
}

function placeOf(review: Review): string {
  return isNamespaceReview(review) ? review.name : review.namespace;
}

function movedTo(review: Review, namespace: string): Review {
  if (isNamespaceReview(review)) return namespaceReview(namespace);
  const { metadata } = review.object as { readonly metadata: JsonObject };
  return { ...review, namespace, object: { ...review.object, metadata: { ...metadata, namespace } } };
}

function caseOf(review: Review, facts: RequestFacts): TrialCase {
  const where = review.namespace === '' ? '' : `${review.namespace}/`;
  return { what: `${review.kind.kind} ${where}${review.name}`, review, facts };
}

function factsOf(namespace: string, tenant: string | undefined): RequestFacts {
  const own = { 'kubernetes.io/metadata.name': namespace };
  const labels = tenant === undefined ? own : { ...own, [LABELS.tenant]: tenant, [LABELS.isolation]: 'Soft' };
  return {
    namespace: { name: namespace, labels },
    tenant: tenant === undefined ? undefined : { name: tenant, labels: {}, plan: 'standard', tier: 'Soft' },
  };
}

/** As strict as anybody could ask: what refuses this does not do so for how it is written. */
const POD_SPEC: JsonObject = {
  serviceAccountName: 'default',
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    {
      name: 'main',
      image: `registry.k8s.io/app:1.0.0@sha256:${'1'.repeat(64)}`,
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '100m', memory: '64Mi' } },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      livenessProbe: { httpGet: { path: '/healthz', port: 8080 } },
      readinessProbe: { httpGet: { path: '/readyz', port: 8080 } },
    },
  ],
};

function labelsFor(name: string): JsonObject {
  return { app: name, 'app.kubernetes.io/name': name, 'app.kubernetes.io/version': '1.0.0' };
}

function pod(name: string, namespace: string): Review {
  const metadata = { name, namespace, labels: labelsFor(name) };
  return objectOf({ apiVersion: 'v1', kind: 'Pod', metadata, spec: POD_SPEC }, 'pods');
}

function deployment(name: string, namespace: string): Review {
  const labels = labelsFor(name);
  const template = { metadata: { labels }, spec: POD_SPEC };
  const spec = { replicas: 2, selector: { matchLabels: { app: name } }, template };
  const metadata = { name, namespace, labels };
  return objectOf({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec }, 'deployments');
}

function namespaceReview(name: string): Review {
  const metadata = { name, labels: { 'kubernetes.io/metadata.name': name } };
  return objectOf({ apiVersion: 'v1', kind: 'Namespace', metadata }, 'namespaces');
}

interface TrialObject extends JsonObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

function objectOf(object: TrialObject, resource: string): Review {
  const [group = '', version = ''] = object.apiVersion.includes('/')
    ? object.apiVersion.split('/')
    : ['', object.apiVersion];
  const { name, namespace = '' } = object.metadata;
  return {
    uid: '00000000-0000-0000-0000-000000000000',
    kind: { group, version, kind: object.kind },
    resource: { group, version, resource },
    subResource: '',
    name,
    namespace,
    operation: 'CREATE',
    userInfo: {
      username: 'system:serviceaccount:kube-system:deployment-controller',
      groups: ['system:authenticated'],
    },
    object,
    dryRun: true,
  };
}
