#!/bin/sh
# generate.sh rewrites the generated files of internal/schema from its .fbs
# files. It needs Go, Node and npm; flatc itself is an npm package, pinned in
# package.json.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
schema=$here/../../internal/schema
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here/package.json" "$here/flatc.mjs" "$work"
(cd "$work" && npm install --no-package-lock --silent)
node "$work/flatc.mjs" "$work/out" "$schema/tflite.fbs" "$schema/conversion_metadata.fbs"
cd "$here" && go run . "$work/out" "$schema"
