#!/usr/bin/env bash
# Checks what a reader should not have to: formatting, lints, licences, bans. `lint.sh fmt|clippy|deny` runs one of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deny_version=0.20.2
tools="${XDG_CACHE_HOME:-$HOME/.cache}/nupeerstack/tools"

lint_fmt() { cargo fmt --all --check; }

lint_clippy() { cargo clippy --workspace --all-targets --quiet -- -D warnings; }

# Prints the path of cargo-deny; installs the pinned version, in its quickest build, where the machine has another one or none.
deny_binary() {
  local home="$tools/cargo-deny-$deny_version"
  if [ "$(cargo-deny --version 2>/dev/null)" = "cargo-deny $deny_version" ]; then command -v cargo-deny; return; fi
  if [ ! -x "$home/bin/cargo-deny" ]; then
    echo "lint: installing cargo-deny $deny_version into $home (once)" >&2
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$home/build" \
      cargo install cargo-deny --version "=$deny_version" --locked --profile dev --root "$home" --quiet >&2
    rm -rf "$home/build"
  fi
  printf '%s\n' "$home/bin/cargo-deny"
}

lint_deny() {
  local deny
  deny=$(deny_binary)
  cargo fetch --locked --quiet
  "$deny" --workspace --offline --log-level error check licenses bans sources
}

if [ $# -eq 0 ]; then set -- fmt clippy deny; fi
for check in "$@"; do "lint_$check"; done
