// SPDX-License-Identifier: Apache-2.0
import { PULL_SECRET_BINDING } from '../tenant/pull-secrets.ts';
import { CALLER_PREFIX } from '../agent/caller.ts';
import { clusterRoleName, OWNER_ROLES, RUN_CALLER } from '../tenant/roles.ts';
import { type Guardrail, listParameter, quote, quoteAll } from './policy.ts';

/** Names of the RoleBindings that NexusOS makes. */
export const ROLE_BINDING_NAMES: readonly string[] = [
  ...OWNER_ROLES.map((role) => `nexusos-${role}`),
  PULL_SECRET_BINDING,
];

/**
 * Bounds the RoleBindings that tenants write: access is given to named people and to ServiceAccounts of the tenant, never
 * to everybody, and only by roles of the tenant. Those by which containers call others have names that tenants cannot give.
 */
export function roleBindingGuardrail(): Guardrail {
  const roles = OWNER_ROLES.map(clusterRoleName);
  const isOwnAccounts = "variables.namespaces.exists(n, s.name == 'system:serviceaccounts:' + n)";
  const isStranger = [
    "(s.kind == 'ServiceAccount' && has(s.namespace) && s.namespace != '' && !(s.namespace in variables.namespaces))",
    "(s.kind == 'User' && s.name.startsWith('system:'))",
    `(s.kind == 'Group' && s.name.startsWith('system:') && !(${isOwnAccounts}))`,
  ].join(' || ');
  return {
    name: 'rolebindings',
    match: [
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['rolebindings'],
        operations: ['CREATE', 'UPDATE'],
      },
    ],
    exceptNames: ROLE_BINDING_NAMES,
    binds: 'tenant',
    variables: {
      namespaces: listParameter('namespaces'),
      subjects: '(has(object.subjects) ? object.subjects : [])',
    },
    rules: [
      {
        field: 'subjects',
        holds: `variables.subjects.all(s, !(${isStranger}))`,
        found: `variables.subjects.filter(s, ${isStranger}).map(s, s.kind + ' ' + (has(s.namespace) && s.namespace != '' ? s.namespace + '/' : '') + s.name).join(', ')`,
        allowed:
          "'users and groups that do not start with system:, and ServiceAccounts of ' + variables.namespaces.join(', ')",
      },
      {
        field: 'roleRef',
        holds: `object.roleRef.kind == 'Role' || object.roleRef.name in ${quoteAll(roles)} || (object.roleRef.name == ${quote(RUN_CALLER)} && object.metadata.name.startsWith(${quote(CALLER_PREFIX)}))`,
        found: "object.roleRef.kind + ' ' + object.roleRef.name",
        allowed: quote(`a Role, or one of the ClusterRoles ${roles.join(', ')}`),
      },
    ],
  };
}
