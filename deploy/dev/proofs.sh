#!/usr/bin/env bash
# Each statement in the table of docs/providers.md names the test that proves it, as `crate module::test`, or says that it
# is a gap. Prints what is named and not there, and rows that name nothing; exits 1 if there is one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PAGE=docs/providers.md
SECTION='## What was asked for'
breaches=0
rows=0
tests=0

breach() {
  printf '%s:%s\n' "$PAGE" "$*" >&2
  breaches=$((breaches + 1))
}

# there CRATE MODULE TEST: whether the module, or its tests in a file of their own, has that function.
there() {
  local -a files
  mapfile -t files < <(find "$1" \( -path "*/$2.rs" -o -path "*/$2/tests.rs" -o -path "*/$2/mod.rs" \) -type f)
  [[ ${#files[@]} -gt 0 ]] && grep -qE "fn $3(<|\()" -- "${files[@]}"
}

while IFS=: read -r line row; do
  rows=$((rows + 1))
  # shellcheck disable=SC2016 # backticks are Markdown's here
  mapfile -t named < <(grep -oE '`[a-z]+ [a-z_/]+::[a-z0-9_]+`' <<<"$row" | tr -d '`')
  if [[ ${#named[@]} -eq 0 && $row != *'**gap**'* ]]; then
    breach "$line: neither a test nor **gap**"
  fi
  for name in "${named[@]}"; do
    tests=$((tests + 1))
    path=${name#* }
    there "${name%% *}" "${path%::*}" "${path##*::}" || breach "$line: there is no test $name"
  done
done < <(awk -v section="$SECTION" 'index($0, section) == 1 { on = 1; next } /^## / { on = 0 }
  on && /^\|/ && !/^\| (---|statement)/ { print NR ":" $0 }' "$PAGE")

if ((breaches > 0 || rows == 0)); then
  printf '%s\n' "$PAGE: $breaches of $rows statements without their proof" >&2
  exit 1
fi
printf 'proofs: %d statements, %d tests named, all there\n' "$rows" "$tests"
