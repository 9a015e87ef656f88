// SPDX-License-Identifier: Apache-2.0
import { controllersFor, type PolicyScanning } from '#operator/controllers/index';
import type { Kueue } from '#operator/core/kueue/kueue';
import { tenantClusterRoles } from '#operator/core/tenant/roles';
import type { GeneratedFile } from './file.ts';
import { kueueRoleFile, operatorRoleFile, operatorRules, type OperatorRules } from './operator-role.ts';
import { toTemplate } from './template.ts';

/** For who only wants to know what they may. */
const NO_SCANS: PolicyScanning = {
  reports: {
    ask: () => ({ kind: 'pending', progress: '' }),
    forget: () => undefined,
    onDone: () => undefined,
  },
  scanner: { intervalMs: 0, ask: () => undefined, forget: () => undefined, onDone: () => undefined },
  hasReports: true,
};

/** Everything that needs a permission is in use; which version of Kueue it is, permissions do not tell. */
const KUEUE: Kueue = {
  isServed: true,
  version: 'v1beta2',
  cohort: 'cohort',
  guaranteedPercent: 100,
  flavors: new Map(),
  priorityClasses: new Map(),
};
const SETTINGS = {
  kueue: KUEUE,
  platformNamespace: 'platform',
  pullSecretNamespace: 'pull-secrets',
  operatorServiceAccount: 'operator',
  reservedRanges: [],
};

/** Controllers of the operator, those included that only some clusters have use for; but not what keeps certificates, which needs the webhooks of a chart. */
export function allControllers(): ReturnType<typeof controllersFor>['controllers'] {
  return controllersFor(SETTINGS, undefined, { scans: NO_SCANS }).controllers;
}

/** The operator's permissions, as its controllers state them. */
export function currentOperatorRules(): OperatorRules {
  const { platformNamespace } = SETTINGS;
  const bindable = tenantClusterRoles().map((role) => role.metadata.name);
  return operatorRules(allControllers(), {
    bindable,
    platformNamespace,
  });
}

/** The ClusterRoles of tenants' owners, and the roles of the operator. */
export function roleFiles(): readonly GeneratedFile[] {
  const labels = { 'app.kubernetes.io/part-of': 'nexusos' };
  const tenantRoles = tenantClusterRoles().map((role) => ({
    ...role,
    metadata: { ...role.metadata, labels: { ...role.metadata.labels, ...labels } },
  }));
  return [
    {
      path: 'charts/nexusos/templates/generated/tenant-roles.yaml',
      text: toTemplate(tenantRoles, { source: 'operator/core/tenant/roles.ts' }),
    },
    operatorRoleFile(currentOperatorRules()),
    kueueRoleFile(currentOperatorRules()),
  ];
}
