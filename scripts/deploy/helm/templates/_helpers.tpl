{{- define "rag.labels" -}}
app.kubernetes.io/name: rag
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "rag.selector" -}}
app.kubernetes.io/name: rag
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rag.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What every pod has, whatever it runs. */}}
{{- define "rag.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 45
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
volumes:
  - name: data
    emptyDir:
      sizeLimit: {{ .Values.copies.size }}
  - name: tmp
    emptyDir:
      sizeLimit: 256Mi
  {{- with .Values.documents.claim }}
  - name: docs
    persistentVolumeClaim:
      claimName: {{ . }}
      readOnly: true
  {{- end }}
{{- end }}

{{- define "rag.container" -}}
image: {{ include "rag.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
envFrom:
  - secretRef:
      name: {{ .Values.secret }}
env:
  - name: RAG_DEPOT_URL
    value: {{ required "depot.url names the bucket, such as s3://BUCKET/rag" .Values.depot.url | quote }}
  {{- with .Values.depot.endpoint }}
  - name: RAG_DEPOT_ENDPOINT
    value: {{ . | quote }}
  {{- end }}
  {{- with .Values.depot.region }}
  - name: RAG_DEPOT_REGION
    value: {{ . | quote }}
  {{- end }}
  {{- if .Values.documents.claim }}
  - name: RAG_SERVE_ROOTS
    value: /docs
  {{- end }}
  # The accepted Host names.
  - name: RAG_SERVE_ALLOWED_HOSTS
    value: {{ include "rag.hosts" . | quote }}
  {{- range $name, $value := .Values.settings }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: ["ALL"]
volumeMounts:
  - name: data
    mountPath: /var/lib/rag
  - name: tmp
    mountPath: /tmp
  {{- if .Values.documents.claim }}
  - name: docs
    mountPath: /docs
    readOnly: true
  {{- end }}
{{- end }}

{{- define "rag.probe" -}}
httpGet:
  path: /health/{{ . }}
  port: http
  httpHeaders:
    - name: Host
      value: localhost
{{- end }}

{{- define "rag.hosts" -}}
{{ .Release.Name }},{{ .Release.Name }}.{{ .Release.Namespace }},{{ .Release.Name }}.{{ .Release.Namespace }}.svc
{{- if .Values.ingress.enabled }},{{ .Values.ingress.host }}{{ end }}
{{- end }}
