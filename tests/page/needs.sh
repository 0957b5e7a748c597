#!/usr/bin/env bash
# What the tests of the page need beside Python's packages: a Chromium of the system, and axe-core from npm.
# Usage: needs.sh FOLDER. axe-core goes into FOLDER/axe-core. What is there already is left as it is.
set -euo pipefail

AXE=4.14.1
SHA512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73\
4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
folder=${1:?usage: needs.sh FOLDER}/axe-core

found() { command -v "$1" >/dev/null 2>&1; }

# install PACKAGE WHAT: by Debian's package manager, where this user may.
install() {
  local as=()
  [ "$(id -u)" = 0 ] || as=(sudo -n)
  if ! found apt-get || ! "${as[@]}" true 2>/dev/null; then
    echo "the tests of the page need $2, which is not here: install it (Debian: apt-get install $1), then again" >&2
    exit 1
  fi
  echo "installing $1 ..."
  "${as[@]}" apt-get -qq update
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "$1" >/dev/null
}

found chromium || found chromium-browser || found google-chrome || install chromium Chromium

if [ "$(cat "$folder/version" 2>/dev/null)" != "$AXE" ]; then
  found npm || install npm npm
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack --silent "axe-core@$AXE" >/dev/null)
  if ! echo "$SHA512  $work/axe-core-$AXE.tgz" | sha512sum --check --status; then
    echo "axe-core $AXE of this registry is not the file that it was; it is not used" >&2
    exit 1
  fi
  tar -xzf "$work/axe-core-$AXE.tgz" -C "$work"
  mkdir -p "$folder"
  cp "$work/package/axe.min.js" "$work/package/LICENSE" "$folder"
  echo "$AXE" >"$folder/version"
fi
