{{/* What names begin with. */}}
{{- define "posthouse.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "posthouse.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* What finds the pods of a role; of all roles without one. */}}
{{- define "posthouse.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .role }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "posthouse.labels" -}}
{{ include "posthouse.selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* The ports of a role, by name. The one where it answers /healthz, /readyz and /metrics is `probe`. */}}
{{- define "posthouse.ports" -}}
{{- if eq . "api" -}}
http: 5005
probe: 5008
board: 5010
{{- else if eq . "worker" -}}
probe: 5006
{{- else if eq . "scheduler" -}}
probe: 5007
{{- else if eq . "ingest" -}}
probe: 5009
{{- else if eq . "egress" -}}
proxy: 4750
probe: 4751
{{- end -}}
{{- end -}}

{{/* Variables of everything that uses PostgreSQL. */}}
{{- define "posthouse.databaseEnv" -}}
- name: POSTHOUSE_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.database.existingSecret | quote }}, key: {{ .Values.database.key | quote }}}}
{{- with .Values.secretsKey }}
{{- if .existingSecret }}
- name: POSTHOUSE_SECRETS_KEY
  valueFrom: {secretKeyRef: {name: {{ .existingSecret | quote }}, key: {{ .key | quote }}}}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where certificates are mounted, and from where. */}}
{{- define "posthouse.tlsMount" -}}
{{- if .Values.tls.existingSecret }}
volumeMounts:
  - {name: tls, mountPath: /etc/posthouse/tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "posthouse.tlsVolume" -}}
{{- with .Values.tls.existingSecret }}
volumes:
  - {name: tls, secret: {secretName: {{ . | quote }}}}
{{- end }}
{{- end -}}

{{/* The variables of a role: its settings, and what `env` adds. */}}
{{- define "posthouse.env" -}}
{{- $values := .root.Values -}}
{{- $role := .role -}}
- {name: POSTHOUSE_LOG_FORMAT, value: {{ $values.log.format | quote }}}
- {name: POSTHOUSE_LOG_LEVEL, value: {{ $values.log.level | quote }}}
- {name: POSTHOUSE_DRAIN_TIMEOUT, value: "{{ int $values.drainSeconds }}s"}
{{- with $values.traces.endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- if ne $role "egress" }}
{{ include "posthouse.databaseEnv" .root }}
- {name: POSTHOUSE_DATABASE_POOL_MAX, value: "{{ int $values.database.poolMax }}"}
- name: POSTHOUSE_REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ $values.redis.existingSecret | quote }}, key: {{ $values.redis.key | quote }}}}
- {name: POSTHOUSE_REDIS_PREFIX, value: {{ $values.redis.prefix | quote }}}
{{- range $variable, $file := dict "POSTHOUSE_REDIS_CA_FILE" $values.redis.caFile "POSTHOUSE_REDIS_TLS_CERT" $values.redis.tlsCert "POSTHOUSE_REDIS_TLS_KEY" $values.redis.tlsKey }}
{{- if $file }}
- {name: {{ $variable }}, value: "/etc/posthouse/tls/{{ $file }}"}
{{- end }}
{{- end }}
{{- end }}
{{- if has $role (list "api" "worker") }}
- {name: POSTHOUSE_EGRESS_URL, value: "http://{{ include "posthouse.name" .root }}-egress:4750"}
{{- end }}
{{- if eq $role "api" }}
- {name: POSTHOUSE_API_LISTEN, value: "0.0.0.0:5005"}
- {name: POSTHOUSE_API_PROBE_LISTEN, value: "0.0.0.0:5008"}
- {name: POSTHOUSE_BOARD_LISTEN, value: "0.0.0.0:5010"}
- {name: POSTHOUSE_API_SIGN_UP, value: {{ $values.api.signUp | quote }}}
{{- with $values.publicUrl }}
- {name: POSTHOUSE_PUBLIC_URL, value: {{ . | quote }}}
{{- end }}
{{- with $values.api.board.url }}
- {name: POSTHOUSE_BOARD_URL, value: {{ . | quote }}}
{{- end }}
{{- else if eq $role "worker" }}
- {name: POSTHOUSE_WORKER_LISTEN, value: "0.0.0.0:5006"}
{{- if $values.smtp.existingSecret }}
- name: POSTHOUSE_SMTP_URL
  valueFrom: {secretKeyRef: {name: {{ $values.smtp.existingSecret | quote }}, key: {{ $values.smtp.key | quote }}}}
- {name: POSTHOUSE_SMTP_FROM, value: {{ $values.smtp.from | quote }}}
{{- end }}
{{- else if eq $role "scheduler" }}
- {name: POSTHOUSE_SCHEDULER_LISTEN, value: "0.0.0.0:5007"}
{{- range $variable, $days := dict "POSTHOUSE_RETENTION_DAYS" $values.scheduler.retentionDays "POSTHOUSE_DELIVERIES_RETENTION_DAYS" $values.scheduler.deliveriesRetentionDays "POSTHOUSE_ATTEMPTS_RETENTION_DAYS" $values.scheduler.attemptsRetentionDays "POSTHOUSE_PAYLOAD_RETENTION_DAYS" $values.scheduler.payloadRetentionDays "POSTHOUSE_REJECTED_RETENTION_DAYS" $values.scheduler.rejectedRetentionDays "POSTHOUSE_AUDIT_LOG_RETENTION_DAYS" $values.scheduler.auditLogRetentionDays "POSTHOUSE_DEAD_LETTER_DAYS" $values.scheduler.deadLetterDays }}
{{- if $days }}
- {name: {{ $variable }}, value: "{{ int $days }}"}
{{- end }}
{{- end }}
{{- with $values.backup.place }}
- {name: POSTHOUSE_BACKUP_PLACE, value: {{ . | quote }}}
- {name: POSTHOUSE_BACKUP_KEEP_DAYS, value: "{{ int $values.backup.keepDays }}"}
{{- end }}
{{- else if eq $role "ingest" }}
- {name: POSTHOUSE_INGEST_LISTEN, value: "0.0.0.0:5009"}
{{- else if eq $role "egress" }}
- {name: POSTHOUSE_EGRESS_LISTEN, value: "0.0.0.0:4750"}
- {name: POSTHOUSE_EGRESS_PROBE_LISTEN, value: "0.0.0.0:4751"}
{{- with $values.egress.allow }}
- {name: POSTHOUSE_EGRESS_ALLOW, value: {{ join "," . | quote }}}
{{- end }}
{{- with $values.egress.deny }}
- {name: POSTHOUSE_EGRESS_DENY, value: {{ join "," . | quote }}}
{{- end }}
{{- end }}
{{- range $name, $value := (index $values $role).env }}
{{- /* Helm reads a large number as a float, and would write it with an exponent. */}}
- {name: {{ $name }}, value: {{ kindIs "float64" $value | ternary (int64 $value) $value | quote }}}
{{- end }}
{{- end -}}

{{/* What holds for every pod. */}}
{{- define "posthouse.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* What holds for every container. */}}
{{- define "posthouse.container" -}}
image: {{ include "posthouse.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}
