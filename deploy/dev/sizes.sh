#!/usr/bin/env bash
# The house rules that no linter knows. Prints every breach with what to do about it; exits 1 if there is one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

FILE_LINES=400
MAIN_LINES=40
breaches=0

breach() {
  printf '%s\n' "$*" >&2
  breaches=$((breaches + 1))
}

# What is committed or about to be; without git, what is there.
files() {
  git ls-files --cached --others --exclude-standard 2>/dev/null ||
    find . \( -name target -o -name .git \) -prune -o -type f -print | sed 's|^\./||'
}

# each_match MESSAGE PATTERN FILE…: one breach per matching line that is not a comment.
each_match() {
  local message=$1 pattern=$2 hit
  shift 2
  [[ $# -gt 0 ]] || return 0
  while IFS= read -r hit; do
    breach "${hit%%:*}:$(cut -d: -f2 <<<"$hit"): $message"
  done < <(grep -HnE "$pattern" -- "$@" | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//' || true)
}

mapfile -t all < <(files | sort -u)
rust=()
domain=()
for file in "${all[@]}"; do
  [[ -f $file ]] || continue

  # A name that says nothing collects everything.
  if [[ "/${file%.*}/" =~ /(utils?|common|helpers?)/ ]]; then
    breach "$file: named '${BASH_REMATCH[1]}'; name it after the one thing it is about"
  fi

  [[ $file == *.rs ]] || continue
  rust+=("$file")
  [[ $file != shared/src/domain/* ]] || domain+=("$file")

  lines=$(wc -l <"$file")
  if ((lines > FILE_LINES)); then
    breach "$file: $lines lines, at most $FILE_LINES; split it by subject, or move its tests to a file of their own"
  fi
  if [[ $file == */src/main.rs ]] && ((lines > MAIN_LINES)); then
    breach "$file: $lines lines, at most $MAIN_LINES; main.rs reads arguments and calls the library"
  fi
done

each_match "#[allow] hides a lint for good; #[expect(…, reason = \"…\")] goes away with its cause" \
  '#!?\[allow\(' "${rust[@]}"
each_match "the domain does no I/O; move this to the crate or module that does" \
  '(^|[^a-z_])(sqlx|reqwest|lapin|tokio|axum|std::(fs|net|process))::' "${domain[@]}"

# Settings that are read by name; .env.example is the list that people look into.
while IFS=: read -r file line setting; do
  grep -qE "^#?$setting=" .env.example || breach "$file:$line: $setting is read here and not listed in .env.example"
done < <(grep -HnoE '\.(var|required|parsed|flag|secret|list|base_url)(::<[^>]*>)?\("[A-Z][A-Z0-9_]+"' -- "${rust[@]}" |
  grep -vE '/tests?(/|\.rs)|/testing|"TEST_' | sed -E 's/^([^:]+:[0-9]+):.*"([A-Z0-9_]+)"$/\1:\2/' | sort -u -t: -k3)

if ((breaches > 0)); then
  printf '%d breaches of the house rules (CONTRIBUTING.md)\n' "$breaches" >&2
  exit 1
fi
printf 'sizes: %d Rust files, all within the house rules\n' "${#rust[@]}"
