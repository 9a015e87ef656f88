// SPDX-License-Identifier: Apache-2.0
import { certificateRules } from '#operator/controllers/webhook-certificates';
import type { KubeObject, Resource } from '#operator/core/object';
import type { PolicyRule } from '#operator/runtime/controller';
import { WEBHOOK_PLATFORM_RULES, WEBHOOK_READS, WEBHOOK_READS_BY_NAME } from '#webhooks/access';
import { registrations } from '#webhooks/registrations';
import type { GeneratedFile } from './file.ts';
import { mergeRules } from './rules.ts';
import { toTemplate } from './template.ts';

const READ = ['get', 'list', 'watch'];
const LABELS = { 'app.kubernetes.io/part-of': 'nexusos' };
const RBAC = 'rbac.authorization.k8s.io';
const NAMESPACE = 'PLATFORM_NAMESPACE';
const ACCOUNT = 'WEBHOOK_SERVICE_ACCOUNT';
const SECRET = 'WEBHOOK_SECRET';
const OPERATOR = 'OPERATOR_SERVICE_ACCOUNT';
const ENABLED = '.Values.webhooks.enabled';

/** What the admission process may do: in the whole cluster, and in the platform namespace. */
export function webhookRules(): {
  readonly cluster: readonly PolicyRule[];
  readonly platform: readonly PolicyRule[];
} {
  return {
    cluster: mergeRules([
      ...WEBHOOK_READS.map((resource) => readRule(resource)),
      ...WEBHOOK_READS_BY_NAME.map(({ resource, name }) => readRule(resource, [name])),
    ]),
    platform: mergeRules([
      { apiGroups: [''], resources: ['secrets'], verbs: READ, resourceNames: [SECRET] },
      ...WEBHOOK_PLATFORM_RULES,
    ]),
  };
}

/** The roles of the admission process with their bindings, as a template of the chart. */
export function webhookRoleFile(): GeneratedFile {
  const { cluster, platform } = webhookRules();
  const apiVersion = `${RBAC}/v1`;
  const wide = { name: 'nexusos:webhooks', labels: LABELS };
  const narrow = { ...wide, namespace: NAMESPACE };
  const subjects = [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: NAMESPACE }];
  const refTo = (kind: string) => ({ apiGroup: RBAC, kind, name: wide.name });
  const objects = [
    { apiVersion, kind: 'ClusterRole', metadata: wide, rules: cluster },
    { apiVersion, kind: 'ClusterRoleBinding', metadata: wide, roleRef: refTo('ClusterRole'), subjects },
    { apiVersion, kind: 'Role', metadata: narrow, rules: platform },
    { apiVersion, kind: 'RoleBinding', metadata: narrow, roleRef: refTo('Role'), subjects },
  ];
  return {
    path: 'charts/nexusos/templates/generated/webhook-role.yaml',
    text: toTemplate(objects, {
      source: 'webhooks/access.ts',
      condition: ENABLED,
      placeholders: {
        [NAMESPACE]: '{{ .Release.Namespace }}',
        [ACCOUNT]: '{{ .Values.webhooks.serviceAccount.name }}',
        [SECRET]: '{{ .Values.webhooks.certificates.secretName }}',
      },
    }),
  };
}

/** What the operator may do where it makes the certificate, with the bindings, as a template of the chart. */
export function certificateRoleFile(): GeneratedFile {
  const { cluster, platform } = certificateRules(SECRET);
  const apiVersion = `${RBAC}/v1`;
  const wide = { name: 'nexusos:operator-webhook-certificates', labels: LABELS };
  const narrow = { ...wide, namespace: NAMESPACE };
  const subjects = [{ kind: 'ServiceAccount', name: OPERATOR, namespace: NAMESPACE }];
  const refTo = (kind: string) => ({ apiGroup: RBAC, kind, name: wide.name });
  const objects = [
    { apiVersion, kind: 'ClusterRole', metadata: wide, rules: mergeRules(cluster) },
    { apiVersion, kind: 'ClusterRoleBinding', metadata: wide, roleRef: refTo('ClusterRole'), subjects },
    { apiVersion, kind: 'Role', metadata: narrow, rules: mergeRules(platform) },
    { apiVersion, kind: 'RoleBinding', metadata: narrow, roleRef: refTo('Role'), subjects },
  ];
  return {
    path: 'charts/nexusos/templates/generated/operator-role-webhook-certificates.yaml',
    text: toTemplate(objects, {
      source: 'operator/controllers/webhook-certificates.ts',
      condition: 'eq (include "nexusos.ownCertificates" .) "Own"',
      placeholders: {
        [NAMESPACE]: '{{ .Release.Namespace }}',
        [OPERATOR]: '{{ .Values.serviceAccount.name }}',
        [SECRET]: '{{ .Values.webhooks.certificates.secretName }}',
      },
    }),
  };
}

/** The webhook configurations, as templates of the chart: what is filled in is asked for only where that is wanted. */
export function registrationFiles(): readonly GeneratedFile[] {
  const [validating, mutating] = registrations({
    operatorUser: `system:serviceaccount:${NAMESPACE}:${OPERATOR}`,
    platformNamespace: NAMESPACE,
    breakGlassGroups: 'BREAK_GLASS_GROUPS',
    client: (path) => `CLIENT_OF_${path}`,
    timeoutSeconds: 'TIMEOUT_SECONDS',
    foreign: [{ group: 'FOREIGN_GROUP', plural: 'FOREIGN_PLURAL' }],
  });
  return [
    registrationFile('webhooks-validating', validating, ['/validate']),
    registrationFile('webhooks-mutating', mutating, ['/mutate']),
  ];
}

/** The rule for a kind of others, which is the last, becomes one for each that the values name. */
const FOREIGN = {
  '      - apiGroups:\n          - FOREIGN_GROUP\n':
    '      {{- range .Values.webhooks.policy.resources }}\n      - apiGroups:\n          - {{ first (splitList "/" .apiVersion) | quote }}\n',
  '        scope: Namespaced\n    namespaceSelector:':
    '        scope: Namespaced\n      {{- end }}\n    namespaceSelector:',
};

function registrationFile(
  name: string,
  object: KubeObject | undefined,
  paths: readonly string[],
): GeneratedFile {
  if (object === undefined) throw new Error(`there is no registration for ${name}`);
  const annotations = { INJECTED: 'INJECTED' };
  const clients = paths.map((path) => [
    `CLIENT_OF_${path}`,
    `{{- include "nexusos.webhookClient" (dict "root" . "path" "${path}") | nindent 6 }}`,
  ]);
  const isMutating = name === 'webhooks-mutating';
  return {
    path: `charts/nexusos/templates/generated/${name}.yaml`,
    text: toTemplate([{ ...object, metadata: { ...object.metadata, labels: LABELS, annotations } }], {
      source: 'webhooks/registrations.ts',
      condition: isMutating ? `and ${ENABLED} .Values.webhooks.mutation.enabled` : ENABLED,
      placeholders: {
        [NAMESPACE]: '{{ .Release.Namespace }}',
        [OPERATOR]: '{{ .Values.serviceAccount.name }}',
        BREAK_GLASS_GROUPS: '[{{ include "nexusos.strings" .Values.webhooks.breakGlassGroups }}]',
        TIMEOUT_SECONDS: '{{ .Values.webhooks.timeoutSeconds }}',
        '    INJECTED: INJECTED\n':
          '    {{- if eq .Values.webhooks.certificates.mode "CertManager" }}\n    cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/nexusos-webhooks\n    {{- end }}\n',
        ...FOREIGN,
        ...(isMutating ? {} : { 'FOREIGN_PLURAL/scale': '{{ printf "%s/scale" .resource | quote }}' }),
        FOREIGN_PLURAL: '{{ .resource | quote }}',
        ...Object.fromEntries(clients),
      },
    }),
  };
}

function readRule({ apiVersion, plural }: Resource, resourceNames?: readonly string[]): PolicyRule {
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
  const rule = { apiGroups: [group], resources: [plural], verbs: READ };
  return resourceNames === undefined ? rule : { ...rule, resourceNames };
}
