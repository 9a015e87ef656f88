// SPDX-License-Identifier: Apache-2.0
import { LEASE_NAME, MAX_SHARDS } from '#operator/config';
import { KUEUE_GROUP } from '#operator/core/kueue/kueue';
import type { Writable } from '#operator/core/guardrails/policy';
import type { AnyController, PolicyRule } from '#operator/runtime/controller';
import { shardLeaseName } from '#operator/runtime/shards/shard-lease';
import type { GeneratedFile } from './file.ts';
import { mergeRules } from './rules.ts';
import { toTemplate } from './template.ts';

/** What is read of a controller here. */
export type RoleSource = Pick<
  AnyController,
  'rbac' | 'platformRbac' | 'resource' | 'watches' | 'finalizer' | 'finalizesOnly' | 'onlyReads'
>;

/** The operator's permissions: in the whole cluster, in the platform namespace, and where pull secrets are shared from. */
export interface OperatorRules {
  readonly cluster: readonly PolicyRule[];
  /** In the whole cluster, only where Kueue decides on capacity. */
  readonly kueue: readonly PolicyRule[];
  readonly platform: readonly PolicyRule[];
  readonly pullSecrets: readonly PolicyRule[];
}

/** What rules are made for, beside the controllers. */
export interface RoleSettings {
  /** ClusterRoles that may be handed out. */
  readonly bindable: readonly string[];
  /** As the controllers were given it. */
  readonly platformNamespace: string;
}

const READ = ['get', 'list', 'watch'];
const WRITE: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

/** What the runtime does whatever the controllers are: it writes Events about any object. */
const RUNTIME_CLUSTER: readonly PolicyRule[] = [
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];

/** Leader election, and that of each shard. `create` and `list` cannot be limited to names. */
const RUNTIME_PLATFORM: readonly PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'list'] },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['get', 'update'],
    resourceNames: [
      LEASE_NAME,
      ...Array.from({ length: MAX_SHARDS }, (_, index) => shardLeaseName(LEASE_NAME, index)),
    ],
  },
];

/**
 * Everything that the operator may do: what the controllers state, what the runtime does for them (reading what they
 * watch, writing the status and the finalizer of their kind), and handing out exactly `bindable` ClusterRoles. What
 * is watched in one namespace only (that of the platform, and that of pull secrets) is readable only there.
 */
export function operatorRules(
  controllers: readonly RoleSource[],
  { bindable, platformNamespace }: RoleSettings,
): OperatorRules {
  const watches = controllers.flatMap((one) => one.watches);
  const wide = watches.filter((one) => one.namespace === undefined);
  const narrow = watches.filter((one) => one.namespace !== undefined);
  const isOfPlatform = ({ namespace }: { readonly namespace?: string }) => namespace === platformNamespace;
  const cluster = mergeRules([
    ...RUNTIME_CLUSTER,
    ...controllers.flatMap((one) => [...one.rbac, ...ownKindRules(one)]),
    ...wide.map((one) => readRule(one.resource)),
    bindRule(bindable),
  ]);
  return {
    cluster: cluster.filter((one) => !isOfKueue(one)),
    kueue: cluster.filter(isOfKueue),
    platform: mergeRules([
      ...RUNTIME_PLATFORM,
      ...controllers.flatMap(({ platformRbac = [] }) => platformRbac),
      ...narrow.filter(isOfPlatform).map(readRuleOf),
    ]),
    pullSecrets: mergeRules(narrow.filter((one) => !isOfPlatform(one)).map((one) => readRule(one.resource))),
  };
}

/** What `rules` let somebody write, each resource once, in no order. */
export function writableBy(rules: readonly PolicyRule[]): readonly Writable[] {
  const found = rules
    .filter(({ verbs }) => verbs.some((verb) => WRITE.has(verb)))
    .flatMap(({ apiGroups, resources }) =>
      apiGroups.flatMap((group) =>
        resources.map((one) => ({ group, resource: one.split('/')[0] ?? one }) satisfies Writable),
      ),
    );
  return [...new Map(found.map((one) => [`${one.group}/${one.resource}`, one])).values()];
}

/** The operator's ClusterRole and Role as a template of the chart. */
export function operatorRoleFile(rules: OperatorRules): GeneratedFile {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const labels = { 'app.kubernetes.io/part-of': 'nexusos' };
  const name = 'nexusos:operator';
  const namespace = 'PLATFORM_NAMESPACE';
  const sources = 'PULL_SECRET_NAMESPACE';
  const reader = { name: `${name}-pull-secrets`, namespace: sources, labels };
  const roles = [
    { apiVersion, kind: 'ClusterRole', metadata: { name, labels }, rules: rules.cluster },
    { apiVersion, kind: 'Role', metadata: { name, namespace, labels }, rules: rules.platform },
    { apiVersion, kind: 'Role', metadata: reader, rules: rules.pullSecrets },
  ];
  return {
    path: 'charts/nexusos/templates/generated/operator-role.yaml',
    text: toTemplate(roles, {
      source: 'the rbac and watches of operator/controllers',
      placeholders: {
        [namespace]: '{{ .Release.Namespace }}',
        [sources]: '{{ include "nexusos.pullSecretNamespace" . }}',
      },
    }),
  };
}

/** What it may do with the kinds of Kueue as a template of the chart, with its binding: on clusters without, there is none. */
export function kueueRoleFile(rules: OperatorRules): GeneratedFile {
  const apiGroup = 'rbac.authorization.k8s.io';
  const apiVersion = `${apiGroup}/v1`;
  const metadata = { name: 'nexusos:operator-kueue', labels: { 'app.kubernetes.io/part-of': 'nexusos' } };
  const account = {
    kind: 'ServiceAccount',
    name: 'OPERATOR_SERVICE_ACCOUNT',
    namespace: 'PLATFORM_NAMESPACE',
  };
  const roleRef = { apiGroup, kind: 'ClusterRole', name: metadata.name };
  const objects = [
    { apiVersion, kind: 'ClusterRole', metadata, rules: rules.kueue },
    { apiVersion, kind: 'ClusterRoleBinding', metadata, roleRef, subjects: [account] },
  ];
  return {
    path: 'charts/nexusos/templates/generated/operator-role-kueue.yaml',
    text: toTemplate(objects, {
      source: 'the rbac and watches of operator/controllers',
      condition: 'ne (include "nexusos.kueueMode" .) "Off"',
      placeholders: {
        [account.namespace]: '{{ .Release.Namespace }}',
        [account.name]: '{{ .Values.serviceAccount.name }}',
      },
    }),
  };
}

function isOfKueue({ apiGroups }: PolicyRule): boolean {
  return apiGroups.includes(KUEUE_GROUP);
}

function ownKindRules({ resource, finalizer, finalizesOnly, onlyReads }: RoleSource): readonly PolicyRule[] {
  const apiGroups = [groupOf(resource)];
  const status = { apiGroups, resources: [`${resource.plural}/status`], verbs: ['update'] };
  const finalizers = { apiGroups, resources: [resource.plural], verbs: ['patch'] };
  return [
    readRule(resource),
    ...(finalizesOnly === true || onlyReads === true ? [] : [status]),
    ...(finalizer === undefined ? [] : [finalizers]),
  ];
}

function readRule(resource: RoleSource['resource']): PolicyRule {
  return { apiGroups: [groupOf(resource)], resources: [resource.plural], verbs: READ };
}

/** What is watched by its name is readable by that name alone: the API server takes the selector for it. */
function readRuleOf({ resource, fieldSelector = '' }: RoleSource['watches'][number]): PolicyRule {
  const name = /^metadata\.name=([^,=]+)$/.exec(fieldSelector)?.[1];
  return { ...readRule(resource), ...(name !== undefined && { resourceNames: [name] }) };
}

/** Handing out a role that one does not hold oneself is `bind`, and is limited to these by name. */
function bindRule(resourceNames: readonly string[]): PolicyRule {
  return {
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['clusterroles'],
    verbs: ['bind'],
    resourceNames,
  };
}

function groupOf({ apiVersion }: RoleSource['resource']): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}
