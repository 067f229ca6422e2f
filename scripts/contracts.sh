#!/usr/bin/env bash
# Runs the contracts' own tests, builds the Plutus scripts again and compares them with the committed ones. Builds are repeatable byte for byte.
#   --write       replaces the committed scripts instead: approving new script hashes
#   --if-present  is content where the compiler is missing (everyone else uses the committed scripts)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
contracts="$root/cardano/contracts"
wanted=$(sed -n 's/^compiler = "v\(.*\)"/\1/p' "$contracts/aiken.toml")
mode=${1:-compare}

find_compiler() {
  local candidate
  for candidate in aiken "$root/../shared/tools/aiken"; do
    if command -v "$candidate" >/dev/null && [[ "$("$candidate" --version 2>/dev/null)" == "aiken v$wanted"* ]]; then
      command -v "$candidate"
      return
    fi
  done
}

aiken=$(find_compiler)
if [ -z "$aiken" ]; then
  echo "contracts: the Aiken compiler $wanted is not at hand: cargo install aiken --version $wanted --locked (half an hour)" >&2
  [ "$mode" = --if-present ] && exit 0
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$contracts/aiken.toml" "$contracts/aiken.lock" "$contracts/lib" "$contracts/validators" "$work"
cd "$work"
"$aiken" check --deny 2>check.log >&2 || { cat check.log >&2; exit 1; }
# What runs on Cardano says nothing when it fails; the traced build, for tests, names the rule.
"$aiken" build --deny --trace-level silent --out plutus.json >/dev/null 2>&1
"$aiken" build --deny --trace-level verbose --trace-filter user-defined --out plutus.debug.json >/dev/null 2>&1

status=0
for built in plutus.json plutus.debug.json; do
  if [ "$mode" = --write ]; then
    cp "$built" "$contracts/$built"
  elif ! cmp -s "$built" "$contracts/$built"; then
    echo "contracts: $built differs from what its sources build; accept it with: make contracts ARGS=--write" >&2
    status=1
  fi
done
[ $status -ne 0 ] || echo "contracts: built with Aiken $wanted, as committed" >&2
exit $status
