{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* Labels of everything that the chart makes. */}}
{{- define "nexusos.labels" -}}
{{ include "nexusos.selectorLabels" . }}
app.kubernetes.io/part-of: nexusos
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels that the operator's pods are found by. They never change. */}}
{{- define "nexusos.selectorLabels" -}}
app.kubernetes.io/name: nexusos
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{/* The operator's image, by digest where one is given. */}}
{{- define "nexusos.image" -}}
{{- with .Values.operator.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/* The image that speaks to endpoints of remote agents; nothing where there are none. */}}
{{- define "nexusos.remoteImage" -}}
{{- if .Values.remoteAgents.enabled -}}
{{ .Values.remoteAgents.image | default (include "nexusos.image" .) }}
{{- end }}
{{- end }}

{{/* A whole number as a setting; nothing where there is none, as with values of a chart of before (--reuse-values): the default of the program then stands. */}}
{{- define "nexusos.number" -}}
{{- if not (kindIs "invalid" .) }}{{ int . }}{{ end }}
{{- end }}

{{/* A list as the strings of a CEL list. The schema lets no quote through. */}}
{{- define "nexusos.strings" -}}
'{{ join "', '" . }}'
{{- end }}

{{/* Kinds that packs may look at, as the processes read them. */}}
{{- define "nexusos.policyInventory" -}}
{{- $all := list }}
{{- range .Values.platform.policyInventory }}
{{- $scope := ternary "" "cluster:" (dig "namespaced" true .) }}
{{- $all = append $all (printf "%s%s/%s=%s" $scope .apiVersion .resource .kind) }}
{{- end }}
{{- join "," $all }}
{{- end }}

{{/* Kinds of others that packs judge, as the operator reads them. Refuses what the schema cannot say: groups that are not those of others, and kinds that are there twice. */}}
{{- define "nexusos.policyResources" -}}
{{- $kubernetes := list "admissionregistration.k8s.io" "apiextensions.k8s.io" "apiregistration.k8s.io" "authentication.k8s.io" "authorization.k8s.io" "certificates.k8s.io" "coordination.k8s.io" "discovery.k8s.io" "events.k8s.io" "flowcontrol.apiserver.k8s.io" "internal.apiserver.k8s.io" "networking.k8s.io" "node.k8s.io" "rbac.authorization.k8s.io" "resource.k8s.io" "scheduling.k8s.io" "storage.k8s.io" "storagemigration.k8s.io" }}
{{- $all := list }}
{{- $seen := dict }}
{{- range $index, $one := .Values.webhooks.policy.resources }}
{{- $group := first (splitList "/" $one.apiVersion) }}
{{- $at := printf "webhooks.policy.resources[%d]" $index }}
{{- $name := printf "%s.%s" $one.resource $group }}
{{- if or (has $group $kubernetes) (eq $group "nexusos.dev") (hasSuffix ".nexusos.dev" $group) (gt (len $group) 253) }}
{{- fail (printf "%s.apiVersion: found group %s; allowed are groups of CustomResourceDefinitions of others: kinds of Kubernetes and of NexusOS are asked about already, or never" $at $group) }}
{{- end }}
{{- if hasKey $seen $name }}
{{- fail (printf "%s.resource: found %s twice; allowed is each kind once, in one version" $at $name) }}
{{- end }}
{{- $seen = set $seen $name true }}
{{- $all = append $all (printf "%s/%s=%s" $one.apiVersion $one.resource $one.kind) }}
{{- end }}
{{- join "," $all }}
{{- end }}

{{/* Where the operator reads sources of pull secrets. */}}
{{- define "nexusos.pullSecretNamespace" -}}
{{ .Values.platform.pullSecretNamespace | default .Release.Namespace }}
{{- end }}

{{/* Whether Kueue is to decide on capacity: Auto is Off where its kinds are not served, so that nothing is asked for that is not there. */}}
{{- define "nexusos.kueueMode" -}}
{{- $isServed := or (.Capabilities.APIVersions.Has "kueue.x-k8s.io/v1beta2") (.Capabilities.APIVersions.Has "kueue.x-k8s.io/v1beta1") -}}
{{- if and (eq .Values.kueue.mode "Auto") (not $isServed) }}Off{{ else }}{{ .Values.kueue.mode }}{{ end }}
{{- end }}

{{/* User name of Kueue's controller, which guardrails let work on pods of Runs; nobody's where it does not decide. */}}
{{- define "nexusos.kueueUser" -}}
{{- if ne (include "nexusos.kueueMode" .) "Off" -}}
{{- with .Values.kueue.serviceAccount -}}
system:serviceaccount:{{ .namespace }}:{{ .name }}
{{- end }}
{{- end }}
{{- end }}

{{/* Labels that the pods of the admission process are found by. They never change. */}}
{{- define "nexusos.webhookSelectorLabels" -}}
app.kubernetes.io/name: nexusos
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: webhooks
{{- end }}

{{/* Labels of everything that the chart makes for the admission process. */}}
{{- define "nexusos.webhookLabels" -}}
{{ include "nexusos.webhookSelectorLabels" . }}
app.kubernetes.io/part-of: nexusos
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Whether the operator makes the certificate of the admission process. */}}
{{- define "nexusos.ownCertificates" -}}
{{- if and .Values.webhooks.enabled (eq .Values.webhooks.certificates.mode "Own") }}Own{{ else }}Off{{ end }}
{{- end }}

{{/* Whom the API server asks; `root` and `path`. Its caBundle is left to whoever makes the certificate. */}}
{{- define "nexusos.webhookClient" -}}
{{- with .root.Values.webhooks -}}
{{- if .url -}}
url: {{ printf "%s%s" (trimSuffix "/" .url) $.path }}
{{- else -}}
service:
  name: nexusos-webhooks
  namespace: {{ $.root.Release.Namespace }}
  path: {{ $.path }}
  port: 443
{{- end }}
{{- if eq .certificates.mode "Secret" }}
caBundle: {{ required "webhooks.certificates.caBundle is needed with mode Secret" .certificates.caBundle }}
{{- end }}
{{- end }}
{{- end }}

{{/* User name of the admission process, whose word on itself counts; nobody's where there is none. */}}
{{- define "nexusos.webhookUser" -}}
{{- if .Values.webhooks.enabled -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.webhooks.serviceAccount.name }}
{{- end }}
{{- end }}
