#!/usr/bin/env bash
# Measures what the project promises, in the build that everything else uses; JSON on standard output (docs/bench.md). Arguments go to the
# program: --quick, --long, --only FIGURE. Containers need root: without it they are left out, and said to be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --quiet --package nupeer-bench --package nupeer-cli --package nupeer-paas-drivers --bins
exec "${CARGO_TARGET_DIR:-target}/debug/nupeer-bench" "$@"
