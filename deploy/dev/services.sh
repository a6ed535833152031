#!/usr/bin/env bash
# A real PostgreSQL and a real RabbitMQ for tests, benchmarks and work by hand.
#
#   services.sh run -- COMMAND…    start them, run COMMAND with them, take them down whatever happens
#   services.sh start | stop       keep them between commands; `start` prints the variables to set
#   services.sh env                print those variables again: eval "$(deploy/dev/services.sh env)"
#   services.sh ctl SERVER VERB    stop and start one of them under a running test, see `usage`
#
# COMMAND finds TEST_DATABASE_URL, TEST_AMQP_URL, and in TEST_SERVICES a directory that `ctl` works
# on ("$TEST_SERVICES/ctl" is the same as `services.sh ctl`).
#
# Each server comes from the first of these that works:
#   1. TEST_DATABASE_URL or TEST_AMQP_URL, when set: used as it is and never stopped
#   2. Docker, when an engine answers (TEST_SERVICES_FROM=programs skips it)
#   3. Debian's programs, installed with apt-get when they are missing and that is allowed
# Private servers listen on 127.0.0.1 on free ports, with a password of their own, in a directory of
# their own. Nothing that was already running is touched.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
POINTER=$ROOT/target/dev-services

# shellcheck source-path=SCRIPTDIR source=services/processes.sh
source "$HERE/services/processes.sh"
# shellcheck source-path=SCRIPTDIR source=services/install.sh
source "$HERE/services/install.sh"
# shellcheck source-path=SCRIPTDIR source=services/postgres.sh
source "$HERE/services/postgres.sh"
# shellcheck source-path=SCRIPTDIR source=services/rabbitmq.sh
source "$HERE/services/rabbitmq.sh"

usage() {
  cat >&2 <<'TEXT'
usage: services.sh run -- COMMAND…
       services.sh start | stop | env
       services.sh ctl postgres (start | stop | restart | kill | status)
       services.sh ctl rabbitmq (start | stop | restart | kill | wipe | status)
       services.sh ctl rabbitmq rabbitmqctl ARGUMENTS…
stop and start keep ports and data; kill is SIGKILL; wipe deletes the data of a stopped RabbitMQ.
ctl exits 3 when the server is not ours to stop.
TEXT
  exit 2
}

# --- the state: one directory, `vars` for these scripts, `env` for people and tests -----------------

# Before anything is started, so that a run killed half-way can still be tidied up after.
save_vars() {
  declare -p PG_KIND PG_PORT PG_PASSWORD PG_NAME RMQ_KIND RMQ_PORT RMQ_MANAGEMENT_PORT RMQ_DIST_PORT \
    RMQ_EPMD_PORT RMQ_PASSWORD RMQ_NAME BOOT | sed 's/^declare --/declare -g/' >"$STATE/vars"
}

save_env() {
  {
    printf 'export TEST_DATABASE_URL=%q\n' "$TEST_DATABASE_URL"
    printf 'export TEST_AMQP_URL=%q\n' "$TEST_AMQP_URL"
    printf 'export TEST_SERVICES=%q\n' "$STATE"
  } >"$STATE/env"
  printf '#!/usr/bin/env bash\nTEST_SERVICES=%q exec %q ctl "$@"\n' "$STATE" "$HERE/services.sh" >"$STATE/ctl"
  chmod 700 "$STATE/ctl"
}

load_state() {
  [[ -f $STATE/vars ]] || die "no servers of ours in $STATE"
  # shellcheck source=/dev/null
  source "$STATE/vars"
  # Process ids mean nothing after a reboot.
  [[ $BOOT == "$(boot_id)" ]] || die "$STATE is from before a reboot; start the servers again"
}

new_state() {
  STATE=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-services.XXXXXX")
  # The servers' own users must get through, and no further: the passwords in it stay unreadable.
  umask 077
  [[ $EUID -ne 0 ]] || chmod 711 "$STATE"
  PG_KIND='' PG_PORT='' PG_PASSWORD='' PG_NAME=''
  RMQ_KIND='' RMQ_PORT='' RMQ_MANAGEMENT_PORT='' RMQ_DIST_PORT='' RMQ_EPMD_PORT=''
  RMQ_PASSWORD='' RMQ_NAME='' BOOT=$(boot_id)
}

# --- up and down ------------------------------------------------------------------------------------

choose_kinds() {
  [[ -n ${TEST_DATABASE_URL:-} ]] && PG_KIND=external
  [[ -n ${TEST_AMQP_URL:-} ]] && RMQ_KIND=external
  [[ -n $PG_KIND && -n $RMQ_KIND ]] && return 0

  if [[ ${TEST_SERVICES_FROM:-docker} == docker ]] && docker_answers; then
    if { [[ -n $PG_KIND ]] || postgres_docker_image; } && { [[ -n $RMQ_KIND ]] || rabbitmq_docker_image; }; then
      : "${PG_KIND:=docker}" "${RMQ_KIND:=docker}"
      return 0
    fi
    say "Docker answers but has not got the images, so trying Debian's programs"
  fi

  : "${PG_KIND:=programs}" "${RMQ_KIND:=programs}"
  ensure_programs
}

bring_up() {
  choose_kinds
  save_vars
  local began
  began=$(now_ms)
  # RabbitMQ takes longest, so it boots while PostgreSQL does.
  [[ $RMQ_KIND == external ]] || rabbitmq_launch
  if [[ $PG_KIND == external ]]; then
    say "PostgreSQL: the one TEST_DATABASE_URL names"
  else
    attempts postgres
    TEST_DATABASE_URL=postgres://tapedeck:$PG_PASSWORD@127.0.0.1:$PG_PORT/postgres
    say "$(postgres_version), $(from "$PG_KIND"), port $PG_PORT, ready after $(since "$began")"
  fi
  if [[ $RMQ_KIND == external ]]; then
    say "RabbitMQ: the one TEST_AMQP_URL names"
  else
    rabbitmq_await || { rabbitmq_down; attempts rabbitmq; }
    TEST_AMQP_URL=amqp://tapedeck:$RMQ_PASSWORD@127.0.0.1:$RMQ_PORT/%2f
    say "$(rabbitmq_version), $(from "$RMQ_KIND"), port $RMQ_PORT (management $RMQ_MANAGEMENT_PORT), ready after $(since "$began")"
  fi
  save_env
}

# Another program may take a port between our look and the server's: then once more with other ports.
attempts() {
  local server=$1 attempt
  for attempt in 1 2 3; do
    "${server}_launch" && "${server}_await" && return 0
    say "$server did not start (attempt $attempt of 3)"
    [[ $attempt -lt 3 ]] || "${server}_log_tail" >&2
    "${server}_down"
  done
  die "$server does not start here. Set TEST_DATABASE_URL and TEST_AMQP_URL to servers that run, or start Docker."
}

# Goes on whatever fails on the way.
bring_down() {
  set +e
  [[ -n ${STATE:-} && -d $STATE ]] || return 0
  rabbitmq_down
  postgres_down
  discard "$STATE"
}

from() { case $1 in docker) echo "a container" ;; *) echo "a private instance" ;; esac; }

# --- the commands -----------------------------------------------------------------------------------

run() {
  [[ ${1:-} == -- ]] && shift
  [[ $# -gt 0 ]] || usage
  if [[ -n ${TEST_SERVICES:-} && -f ${TEST_SERVICES}/env ]]; then
    say "using the servers in $TEST_SERVICES"
    # shellcheck source=/dev/null
    source "$TEST_SERVICES/env"
    exec "$@"
  fi
  new_state
  trap bring_down EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  guard $$
  bring_up
  export TEST_DATABASE_URL TEST_AMQP_URL TEST_SERVICES=$STATE
  umask 022
  run_to_its_end "$@"
}

# A process of its own that tidies up after a run that was killed too hard to do so itself.
guard() {
  local runner=$1
  # shellcheck disable=SC2016 # the inner shell's own arguments
  (exec_detached bash -c '
    while kill -0 "$1" 2>/dev/null; do sleep 1; done
    [ ! -d "$2" ] || STATE=$2 exec "$3" tidy' guard "$runner" "$STATE" "$HERE/services.sh") </dev/null >/dev/null 2>&1 &
  disown
}

start() {
  if [[ -f $POINTER && -f $(<"$POINTER")/env ]]; then
    STATE=$(<"$POINTER")
    say "already running"
  else
    new_state
    trap bring_down EXIT
    bring_up
    mkdir -p "$(dirname "$POINTER")"
    printf '%s\n' "$STATE" >"$POINTER"
    trap - EXIT
  fi
  cat "$STATE/env"
}

stop() {
  [[ -f $POINTER ]] || { say "nothing to stop"; return 0; }
  STATE=$(<"$POINTER")
  rm -f "$POINTER"
  [[ -d $STATE ]] || { say "nothing to stop"; return 0; }
  tidy
  say "stopped"
}

tidy() {
  if (load_state) 2>/dev/null; then
    load_state
    bring_down
  else
    discard "$STATE"
  fi
}

print_env() {
  [[ -f $POINTER && -f $(<"$POINTER")/env ]] || die "not running; start them with: make services"
  cat "$(<"$POINTER")/env"
}

ctl() {
  [[ $# -ge 2 ]] || usage
  local server=$1 verb=$2
  shift 2
  STATE=${TEST_SERVICES:-$(cat "$POINTER" 2>/dev/null || true)}
  [[ -n $STATE ]] || { say "no servers of ours: TEST_SERVICES is not set"; exit 3; }
  load_state
  case $server in
    postgres) [[ $PG_KIND != external ]] || { say "PostgreSQL is not ours: it was given in TEST_DATABASE_URL"; exit 3; } ;;
    rabbitmq) [[ $RMQ_KIND != external ]] || { say "RabbitMQ is not ours: it was given in TEST_AMQP_URL"; exit 3; } ;;
    *) usage ;;
  esac
  case $server/$verb in
    */start | */stop | */kill | */status | rabbitmq/wipe) "${server}_$verb" ;;
    */restart) "${server}_stop" && "${server}_start" ;;
    rabbitmq/rabbitmqctl) rabbitmq_rabbitmqctl "$@" ;;
    *) usage ;;
  esac
}

case ${1:-} in
  run) shift; run "$@" ;;
  start) start ;;
  stop) stop ;;
  env) print_env ;;
  ctl) shift; ctl "$@" ;;
  tidy) tidy ;;
  *) usage ;;
esac
