# shellcheck shell=bash
# Finds Debian's PostgreSQL and RabbitMQ, and installs what is missing of them where that is allowed.

# Debian keeps the server's programs out of PATH, one directory per version: the newest wins.
postgres_bin() {
  local found
  found=$(find /usr/lib/postgresql/*/bin -maxdepth 1 -name initdb 2>/dev/null | sort -V | tail -n 1)
  [[ -n $found ]] || found=$(command -v initdb || true)
  [[ -n $found ]] && dirname "$found"
}

# Not the wrapper in /usr/sbin, which insists on the system's own node and user.
rabbitmq_bin() {
  local found
  for found in /usr/lib/rabbitmq/bin/rabbitmq-server /usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server \
    /opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server "$(command -v rabbitmq-server || true)"; do
    [[ -x $found ]] && { dirname "$found"; return 0; }
  done
  return 1
}

ensure_programs() {
  local missing=()
  [[ $PG_KIND != programs ]] || postgres_bin >/dev/null || missing+=(postgresql)
  [[ $RMQ_KIND != programs ]] || rabbitmq_bin >/dev/null || missing+=(rabbitmq-server)
  [[ ${#missing[@]} -gt 0 ]] || return 0

  local as_root=()
  if ! command -v apt-get >/dev/null; then
    cannot_install "${missing[*]}" "there is no apt-get here"
  elif [[ $EUID -ne 0 ]]; then
    sudo -n true 2>/dev/null || cannot_install "${missing[*]}" "this is not root, and sudo asks for a password"
    as_root=(sudo -n)
  fi
  say "installing Debian's ${missing[*]}"
  local began
  began=$(now_ms)
  (without_starting_services apt_install "${missing[@]}") || cannot_install "${missing[*]}" "apt-get failed, see above"
  say "installed in $(since "$began")"
}

cannot_install() {
  say "missing: $1; $2"
  say "any of these helps:"
  say "  - install them:    apt-get install postgresql rabbitmq-server"
  say "  - start Docker, with postgres and rabbitmq images within reach"
  say "  - point at servers that run already:"
  say "    TEST_DATABASE_URL=postgres://user:password@host:5432/database (may create databases)"
  say "    TEST_AMQP_URL=amqp://user:password@host:5672/%2f (may configure, write and read)"
  exit 1
}

# The lists may be missing or old, so a failure is tried once more with new ones.
apt_install() {
  local log install
  log=$(mktemp)
  install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q
    --no-install-recommends -o DPkg::Lock::Timeout=300 "$@")
  if ! "${install[@]}" >"$log" 2>&1 </dev/null; then
    "${as_root[@]}" apt-get update -q >>"$log" 2>&1 </dev/null || true
    if ! "${install[@]}" >>"$log" 2>&1 </dev/null; then
      tail -n 30 "$log" >&2
      rm -f "$log"
      return 1
    fi
  fi
  rm -f "$log"
}

# Debian asks this program before a package starts its service; ours says no, the former comes back.
without_starting_services() {
  local policy=/usr/sbin/policy-rc.d kept=''
  if [[ -e $policy ]]; then
    kept=$policy.before-tapedeck
    "${as_root[@]}" mv "$policy" "$kept"
  fi
  # shellcheck disable=SC2064 # the values of now are meant
  trap "put_back_policy '$policy' '$kept'" EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  "$@"
}

put_back_policy() {
  "${as_root[@]}" rm -f "$1"
  [[ -z $2 ]] || "${as_root[@]}" mv "$2" "$1"
}
