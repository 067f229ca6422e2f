#!/usr/bin/env bash
# Runs every test: the examples in the documentation first, then everything else, so that the runner's summary is the last thing printed.
# Arguments go to the test runner.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
sum() {
  awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
       END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log"
}

# One summary for each crate says little: print them when one fails.
cargo test --workspace --doc --quiet >"$log" || { cat "$log"; exit 1; }
echo "examples in the documentation: $(sum)"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace "$@"
  exit
fi

# cargo test sums up each test binary by itself: add the sums.
status=0
cargo test --workspace --lib --bins --tests --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
sum
exit "$status"
