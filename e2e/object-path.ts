// SPDX-License-Identifier: Apache-2.0

/** Where the API server has the kinds that scenarios look at, by their singular. */
const NAMESPACED: Readonly<Record<string, string>> = {
  agent: 'apis/nexusos.dev/v1alpha1 agents',
  agentrevision: 'apis/nexusos.dev/v1alpha1 agentrevisions',
  configmap: 'api/v1 configmaps',
  deployment: 'apis/apps/v1 deployments',
  endpointslice: 'apis/discovery.k8s.io/v1 endpointslices',
  imagepolicy: 'apis/nexusos.dev/v1alpha1 imagepolicies',
  imagewaiver: 'apis/nexusos.dev/v1alpha1 imagewaivers',
  imageverdict: 'apis/nexusos.dev/v1alpha1 imageverdicts',
  ingress: 'apis/networking.k8s.io/v1 ingresses',
  horizontalpodautoscaler: 'apis/autoscaling/v2 horizontalpodautoscalers',
  localqueue: 'apis/kueue.x-k8s.io/v1beta2 localqueues',
  workload: 'apis/kueue.x-k8s.io/v1beta2 workloads',
  job: 'apis/batch/v1 jobs',
  networkpolicy: 'apis/networking.k8s.io/v1 networkpolicies',
  persistentvolumeclaim: 'api/v1 persistentvolumeclaims',
  pod: 'api/v1 pods',
  report: 'apis/openreports.io/v1alpha1 reports',
  resourcequota: 'api/v1 resourcequotas',
  policypack: 'apis/nexusos.dev/v1alpha1 policypacks',
  policyexemption: 'apis/nexusos.dev/v1alpha1 policyexemptions',
  policypackrevision: 'apis/nexusos.dev/v1alpha1 policypackrevisions',
  policyreplica: 'apis/nexusos.dev/v1alpha1 policyreplicas',
  poddisruptionbudget: 'apis/policy/v1 poddisruptionbudgets',
  role: 'apis/rbac.authorization.k8s.io/v1 roles',
  rolebinding: 'apis/rbac.authorization.k8s.io/v1 rolebindings',
  run: 'apis/nexusos.dev/v1alpha1 runs',
  secret: 'api/v1 secrets',
  service: 'api/v1 services',
  serviceaccount: 'api/v1 serviceaccounts',
};
const CLUSTER_WIDE: Readonly<Record<string, string>> = {
  clusterimagepolicy: 'apis/nexusos.dev/v1alpha1 clusterimagepolicies',
  clusterqueue: 'apis/kueue.x-k8s.io/v1beta2 clusterqueues',
  ingressclass: 'apis/networking.k8s.io/v1 ingressclasses',
  resourceflavor: 'apis/kueue.x-k8s.io/v1beta2 resourceflavors',
  clusterrole: 'apis/rbac.authorization.k8s.io/v1 clusterroles',
  clusterrolebinding: 'apis/rbac.authorization.k8s.io/v1 clusterrolebindings',
  crd: 'apis/apiextensions.k8s.io/v1 customresourcedefinitions',
  gpuclass: 'apis/nexusos.dev/v1alpha1 gpuclasses',
  namespace: 'api/v1 namespaces',
  node: 'api/v1 nodes',
  priorityclass: 'apis/scheduling.k8s.io/v1 priorityclasses',
  quotaledger: 'apis/nexusos.dev/v1alpha1 quotaledgers',
  runtimeclass: 'apis/node.k8s.io/v1 runtimeclasses',
  tenant: 'apis/nexusos.dev/v1alpha1 tenants',
  trustroot: 'apis/nexusos.dev/v1alpha1 trustroots',
  usagerecord: 'apis/nexusos.dev/v1alpha1 usagerecords',
  validatingwebhookconfiguration: 'apis/admissionregistration.k8s.io/v1 validatingwebhookconfigurations',
};

/**
 * The path of what `kubectl get` is asked for by `words`: `kind/name`, or a plural with or without `-l selector`; `-n namespace`
 * before or after it.
 *
 * @throws Error for a kind, or an option, that is not among these.
 */
export function objectPath(words: readonly string[]): string {
  const { what, namespace = 'default', selector } = readWords(words);
  const [kind = '', name] = what.split('/');
  const singular = name === undefined ? kind.replace(/s$/, '') : kind;
  const place = placeOf(singular, namespace);
  if (place === undefined) throw new Error(`e2e/object-path.ts knows no ${kind}; add it`);
  if (name !== undefined) return `${place}/${name}`;
  return selector === undefined ? place : `${place}?labelSelector=${encodeURIComponent(selector)}`;
}

function placeOf(singular: string, namespace: string): string | undefined {
  const [wide, plural] = CLUSTER_WIDE[singular]?.split(' ') ?? [];
  if (wide !== undefined) return `/${wide}/${plural}`;
  const [group, collection] = NAMESPACED[singular]?.split(' ') ?? [];
  return group === undefined ? undefined : `/${group}/namespaces/${namespace}/${collection}`;
}

interface Words {
  readonly what: string;
  readonly namespace?: string;
  readonly selector?: string;
}

function readWords(words: readonly string[]): Words {
  let read: Words = { what: '' };
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '-n') read = { ...read, namespace: rest.shift() ?? '' };
    else if (word === '-l') read = { ...read, selector: rest.shift() ?? '' };
    else if (word.startsWith('-') || read.what !== '') throw new Error(`kubectl get ${words.join(' ')}`);
    else read = { ...read, what: word };
  }
  return read;
}
