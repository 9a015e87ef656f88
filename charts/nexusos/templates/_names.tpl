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

{{/* A list as the strings of a CEL list. The schema lets no quote through. */}}
{{- define "nexusos.strings" -}}
'{{ join "', '" . }}'
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
