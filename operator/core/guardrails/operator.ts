// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, FINALIZERS, GROUP, LABELS } from '#crds/v1alpha1/names';
import { CALLER_PREFIX } from '../agent/caller.ts';
import { SIGNING_SECRET, VERDICT_KEYS } from '../images/works.ts';
import { CHUNK_PREFIX } from '../policy-pack/revision.ts';
import { clusterRoleName, OWNER_ROLES, PULL_SECRET_WRITER, RUN_CALLER } from '../tenant/roles.ts';
import { annotationOf, isManaged, isUnchanged, labelOf, labelsOf } from './marks.ts';
import { UNJUDGED } from './ownership.ts';
import {
  type Cel,
  type Guardrail,
  type GuardrailSettings,
  type Match,
  quote,
  quoteAll,
  type Rule,
  type Writable,
} from './policy.ts';

const POD_SECURITY = 'pod-security.kubernetes.io/enforce';

/**
 * Bounds the operator itself. RBAC knows no "in the namespaces of tenants", so its ClusterRole reaches further than its
 * work does; these policies take back the rest, from it and from whomever its token falls to.
 */
export function operatorGuardrails(settings: GuardrailSettings): readonly Guardrail[] {
  const conditions = { operator: `request.userInfo.username == ${quote(settings.operatorUser)}` };
  return [
    elsewhereGuardrail(settings),
    bindingsGuardrail(settings),
    namespacesGuardrail(settings),
    clusterRolesGuardrail(),
    tenantsGuardrail(),
    podsGuardrail(),
  ].map((one) => ({ ...one, conditions }));
}

type Bounds = Omit<Guardrail, 'conditions'>;

/**
 * What it writes outside of tenants. A policy costs the API server time for each request that it matches, whoever sends
 * it: so it names only what the operator's roles let it write, and is bound to the namespaces where it seldom does.
 */
function elsewhereGuardrail({ operatorWrites, platformNamespace, webhookSecret }: GuardrailSettings): Bounds {
  return {
    name: 'operator-objects',
    binds: 'elsewhere',
    match: [...byGroup(operatorWrites.filter((one) => !isFreeElsewhere(one))), ...MADE_FOR_OTHERS],
    except: UNJUDGED,
    variables: {
      // What it made goes with, or after, the mark of a namespace that is released; pods of Runs when it lets go of them.
      isRemoval: `(request.operation == 'DELETE' || (${IS_LEAVING})) && oldObject != null && ${isManaged('oldObject')}`,
      // What it keeps for itself, and for the admission process.
      isOfPlatform: `request.namespace == ${quote(platformNamespace)} && (${ofPlatform(webhookSecret)})`,
    },
    rules: [
      {
        field: 'metadata.namespace',
        holds: 'variables.isRemoval || variables.isOfPlatform',
        found: "request.namespace + ', for ' + request.resource.resource",
        allowed: quote(
          'namespaces of tenants; elsewhere Events, status, removal of its own, modules of packs, and its certificates',
        ),
      },
    ],
  };
}

/** What it writes in the platform namespace, by resource and name: one line for each. */
function ofPlatform(webhookSecret: string | undefined): Cel {
  const certificate = `request.resource.resource == 'secrets' && request.operation != 'DELETE' && object.metadata.name == ${quote(webhookSecret ?? '')}`;
  return [
    ...(webhookSecret === undefined ? [] : [certificate]),
    `request.resource.resource == 'configmaps' && request.name.startsWith(${quote(CHUNK_PREFIX)}) && request.operation != 'UPDATE'`,
    "request.resource.resource == 'policypackrevisions'",
    `request.resource.resource == 'secrets' && request.operation != 'DELETE' && object.metadata.name == ${quote(SIGNING_SECRET)}`,
    `request.resource.resource == 'configmaps' && request.operation != 'DELETE' && object.metadata.name == ${quote(VERDICT_KEYS)}`,
  ]
    .map((one) => `(${one})`)
    .join(' || ');
}

/** Another policy sees to it that nothing of a pod is changed but its finalizers. */
const IS_LEAVING: Cel = "request.operation == 'UPDATE' && request.resource.resource == 'pods'";

/** Agents have revisions, and their schedules start Runs, where tenants are; packs have revisions there and where the platform is. */
const MADE_FOR_OTHERS: readonly Match[] = [
  {
    apiGroups: [GROUP],
    resources: ['agentrevisions', 'policypackrevisions', 'runs'],
    operations: ['CREATE'],
    scope: 'Namespaced',
  },
  { apiGroups: [GROUP], resources: ['agentrevisions'], operations: ['UPDATE'], scope: 'Namespaced' },
];

/** Events are told about any object, and Agents and Runs outside of tenants are told that they are. Of policies none is ever asked about: what they may be called is in the role. */
function isFreeElsewhere({ group, resource }: Writable): boolean {
  return group === GROUP || group === 'admissionregistration.k8s.io' || resource === 'events';
}

function byGroup(writes: readonly Writable[]): readonly Match[] {
  const groups = [...new Set(writes.map(({ group }) => group))].toSorted();
  return groups.map((group) => {
    const resources = writes.filter((one) => one.group === group).map(({ resource }) => resource);
    return {
      apiGroups: [group],
      resources: [...new Set(resources)].toSorted().flatMap((one) => [one, `${one}/*`]),
      operations: ['CREATE', 'UPDATE', 'DELETE'],
      scope: 'Namespaced',
    };
  });
}

/** Which roles it hands out, and to whom. */
function bindingsGuardrail({ operatorUser }: GuardrailSettings): Bounds {
  const roles = [...OWNER_ROLES.map(clusterRoleName), PULL_SECRET_WRITER, RUN_CALLER];
  const isOperator = `s.kind == 'ServiceAccount' && 'system:serviceaccount:' + (has(s.namespace) ? s.namespace : '') + ':' + s.name == ${quote(operatorUser)}`;
  const isCaller = `s.kind == 'ServiceAccount' && has(s.namespace) && s.namespace == request.namespace && s.name == object.metadata.name && s.name.startsWith(${quote(CALLER_PREFIX)})`;
  const subjects = '(has(object.subjects) ? object.subjects : [])';
  const rules: readonly Rule[] = [
    {
      field: 'roleRef',
      holds: `object.roleRef.kind == 'ClusterRole' && object.roleRef.name in ${quoteAll(roles)}`,
      found: "object.roleRef.kind + ' ' + object.roleRef.name",
      allowed: quote(`the ClusterRoles ${roles.join(', ')}`),
    },
    {
      field: 'subjects',
      holds: `object.roleRef.name != ${quote(PULL_SECRET_WRITER)} || ${subjects}.all(s, ${isOperator})`,
      found: `${subjects}.filter(s, !(${isOperator})).map(s, s.kind + ' ' + (has(s.namespace) ? s.namespace + '/' : '') + s.name).join(', ')`,
      allowed: quote(`${operatorUser} alone, for ${PULL_SECRET_WRITER}`),
    },
    {
      field: 'subjects',
      holds: `object.roleRef.name != ${quote(RUN_CALLER)} || ${subjects}.all(s, ${isCaller})`,
      found: `${subjects}.filter(s, !(${isCaller})).map(s, s.kind + ' ' + (has(s.namespace) ? s.namespace + '/' : '') + s.name).join(', ')`,
      allowed: quote(
        `the ServiceAccount ${CALLER_PREFIX}<agent> of the same name and namespace alone, for ${RUN_CALLER}`,
      ),
    },
  ];
  return {
    name: 'operator-bindings',
    binds: 'cluster',
    match: [
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['rolebindings'],
        operations: ['CREATE', 'UPDATE'],
        scope: 'Namespaced',
      },
    ],
    rules,
  };
}

/** Which namespaces it makes its own: new ones, and those whose owner consented. */
function namespacesGuardrail({ platformNamespace }: GuardrailSettings): Bounds {
  const name = '(object != null ? object.metadata.name : oldObject.metadata.name)';
  const kept = quoteAll(['default', platformNamespace]);
  return {
    name: 'operator-namespaces',
    binds: 'cluster',
    match: [
      {
        apiGroups: [''],
        resources: ['namespaces', 'namespaces/*'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Cluster',
      },
    ],
    variables: {
      label: labelOf('object', LABELS.tenant),
      oldLabel: labelOf('oldObject', LABELS.tenant),
      uid: annotationOf('object', ANNOTATIONS.tenantUid),
      oldUid: annotationOf('oldObject', ANNOTATIONS.tenantUid),
      consent: annotationOf('oldObject', ANNOTATIONS.adoptInto),
      podSecurity: labelOf('object', POD_SECURITY),
      podSecurityVersion: labelOf('object', `${POD_SECURITY}-version`),
    },
    rules: [
      {
        field: 'metadata.name',
        holds: `!(${name}.startsWith('kube-') || ${name} in ${kept})`,
        found: name,
        allowed: quote('namespaces of tenants, never those of Kubernetes or of the platform'),
      },
      {
        field: 'metadata',
        holds: `request.operation == 'CREATE' ? (variables.label != '' && variables.uid != '') : (${MAY_CHANGE})`,
        found: `${quote('a namespace that is not of a tenant, ')} + ${name}`,
        allowed: quote(
          `namespaces with ${LABELS.tenant} and ${ANNOTATIONS.tenantUid}, or with the consent ${ANNOTATIONS.adoptInto}`,
        ),
      },
      {
        field: `metadata.labels["${POD_SECURITY}"]`,
        holds:
          "request.operation == 'DELETE' || variables.label == '' || (variables.podSecurity in ['baseline', 'restricted'] && variables.podSecurityVersion == 'latest')",
        found:
          "variables.podSecurity == '' ? 'none' : variables.podSecurity + ', version ' + variables.podSecurityVersion",
        allowed: quote(
          'baseline or restricted, version latest: no namespace of a tenant is open to privileged pods',
        ),
      },
    ],
  };
}

/** Kept or put right, adopted with consent, released, or deleted. */
const MAY_CHANGE: Cel = [
  "variables.oldUid != '' && variables.uid == variables.oldUid",
  "variables.label != '' && variables.label == variables.consent && (variables.oldLabel == '' || variables.oldLabel == variables.label)",
  `variables.label == '' && variables.uid == '' && (variables.oldUid != '' || variables.oldLabel != '' || ${isManaged('oldObject')})`,
]
  .map((one) => `(${one})`)
  .join(' || ');

/** Roles of the cluster: those by which owners read their own Tenant. */
function clusterRolesGuardrail(): Bounds {
  const prefix = 'nexusos:tenant:';
  const name = '(object != null ? object.metadata.name : oldObject.metadata.name)';
  const more = "object.rules.filter(r, !r.verbs.all(v, v in ['get', 'list', 'watch']))";
  return {
    name: 'operator-clusterroles',
    binds: 'cluster',
    match: [
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['clusterroles', 'clusterrolebindings'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Cluster',
      },
    ],
    rules: [
      {
        field: 'metadata.name',
        holds: `${name}.startsWith(${quote(prefix)})`,
        found: name,
        allowed: quote(`names that start with ${prefix}`),
      },
      {
        field: 'rules[*].verbs',
        holds: `object == null || !has(object.rules) || size(${more}) == 0`,
        found: `${more}.map(r, r.verbs.join(', ')).join(', ')`,
        allowed: quote('get, list and watch'),
      },
      {
        field: 'roleRef',
        holds: 'object == null || !has(object.roleRef) || object.roleRef.name == object.metadata.name',
        found: 'object.roleRef.name',
        allowed: quote('the ClusterRole of the same name'),
      },
    ],
  };
}

/** A Tenant says who its owners are and what may be deleted: people write that. The operator puts its finalizer on, and takes it off. */
function tenantsGuardrail(): Bounds {
  return {
    name: 'operator-tenants',
    binds: 'cluster',
    match: [{ apiGroups: [GROUP], resources: ['tenants'], operations: ['UPDATE'], scope: 'Cluster' }],
    rules: ['spec', 'metadata.annotations'].map((field) => ({
      field,
      holds: isUnchanged(field),
      found: "'a change of Tenant ' + oldObject.metadata.name",
      allowed: quote('finalizers and status'),
    })),
  };
}

/** Finalizers of a pod, also of one that has none. */
function finalizersOf(object: Cel): Cel {
  return `(has(${object}.metadata.finalizers) ? ${object}.metadata.finalizers : [])`;
}

/** A pod is made once; afterwards the operator only lets go of it, by the finalizer of its own, and ends what it made. */
function podsGuardrail(): Bounds {
  const [is, was] = [finalizersOf('object'), finalizersOf('oldObject')];
  const other = `(${was}.filter(f, !(f in ${is}) && f != ${quote(FINALIZERS.pod)}) + ${is}.filter(f, !(f in ${was})))`;
  const isOfRun = `${quote(LABELS.runUid)} in ${labelsOf('oldObject')}`;
  return {
    name: 'operator-pods',
    binds: 'cluster',
    match: [{ apiGroups: [''], resources: ['pods'], operations: ['UPDATE', 'DELETE'], scope: 'Namespaced' }],
    rules: [
      ...['spec', 'metadata.labels', 'metadata.annotations', 'metadata.ownerReferences'].map((field) => ({
        field,
        holds: `request.operation == 'DELETE' || (${isUnchanged(field)})`,
        found: "'a change of pod ' + oldObject.metadata.name",
        allowed: quote('finalizers'),
      })),
      {
        field: 'metadata.finalizers',
        holds: `request.operation == 'DELETE' || size(${other}) == 0`,
        found: `${other}.join(', ')`,
        allowed: quote(`removal of ${FINALIZERS.pod}`),
      },
      {
        field: 'metadata.labels',
        holds: `request.operation != 'DELETE' || (${isManaged('oldObject')} || ${isOfRun})`,
        found: "'pod ' + oldObject.metadata.name",
        allowed: quote('deletion of pods that it made'),
      },
    ],
  };
}
