#!/usr/bin/env bash
# Measures training on a GPU and compares it with the CPU and with PyTorch; results in benchmarks/results/cuda.jsonl.
# Needs this checkout with its packages, Linux on x64 and an NVIDIA driver. What the machine lacks may lie beside:
#   TAPESTRY_NODE            the node binary, 24 or newer (default: node)
#   TAPESTRY_CUDA_PROVIDER   folder with libonnxruntime_providers_{shared,cuda}.so of the installed onnxruntime-node's
#                            release; they are copied into the package (default: what is there)
#   TAPESTRY_CUDA_LIBRARIES  folders, separated by colons, with the CUDA and cuDNN libraries that the provider needs;
#                            or the site-packages/nvidia folder of a Python that has them (default: what the loader finds)
#   TAPESTRY_PYTHON          a Python with PyTorch (default: python3; without PyTorch that part is left out)
# Usage: benchmarks/cuda.sh [--dry-run] [--only 1M|10M|30M|124M] [--device cuda:N]
# --dry-run runs every part with a tiny model, and the CPU in the place of the GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
node=${TAPESTRY_NODE:-node}
dry_run=no
for argument in "$@"; do [ "$argument" = --dry-run ] && dry_run=yes; done

if [ -n "${TAPESTRY_CUDA_PROVIDER:-}" ]; then
  binaries=$("$node" -p "require('node:path').dirname(require.resolve('onnxruntime-node/package.json')) + '/bin/napi-v6/linux/x64'")
  for name in shared cuda; do
    # Renamed when whole: a half-written library would end the process that loads it.
    cp "$TAPESTRY_CUDA_PROVIDER/libonnxruntime_providers_$name.so" "$binaries/.$name.part"
    mv "$binaries/.$name.part" "$binaries/libonnxruntime_providers_$name.so"
  done
fi
if [ -n "${TAPESTRY_CUDA_LIBRARIES:-}" ]; then
  folders=$TAPESTRY_CUDA_LIBRARIES
  for folder in ${TAPESTRY_CUDA_LIBRARIES//:/ }; do
    for inner in "$folder"/*/lib; do [ -d "$inner" ] && folders=$folders:$inner; done
  done
  export LD_LIBRARY_PATH=$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi

if ! "$node" src/cli/main.ts doctor --gpu --port 0; then
  [ "$dry_run" = yes ] || { echo 'CUDA cannot be used here, so nothing was measured. --dry-run tries this script out.' >&2; exit 1; }
fi

# Traffic over the bus while training runs: with the state on the device there is next to none between the runs.
monitor=
if [ "$dry_run" = no ] && command -v nvidia-smi >/dev/null; then
  mkdir -p benchmarks/results
  nvidia-smi dmon -s tu -d 1 -o T > benchmarks/results/cuda-traffic.txt 2>&1 &
  monitor=$!
  trap 'kill "$monitor" 2>/dev/null || true' EXIT
fi
"$node" benchmarks/cuda-bench.ts "$@"
