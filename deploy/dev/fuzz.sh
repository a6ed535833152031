#!/usr/bin/env bash
# Feeds random bytes to the parsers of bytes from outside, one after the other: fuzz.sh [TARGET…]. Needs a nightly compiler
# and `cargo install cargo-fuzz`. What breaks a promise is kept in fuzz/artifacts; what was tried, in fuzz/corpus.
# FUZZ_SECONDS=60 is the time for each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${FUZZ_SECONDS:-60}
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  mapfile -t targets < <(cd fuzz/targets && printf '%s\n' *.rs | sed 's/\.rs$//')
fi

broken=()
for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target"
  cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -max_len=16384 -timeout=10 -print_final_stats=1 || broken+=("$target")
done

if ((${#broken[@]} > 0)); then
  printf 'broken: %s; see fuzz/artifacts\n' "${broken[*]}" >&2
  exit 1
fi
