#!/bin/sh
# Gives Helm back what it rendered, or fails with what would be denied, before anything is written.
set -eu
manifests=$(mktemp)
trap 'rm -f "$manifests"' EXIT
cat > "$manifests"
# Helm 4 shows nothing of what a post-renderer says; on Linux it is said for it.
if (: >> "/proc/$PPID/fd/2") 2> /dev/null; then exec 2>> "/proc/$PPID/fd/2"; fi
hitless check --cluster --as helm --namespace "${HELM_NAMESPACE:-default}" "$@" - < "$manifests" >&2
cat "$manifests"
