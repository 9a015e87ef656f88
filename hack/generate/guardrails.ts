// SPDX-License-Identifier: Apache-2.0
import { authorMutation } from '#operator/core/guardrails/authors';
import { podFieldsMutation } from '#operator/core/guardrails/pod-fields';
import { guardrails, kueueGuardrails } from '#operator/core/guardrails/guardrails';
import type { GuardrailSettings, Writable } from '#operator/core/guardrails/policy';
import type { KubeObject } from '#operator/core/object';
import { PULL_SECRET_WRITER, tenantClusterRoles } from '#operator/core/tenant/roles';
import type { PolicyRule } from '#operator/runtime/controller';
import type { GeneratedFile } from './file.ts';
import { writableBy } from './operator-role.ts';
import { currentOperatorRules } from './roles.ts';
import { toTemplate } from './template.ts';

const SERVICE_ACCOUNT = 'OPERATOR_SERVICE_ACCOUNT';
const NAMESPACE = 'PLATFORM_NAMESPACE';
const ADMIN_GROUPS = 'PLATFORM_ADMIN_GROUPS';
const REMOTE_IMAGE = 'REMOTE_IMAGE';
const NODE_KEYS = 'RESERVED_NODE_KEYS';
const KUEUE_USER = 'KUEUE_USER';
const WEBHOOK_SECRET = 'WEBHOOK_SECRET';
const WEBHOOK_USER = 'WEBHOOK_USER';

/** What the operator may write in some namespace: by its ClusterRole, and by the role that it binds to itself. */
export function operatorWrites(): readonly Writable[] {
  const copier = tenantClusterRoles().find(({ metadata }) => metadata.name === PULL_SECRET_WRITER);
  const { cluster, kueue } = currentOperatorRules();
  return writableBy([...cluster, ...kueue, ...((copier?.['rules'] ?? []) as readonly PolicyRule[])]);
}

const LABELS = { 'app.kubernetes.io/part-of': 'nexusos' };

/** What fills in who did something, where the API server knows how to: what refuses false names are guardrails. */
export function mutationFile(): GeneratedFile {
  const objects = labelled([...authorMutation(), ...podFieldsMutation(settings())]);
  return {
    path: 'charts/nexusos/templates/generated/mutations.yaml',
    text: toTemplate(objects, {
      source: 'operator/core/guardrails',
      placeholders: OPERATOR,
      condition: '.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"',
    }),
  };
}

/** Stand-ins for what each release chooses. */
function settings(): GuardrailSettings {
  return {
    operatorUser: `system:serviceaccount:${NAMESPACE}:${SERVICE_ACCOUNT}`,
    platformNamespace: NAMESPACE,
    platformAdminGroups: [ADMIN_GROUPS],
    reservedNodeKeys: [NODE_KEYS],
    kueueUser: KUEUE_USER,
    remoteImage: REMOTE_IMAGE,
    webhookSecret: WEBHOOK_SECRET,
    webhookUser: WEBHOOK_USER,
    operatorWrites: operatorWrites(),
  };
}

const OPERATOR = {
  [NAMESPACE]: '{{ .Release.Namespace }}',
  [SERVICE_ACCOUNT]: '{{ .Values.serviceAccount.name }}',
};

const PLACEHOLDERS = {
  ...OPERATOR,
  // With its quotes: one string becomes a list of them.
  [`'${ADMIN_GROUPS}'`]: '{{ include "nexusos.strings" .Values.platform.adminGroups }}',
  [KUEUE_USER]: '{{ include "nexusos.kueueUser" . }}',
};

/** The guardrails as a template of the chart, for the namespace, ServiceAccount and groups of each release. */
export function guardrailFile(): GeneratedFile {
  return {
    path: 'charts/nexusos/templates/generated/guardrails.yaml',
    text: toTemplate(labelled(guardrails(settings())), {
      source: 'operator/core/guardrails',
      placeholders: {
        ...PLACEHOLDERS,
        [WEBHOOK_USER]: '{{ include "nexusos.webhookUser" . }}',
        [WEBHOOK_SECRET]: '{{ .Values.webhooks.certificates.secretName }}',
        [REMOTE_IMAGE]: '{{ include "nexusos.remoteImage" . }}',
        [`'${NODE_KEYS}'`]: '{{ include "nexusos.strings" .Values.platform.reservedNodeKeys }}',
      },
    }),
  };
}

/** Those of Kueue's kinds, only where Kueue is to decide on capacity: elsewhere it is nobody's business who uses it. */
export function kueueGuardrailFile(): GeneratedFile {
  return {
    path: 'charts/nexusos/templates/generated/guardrails-kueue.yaml',
    text: toTemplate(labelled(kueueGuardrails(settings())), {
      source: 'operator/core/guardrails',
      condition: 'ne (include "nexusos.kueueMode" .) "Off"',
      placeholders: PLACEHOLDERS,
    }),
  };
}

function labelled(objects: readonly KubeObject[]): readonly KubeObject[] {
  return objects.map((object) => ({
    ...object,
    metadata: {
      ...object.metadata,
      labels: { ...object.metadata.labels, ...LABELS },
    },
  }));
}
