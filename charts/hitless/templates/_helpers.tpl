{{- define "hitless.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-hitless" (.Release.Name | trunc 42 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "hitless.clusterName" -}}
{{ printf "%s-%s" (include "hitless.name" .) .Release.Namespace }}
{{- end }}

{{- define "hitless.selector" -}}
app.kubernetes.io/name: hitless
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "hitless.labels" -}}
{{ include "hitless.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "hitless.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{- define "hitless.secret" -}}
{{ .Values.certificate.existingSecret | default (printf "%s-tls" (include "hitless.name" .)) }}
{{- end }}

{{- define "hitless.server" -}}
{{ dict "port" (dig "server" "port" 9443 .Values.config | int) "healthPort" (dig "server" "healthPort" 8080 .Values.config | int) "drainSeconds" (dig "server" "drainSeconds" 10 .Values.config | int) | toJson }}
{{- end }}

{{- /* Whether somebody else makes and renews the pair, and hitless reads it from a Secret. */}}
{{- define "hitless.pairGiven" -}}
{{ if or .Values.certificate.certManager.enabled .Values.certificate.existingSecret }}true{{ end }}
{{- end }}

{{- /* The configuration, with what other values put into it. */}}
{{- define "hitless.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- with .Values.webhook.clientCa -}}
{{- if .secret -}}
{{- $config = mergeOverwrite $config (dict "server" (dict "clientCa" "/etc/hitless-clients/ca.crt" "clientNames" .names)) -}}
{{- end -}}
{{- end -}}
{{- toPrettyJson $config -}}
{{- end }}

{{- define "hitless.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "hitless.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "hitless.meta" -}}
name: {{ include "hitless.name" . }}
namespace: {{ .Release.Namespace }}
labels: {{- include "hitless.labels" . | nindent 2 }}
{{- end }}

{{- /* The webhooks of webhooks.yaml; where only labelled things are protected, each twice: for namespaces with the label, and for objects with it elsewhere. */}}
{{- define "hitless.webhooks" -}}
{{- $webhooks := list -}}
{{- range .Files.Get "webhooks.yaml" | fromYamlArray -}}
{{- if or (eq $.Values.webhook.protect "all") (eq .name "probe.hitless.io") -}}
{{- $webhooks = append $webhooks . -}}
{{- else -}}
{{- $selector := dict "matchLabels" (dict "hitless.io/protect" "true") -}}
{{- $webhooks = append $webhooks (merge (dict "namespaces" "In") .) -}}
{{- /* A Scale has no labels. */ -}}
{{- if ne .name "scale.hitless.io" -}}
{{- $webhooks = append $webhooks (merge (dict "namespaces" "NotIn" "objectSelector" $selector "name" (printf "labelled.%s" .name)) .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $webhooks -}}
{{- end }}
