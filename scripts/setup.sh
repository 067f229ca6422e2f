#!/usr/bin/env bash
# Installs what the build and the demo need and this machine lacks. Says nothing when nothing is missing; safe to repeat.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# name of the Debian package | how to see that it is there | what needs it
needs='
clang|command -v clang|compiles RocksDB
libclang-dev|dpkg -s libclang-dev|generates the bindings of RocksDB
pkg-config|command -v pkg-config|finds libseccomp
libseccomp-dev|dpkg -s libseccomp-dev|system call filter of containers
busybox-static|dpkg -s busybox-static|the image of the demo
iproute2|command -v ip|network namespaces of make bench
nodejs|command -v node|wallet signatures in the tests
npm|command -v npm|message-signing library in the tests
'

missing_packages() {
  local package check why
  while IFS='|' read -r package check why; do
    [ -n "$package" ] || continue
    PATH="$PATH:/usr/sbin:/sbin" bash -c "$check" >/dev/null 2>&1 || printf '%s|%s\n' "$package" "$why"
  done <<<"$needs"
}

install_packages() {
  local missing=$1 packages as_root=() log
  packages=$(cut -d'|' -f1 <<<"$missing" | tr '\n' ' ')
  command -v apt-get >/dev/null || die "missing: ${packages}- this is no Debian; install their counterparts, then run this again"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "missing: ${packages}- run as root: apt-get install $packages"
    as_root=(sudo)
  fi
  while IFS='|' read -r package why; do say "installing $package ($why)"; done <<<"$missing"
  log=$(mktemp)
  # shellcheck disable=SC2086  # a list of package names
  if ! { "${as_root[@]}" apt-get update -qq &&
         "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages; } \
       </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    die "apt-get failed; its output is above"
  fi
  rm -f "$log"
}

check_rust() {
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  command -v cargo >/dev/null && command -v rustc >/dev/null ||
    die "Rust is missing: install rustc and cargo $wanted or newer (https://rustup.rs), then run this again"
  have=$(rustc --version | cut -d' ' -f2)
  [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
    die "rustc $have is too old: $wanted or newer is needed; with rustup: rustup update stable"
}

check_rust
missing=$(missing_packages)
[ -z "$missing" ] || install_packages "$missing"
