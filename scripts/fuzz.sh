#!/usr/bin/env bash
# Runs every fuzz target, from the committed corpus, on all cores; SECONDS (300 by default) is for all targets together.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
seconds_total=${1:-300}
cargo_fuzz_version=0.13.2
triple=$(rustc -vV | sed -n 's/^host: //p')
ordinary_target="${CARGO_TARGET_DIR:-$root/target}"
export CARGO_TARGET_DIR="$ordinary_target/fuzz"

install_cargo_fuzz() {
  local home="${XDG_CACHE_HOME:-$HOME/.cache}/nupeerstack/tools/cargo-fuzz-$cargo_fuzz_version"
  if [ ! -x "$home/bin/cargo-fuzz" ]; then
    echo "fuzz: installing cargo-fuzz $cargo_fuzz_version into $home (once)" >&2
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$home/build" \
      cargo install cargo-fuzz --version "=$cargo_fuzz_version" --locked --profile dev --root "$home" --quiet >&2
    rm -rf "$home/build"
  fi
  PATH="$home/bin:$PATH"
}

# RocksDB takes twelve minutes to compile and is not what is searched: where the ordinary build (or clippy) has made it, that one is linked.
reuse_rocksdb() {
  local built
  built=$(find "$ordinary_target/debug/build" -path '*/librocksdb-sys-*/out/librocksdb.a' -printf '%T@ %h\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2- || true)
  [ -z "$built" ] || export ROCKSDB_LIB_DIR="$built" ROCKSDB_STATIC=1
}

# A target's findings stay below $findings; a crash prints its input and fails the run.
run_target() {
  local target=$1 seconds=$2 log="$findings/$1.log"
  mkdir -p "$findings/$target"
  if TMPDIR="$scratch" "$CARGO_TARGET_DIR/$triple/release/$target" \
       -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -max_len=16384 \
       -artifact_prefix="$findings/$target-" "$findings/$target" "fuzz/corpus/$target" >"$log" 2>&1; then
    printf 'fuzz: %-18s %s\n' "$target" "$(grep -a '^Done' "$log")"
  else
    tail -n 40 "$log" >&2
    printf 'fuzz: %s failed\n' "$target" >&2
    return 1
  fi
}

install_cargo_fuzz
reuse_rocksdb
targets=$(cargo fuzz list --fuzz-dir fuzz)
# Stable compilers have no sanitizers; what panics, overflows, hangs or eats memory is found without.
cargo fuzz build --fuzz-dir fuzz --sanitizer none >&2
findings=$(mktemp -d)
# Files that targets write lie in memory where that can be had.
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cores=$(nproc)
seconds=$((seconds_total * cores / $(wc -w <<<"$targets")))
[ "$seconds" -ge 1 ] || seconds=1
export findings scratch triple
export -f run_target
# shellcheck disable=SC2016  # expanded by the inner shell
xargs -P "$cores" -I{} bash -c 'run_target "$@"' _ {} "$seconds" <<<"$targets" || { echo "fuzz: inputs that failed are in $findings" >&2; exit 1; }
rm -rf "$findings"
