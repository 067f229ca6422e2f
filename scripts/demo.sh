#!/usr/bin/env bash
# Plays the story of the four people. Containers need root: without it this says so and asks sudo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
nupeer="${CARGO_TARGET_DIR:-target}/debug/nupeer"

if [ "$(id -u)" -eq 0 ]; then
  exec "$nupeer" demo "$@"
fi
if ! command -v sudo >/dev/null; then
  echo "demo: the provider's containers need root, and there is no sudo here: run make demo as root" >&2
  # As nupeer itself where only root may (docs/exit-codes.md).
  exit 12
fi
echo "demo: the provider's containers need root; asking sudo" >&2
exec sudo --preserve-env=CARGO_TARGET_DIR,NO_COLOR "$nupeer" demo "$@"
