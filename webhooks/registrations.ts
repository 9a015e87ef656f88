// SPDX-License-Identifier: Apache-2.0
import { GROUP, LABELS, VERSION, WEBHOOKS_NAME } from '#crds/v1alpha1/names';
import type { KubeObject } from '#operator/core/object';
import {
  KUBERNETES_CONDITION,
  LEAVING_CONDITION,
  LEAVING_WHOLE_CONDITION,
  operatorOnKinds,
  operatorOnWorkloads,
} from '#operator/core/policy/asked';

// What the API server asks about: the one source of the webhook configurations of the chart.

/** What each release chooses. The chart fills these in. */
export interface RegistrationSettings {
  /** User name of the operator. */
  readonly operatorUser: string;
  readonly platformNamespace: string;
  /** Groups whose requests are never asked about, as a CEL list of strings. */
  readonly breakGlassGroups: string;
  /** Who is asked for a path: `service` or `url`, without caBundle, which the operator keeps. */
  readonly client: (path: '/validate' | '/mutate') => unknown;
  readonly timeoutSeconds: unknown;
  /** Kinds of others that are judged as workloads are (webhooks.policy.resources). */
  readonly foreign: readonly ForeignKind[];
}

/** A kind of somebody else's CustomResourceDefinition. */
export interface ForeignKind {
  readonly group: string;
  readonly plural: string;
}

/** What of a rule says whether something is asked about. */
export interface RegisteredRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly string[];
}

interface WebhookRule extends RegisteredRule {
  readonly apiVersions: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster' | '*';
}

type Conditions = Readonly<Record<string, string>>;

const WRITES = ['CREATE', 'UPDATE'] as const;

/** Our kinds that are judged, wherever they are. */
const OUR_KINDS: readonly WebhookRule[] = [
  rule(GROUP, ['agents', 'policyexemptions', 'policypacks', 'runs', 'tenants'], { apiVersions: [VERSION] }),
  rule(GROUP, ['gpuclasses'], { apiVersions: [VERSION], operations: [...WRITES, 'DELETE'] }),
];

/** What runs in namespaces of tenants, and what it reaches the world by. */
const WORKLOADS: readonly WebhookRule[] = [
  rule('', [
    'configmaps',
    'persistentvolumeclaims',
    'pods',
    'pods/ephemeralcontainers',
    'podtemplates',
    'replicationcontrollers',
    'replicationcontrollers/scale',
    'serviceaccounts',
    'services',
  ]),
  rule('apps', [
    'daemonsets',
    'deployments',
    'deployments/scale',
    'replicasets',
    'replicasets/scale',
    'statefulsets',
    'statefulsets/scale',
  ]),
  rule('autoscaling', ['horizontalpodautoscalers']),
  rule('batch', ['cronjobs', 'jobs']),
  rule('gateway.networking.k8s.io', ['gateways', 'grpcroutes', 'httproutes']),
  rule('networking.k8s.io', ['ingresses', 'networkpolicies']),
  rule('policy', ['poddisruptionbudgets']),
  rule('rbac.authorization.k8s.io', ['rolebindings', 'roles']),
];

/** What every release asks about, whatever its values are. */
const ALWAYS: readonly RegisteredRule[] = [...OUR_KINDS, ...WORKLOADS];

/**
 * What the API server asks about of that which `group` and `resource` mean, by operation; either may be `*`, and a resource `x/*`. By the rules that it
 * really goes by, where they are known.
 */
export function operationsAskedAbout(
  group: string,
  resource: string,
  registered: readonly RegisteredRule[] = ALWAYS,
): ReadonlySet<string> {
  const asked = registered.filter(
    ({ apiGroups, resources }) =>
      (group === '*' || apiGroups.includes(group)) && resources.some((one) => isMeant(resource, one)),
  );
  return new Set(asked.flatMap(({ operations }) => operations));
}

/**
 * Whether the platform names a kind of somebody else's (webhooks.policy.resources): that has a rule of its own, also where everybody asks about
 * it anyway, as about HTTPRoutes.
 */
export function isNamedByPlatform(
  { group, plural }: ForeignKind,
  registered: readonly RegisteredRule[],
): boolean {
  return registered.some(
    ({ apiGroups, resources }) =>
      apiGroups.length === 1 &&
      apiGroups[0] === group &&
      resources.join(' ') === resourcesOf(plural).join(' '),
  );
}

/** Whoever scales what runs somebody's pods changes it, as with Deployments. Kinds without that have no such requests. */
function resourcesOf(plural: string): readonly string[] {
  return [plural, `${plural}/scale`];
}

/** isMeant('pods/*', 'pods/ephemeralcontainers') -> true */
function isMeant(pattern: string, resource: string): boolean {
  if (pattern === '*') return !resource.includes('/');
  if (pattern === '*/*') return true;
  return pattern.endsWith('/*') ? resource.startsWith(pattern.slice(0, -1)) : pattern === resource;
}

/** A webhook as the API server has it. */
interface Registered {
  readonly rules?: readonly Partial<RegisteredRule>[];
}

/** The rules of a webhook configuration, as the API server has it; undefined where there is none. */
export function registeredRules(
  configuration: KubeObject | undefined,
): readonly RegisteredRule[] | undefined {
  const webhooks = configuration?.['webhooks'] as readonly Registered[] | undefined;
  return webhooks?.flatMap(({ rules = [] }) =>
    rules.map(({ apiGroups = [], resources = [], operations = [] }) => ({
      apiGroups,
      resources,
      operations,
    })),
  );
}

/** The configurations, in the order in which they are installed. */
export function registrations(settings: RegistrationSettings): readonly KubeObject[] {
  return [validating(settings), mutating(settings)];
}

function validating(settings: RegistrationSettings): KubeObject {
  return configuration('ValidatingWebhookConfiguration', [
    webhook('kinds', settings, {
      rules: OUR_KINDS,
      matchConditions: named({ ...conditions(settings), operator: operatorOnKinds(settings.operatorUser) }),
      clientConfig: settings.client('/validate'),
    }),
    webhook('workloads', settings, {
      rules: judged(settings),
      namespaceSelector: ofTenants(settings),
      matchConditions: named({
        ...conditions(settings),
        leaving: LEAVING_WHOLE_CONDITION,
        operator: operatorOnWorkloads(settings.operatorUser),
      }),
      clientConfig: settings.client('/validate'),
    }),
  ]);
}

function mutating(settings: RegistrationSettings): KubeObject {
  return configuration('MutatingWebhookConfiguration', [
    webhook('defaults', settings, {
      rules: judged(settings).map((one) => ({
        ...one,
        // What is brought into a pod that runs is named by its digest, too.
        resources: one.resources.filter((name) => !name.includes('/') || name === 'pods/ephemeralcontainers'),
      })),
      namespaceSelector: ofTenants(settings),
      matchConditions: named({
        ...conditions(settings),
        leaving: LEAVING_WHOLE_CONDITION,
        operator: operatorOnWorkloads(settings.operatorUser),
      }),
      clientConfig: settings.client('/mutate'),
      reinvocationPolicy: 'IfNeeded',
    }),
  ]);
}

/**
 * What is judged in namespaces of tenants. Kinds of others stand beside workloads and not in a webhook of their own: that would have no caBundle at first,
 * and replicas whose certificate one webhook does not trust are not ready for any.
 */
function judged({ foreign }: RegistrationSettings): readonly WebhookRule[] {
  return [...WORKLOADS, ...foreign.map(({ group, plural }) => rule(group, resourcesOf(plural)))];
}

function configuration(kind: string, webhooks: readonly object[]): KubeObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: WEBHOOKS_NAME },
    webhooks,
  };
}

/** What nobody has judged does not pass: what is asked about is little, and what must go on while nobody answers is not. */
function webhook(name: string, { timeoutSeconds }: RegistrationSettings, rest: object): object {
  return {
    name: `${name}.${GROUP}`,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    timeoutSeconds,
    ...rest,
  };
}

/** Namespaces of tenants by their label, which nobody but the operator can set; never those that the cluster stands on. */
function ofTenants({ platformNamespace }: RegistrationSettings): object {
  return {
    matchExpressions: [
      { key: LABELS.tenant, operator: 'Exists' },
      {
        key: 'kubernetes.io/metadata.name',
        operator: 'NotIn',
        values: ['kube-system', 'kube-public', 'kube-node-lease', platformNamespace],
      },
    ],
  };
}

/**
 * Who is asked about. The controllers of Kubernetes keep up what is there, also while nobody answers; new pods, Jobs and claims, which somebody
 * else wanted, are judged whoever makes them. What is being deleted must be able to go.
 */
function conditions({ breakGlassGroups }: RegistrationSettings): Conditions {
  return {
    'break-glass': `!(has(request.userInfo.groups) && request.userInfo.groups.exists(g, g in ${breakGlassGroups}))`,
    kubernetes: KUBERNETES_CONDITION,
    leaving: LEAVING_CONDITION,
  };
}

function named(expressions: Conditions): readonly object[] {
  return Object.entries(expressions).map(([name, expression]) => ({ name, expression }));
}

function rule(group: string, resources: readonly string[], more: Partial<WebhookRule> = {}): WebhookRule {
  const scope = group === GROUP ? '*' : 'Namespaced';
  return { apiGroups: [group], apiVersions: ['*'], operations: WRITES, resources, scope, ...more };
}
