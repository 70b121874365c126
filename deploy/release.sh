#!/usr/bin/env bash
# Writes compose.digests.yaml: each image of compose.yaml with the digest that its tag has today, and the base image of
# our own. A release is then started with
#     docker compose --file compose.yaml --file compose.digests.yaml up --build --wait
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

digest() { # digest IMAGE: what the registry has under that tag, for all platforms
    docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}' || fail "the registry gave no digest of $1"
}

docker buildx version >/dev/null 2>&1 ||
    fail "make release needs Docker with its buildx plugin on this machine; without it images are named by version alone"

target=${1:-compose.digests.yaml}
python=$(sed -n 's/^ARG PYTHON=//p' deploy/Dockerfile)
base=$python@$(digest "$python")
{
    printf '# Made by make release: what the tags of compose.yaml were when it was made.\nservices:\n'
    # Two lines of compose.yaml belong together: "  NAME:" and "    image: IMAGE". Our own image has no registry.
    awk '/^  [a-z-]+:$/ {name = substr($1, 1, length($1) - 1)} /^    image: / {print name, $2}' compose.yaml |
        while read -r name image; do
            found=$(digest "$image")
            printf '  %s:\n    image: %s@%s\n' "$name" "$image" "$found"
        done
    awk '/^  [a-z-]+:$/ {name = $1} /^    <<: \*/ {print name}' compose.yaml |
        while read -r name; do
            printf '  %s\n    build:\n      args:\n        PYTHON: %s\n' "$name" "$base"
        done
} >"$target.new"
mv "$target.new" "$target"
echo "wrote $target"
