#!/usr/bin/env bash
# Runs every test: the examples in the documentation first, then everything else, so that the runner's summary is the last thing printed.
# Arguments go to the test runner.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
sum() {
  awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 + $12 }
       END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log"
}

has_aiken() {
  local wanted candidate
  wanted=$(sed -n 's/^compiler = "\(.*\)"/\1/p' cardano/contracts/aiken.toml)
  for candidate in ../shared/tools/aiken aiken; do
    if "$candidate" --version 2>/dev/null | grep -qF "$wanted"; then return; fi
  done
  return 1
}

# Tests stand in modules named after what they need. Where a machine lacks it they are left out, which the runner counts as skipped; run all the same, they
# fail and say why. CI leaves out none, but for the compiler that only a change of the contracts needs.
skips=()
leave_out() {
  echo "test: left out are tests of $1, which need $2" >&2
  skips+=(--skip "$1::")
}
if [ "${CI:-}" != true ]; then
  if [ "$(id -u)" -ne 0 ]; then leave_out needs_root "root (containers with limits that the kernel enforces)"; fi
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then leave_out needs_npm "node and npm"; fi
  if [ ! -d "${NUPEER_CHAIN_DATA:-../shared/chain-data}" ]; then leave_out needs_chain_data "real chain data (NUPEER_CHAIN_DATA)"; fi
fi
if ! has_aiken; then leave_out needs_aiken "the Aiken compiler"; fi

# What is left out stands behind "--", where whoever gave arguments may have put some already.
arguments=("$@")
if [ ${#skips[@]} -gt 0 ]; then
  case " $* " in
    *" -- "*) ;;
    *) arguments+=(--) ;;
  esac
  arguments+=("${skips[@]}")
fi

# One summary for each crate says little: print them when one fails.
cargo test --workspace --doc --quiet >"$log" || { cat "$log"; exit 1; }
echo "examples in the documentation: $(sum)"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace ${arguments[@]+"${arguments[@]}"}
  exit
fi

# cargo test sums up each test binary by itself: add the sums.
status=0
cargo test --workspace --lib --bins --tests --no-fail-fast ${arguments[@]+"${arguments[@]}"} 2>&1 | tee "$log" || status=$?
sum
exit "$status"
