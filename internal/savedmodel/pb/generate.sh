#!/bin/sh
# Regenerates the Go code of this package's .proto files.
# Needs protoc-gen-go v1.36.11 on PATH, and protoc or a Python ($PYTHON) with grpcio-tools.
set -eu
cd "$(dirname "$0")"
if command -v protoc >/dev/null; then
	protoc=protoc
else
	protoc="${PYTHON:-python3} -m grpc_tools.protoc"
fi
$protoc -Ilitequant/tf=. --go_out=. --go_opt=module=github.com/litequant/litequant/internal/savedmodel/pb \
	litequant/tf/graph.proto litequant/tf/saved_model.proto
