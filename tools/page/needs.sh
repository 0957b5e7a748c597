#!/usr/bin/env bash
# What the tests of pages need beside Python's packages: a Chromium of the system, and from npm axe-core and
# onnxruntime-web. Usage: needs.sh FOLDER. Packages go into folders there. What is there already is left as it is.
set -euo pipefail

mkdir -p "${1:?usage: needs.sh FOLDER}"
folder=$(cd "$1" && pwd)

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

# from_npm NAME VERSION SHA512 FILE...: these files of a package, whose sum must be right.
from_npm() {
  local name=$1 version=$2 sum=$3 target="$folder/$1" work
  shift 3
  [ "$(cat "$target/version" 2>/dev/null)" != "$version" ] || return 0
  found npm || install npm npm
  work=$(mktemp -d)
  (cd "$work" && npm pack --silent "$name@$version" >/dev/null)
  if ! echo "$sum  $work/$name-$version.tgz" | sha512sum --check --status; then
    rm -rf "$work"
    echo "$name $version of this registry is not the file that it was; it is not used" >&2
    exit 1
  fi
  tar -xzf "$work/$name-$version.tgz" -C "$work"
  mkdir -p "$target"
  (cd "$work/package" && cp "$@" "$target")
  echo "$version" >"$target/version"
  rm -rf "$work"
}

from_npm axe-core 4.14.1 1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73\
4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5 axe.min.js LICENSE
from_npm onnxruntime-web 1.30.0 ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca\
590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61 \
  dist/ort.wasm.min.mjs dist/ort-wasm-simd-threaded.mjs dist/ort-wasm-simd-threaded.wasm
