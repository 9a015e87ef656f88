// SPDX-License-Identifier: Apache-2.0
import { ANNOTATIONS, GROUP, LABELS } from '#crds/v1alpha1/names';
import { clusterRoleName, OWNER_ROLES, PULL_SECRET_WRITER } from '../tenant/roles.ts';
import { annotationOf, isManaged, labelsOf } from './marks.ts';
import { type Cel, type Guardrail, type GuardrailSettings, quote, quoteAll, type Rule } from './policy.ts';

const TENANT = quote(LABELS.tenant);

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
  ].map((one) => ({ ...one, conditions }));
}

type Bounds = Omit<Guardrail, 'conditions'>;

/**
 * What it writes outside of tenants. Bound to those namespaces by a selector, since nearly all of its writes are in the others,
 * and a policy that is evaluated for each of them costs the API server a tenth of its time.
 */
function elsewhereGuardrail(settings: GuardrailSettings): Bounds {
  const { platformNamespace } = settings;
  return {
    name: 'operator-objects',
    binds: 'elsewhere',
    match: [
      {
        apiGroups: ['*'],
        resources: ['*/*'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
        scope: 'Namespaced',
      },
    ],
    variables: {
      isLease: `request.namespace == ${quote(platformNamespace)} && request.resource.group == 'coordination.k8s.io' && request.resource.resource == 'leases'`,
      isEvent: `request.resource.group in ['', 'events.k8s.io'] && request.resource.resource == 'events'`,
      // Agents and Runs outside of tenants are told that they are.
      isOurKind: `request.resource.group == ${quote(GROUP)}`,
      // What it made goes with, or after, the mark of a namespace that is released.
      isRemoval: `request.operation == 'DELETE' && oldObject != null && ${isManaged('oldObject')}`,
    },
    rules: [
      {
        field: 'metadata.namespace',
        holds: 'variables.isLease || variables.isEvent || variables.isOurKind || variables.isRemoval',
        found: "request.namespace + ', for ' + request.resource.resource",
        allowed: quote(
          `namespaces of tenants; elsewhere Events, status, removal of its own, and its Lease in ${platformNamespace}`,
        ),
      },
    ],
  };
}

/** Which roles it hands out, and to whom. */
function bindingsGuardrail({ operatorUser }: GuardrailSettings): Bounds {
  const roles = [...OWNER_ROLES.map(clusterRoleName), PULL_SECRET_WRITER];
  const isOperator = `s.kind == 'ServiceAccount' && 'system:serviceaccount:' + (has(s.namespace) ? s.namespace : '') + ':' + s.name == ${quote(operatorUser)}`;
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
      label: `(${TENANT} in ${labelsOf('object')} ? ${labelsOf('object')}[${TENANT}] : '')`,
      oldLabel: `(${TENANT} in ${labelsOf('oldObject')} ? ${labelsOf('oldObject')}[${TENANT}] : '')`,
      uid: annotationOf('object', ANNOTATIONS.tenantUid),
      oldUid: annotationOf('oldObject', ANNOTATIONS.tenantUid),
      consent: annotationOf('oldObject', ANNOTATIONS.adoptInto),
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
