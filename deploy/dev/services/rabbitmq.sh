# shellcheck shell=bash
# One private RabbitMQ with its management API: from Debian's programs or in a container.

RABBITMQ_IMAGE=${TEST_RABBITMQ_IMAGE:-rabbitmq:4-management}
RABBITMQ_PLUGINS='[rabbitmq_management,rabbitmq_shovel].'

rabbitmq_launch() {
  free_port && RMQ_PORT=$REPLY
  free_port && RMQ_MANAGEMENT_PORT=$REPLY
  free_port && RMQ_DIST_PORT=$REPLY
  free_port && RMQ_EPMD_PORT=$REPLY
  RMQ_PASSWORD=$(secret)
  case $RMQ_KIND in
    docker) RMQ_NAME=tapedeck-rabbitmq-$RMQ_PORT ;;
    programs) RMQ_NAME=tapedeck-$RMQ_PORT@localhost ;;
  esac
  save_vars
  [[ $RMQ_KIND != programs ]] || rabbitmq_configure
  rabbitmq_boot
}

rabbitmq_boot() {
  case $RMQ_KIND in
    docker)
      docker inspect "$RMQ_NAME" >/dev/null 2>&1 || rabbitmq_docker_create
      docker start "$RMQ_NAME" >/dev/null
      ;;
    programs) rabbitmq_epmd && rabbitmq_spawn ;;
  esac
}

rabbitmq_await() {
  wait_until 120 rabbitmq_ready_or_dead && rabbitmq_answers
}

rabbitmq_start() {
  if rabbitmq_runs; then return 0; fi
  rabbitmq_boot
  rabbitmq_await || { rabbitmq_log_tail >&2; return 1; }
}

rabbitmq_stop() {
  if ! rabbitmq_runs; then return 0; fi
  case $RMQ_KIND in
    docker) docker stop -t 60 "$RMQ_NAME" >/dev/null ;;
    programs) rabbitmq_signal TERM 60 ;;
  esac
}

rabbitmq_kill() {
  if ! rabbitmq_runs; then return 0; fi
  case $RMQ_KIND in
    docker) docker kill "$RMQ_NAME" >/dev/null ;;
    programs) rabbitmq_signal KILL 10 ;;
  esac
}

# Queues, messages, users and settings: the next start is a first start, on the same ports.
rabbitmq_wipe() {
  if rabbitmq_runs; then
    say "RabbitMQ is running: stop or kill it before wiping it"
    return 2
  fi
  case $RMQ_KIND in
    docker) docker rm -v "$RMQ_NAME" >/dev/null ;;
    programs) rm -rf "$STATE/rabbitmq/data" ;;
  esac
}

rabbitmq_status() {
  if rabbitmq_runs; then echo running; else echo stopped; fi
}

rabbitmq_rabbitmqctl() {
  case $RMQ_KIND in
    docker) docker exec "$RMQ_NAME" rabbitmqctl "$@" ;;
    programs) (rabbitmq_exec rabbitmqctl --node "$RMQ_NAME" "$@") ;;
  esac
}

# For good, and at once: the data goes with it.
rabbitmq_down() {
  case $RMQ_KIND in
    docker) docker rm -f -v "$RMQ_NAME" >/dev/null 2>&1 || true ;;
    programs)
      rabbitmq_kill
      local epmd
      epmd=$(rabbitmq_epmd_pid || true)
      if alive "$epmd"; then
        kill "$epmd"
        wait_until 10 gone "$epmd"
      fi
      discard "$STATE/rabbitmq"
      ;;
  esac
}

rabbitmq_version() {
  local version=''
  case $RMQ_KIND in
    docker) version=$(docker exec "$RMQ_NAME" sh -c 'cat /opt/rabbitmq/plugins/rabbit-[0-9]*/ebin/rabbit.app' 2>/dev/null || true) ;;
    programs) version=$(cat "$(rabbitmq_bin)"/../plugins/rabbit-[0-9]*/ebin/rabbit.app \
      "$(dirname "$(readlink -f "$(rabbitmq_bin)/rabbitmq-server")")"/../plugins/rabbit-[0-9]*/ebin/rabbit.app 2>/dev/null || true) ;;
  esac
  printf 'RabbitMQ %s\n' "$(sed -n 's/.*{vsn, *"\([^"]*\)".*/\1/p' <<<"$version" | head -n 1)"
}

rabbitmq_log_tail() {
  case $RMQ_KIND in
    docker) docker logs --tail 30 "$RMQ_NAME" 2>&1 || true ;;
    programs) tail -n 30 "$STATE/rabbitmq/output.log" 2>/dev/null || true ;;
  esac
}

# A connection may be accepted long before the broker is up (Docker's proxy does), so it must speak:
# to AMQP's first eight bytes it answers with a method frame, whose first byte is 1.
rabbitmq_answers() {
  local first=''
  # shellcheck disable=SC2016 # $0 is the inner shell's
  first=$(timeout 3 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "AMQP\0\0\11\1" >&3 && head -c 1 <&3 | od -An -tx1' \
    "$RMQ_PORT" 2>/dev/null) || return 1
  [[ ${first// /} == 01 ]] && listens "$RMQ_MANAGEMENT_PORT"
}

rabbitmq_ready_or_dead() { rabbitmq_answers || rabbitmq_died; }

# --- from Debian's programs -------------------------------------------------------------------------

rabbitmq_pid() { cat "$STATE/rabbitmq/pid" 2>/dev/null; }

rabbitmq_runs() {
  case $RMQ_KIND in
    docker) docker_runs "$RMQ_NAME" ;;
    programs) alive "$(rabbitmq_pid)" || alive "$(cat "$STATE/rabbitmq/launcher" 2>/dev/null)" ;;
  esac
}

rabbitmq_died() { ! rabbitmq_runs; }

# The launcher is a shell that waits for the node; both are the whole of one process group.
rabbitmq_signal() {
  local pid launcher
  pid=$(rabbitmq_pid || true)
  launcher=$(cat "$STATE/rabbitmq/launcher")
  case $1 in
    TERM) kill -TERM "${pid:-$launcher}" ;;
    KILL) kill -KILL -- "-$launcher" 2>/dev/null || kill -KILL "$launcher" "$pid" ;;
  esac
  { [[ -z $pid ]] || wait_until "$2" gone "$pid"; } && wait_until "$2" gone "$launcher"
  rm -f "$STATE/rabbitmq/pid" "$STATE/rabbitmq/launcher"
}

rabbitmq_configure() {
  local home=$STATE/rabbitmq
  mkdir -p "$home"
  printf '%s\n' "$RABBITMQ_PLUGINS" >"$home/enabled_plugins"
  : >"$home/rabbitmq-env.conf"
  cat >"$home/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$RMQ_PORT
management.tcp.ip = 127.0.0.1
management.tcp.port = $RMQ_MANAGEMENT_PORT
default_user = tapedeck
default_pass = $RMQ_PASSWORD
log.console = true
log.console.level = warning
log.file = false
CONF
  own_directory rabbitmq "$home"
}

# One of RabbitMQ's programs, seeing our node and nothing of the system's. Replaces the (sub)shell.
rabbitmq_exec() {
  local home=$STATE/rabbitmq program=$1
  shift
  cd "$home" || exit
  export HOME=$home LANG=C.UTF-8 \
    ERL_EPMD_PORT=$RMQ_EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_NODENAME=$RMQ_NAME RABBITMQ_DIST_PORT=$RMQ_DIST_PORT \
    RABBITMQ_CONF_ENV_FILE=$home/rabbitmq-env.conf RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf \
    RABBITMQ_ADVANCED_CONFIG_FILE=$home/none RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins \
    RABBITMQ_MNESIA_BASE=$home/data RABBITMQ_GENERATED_CONFIG_DIR=$home/config \
    RABBITMQ_LOG_BASE=$home/log RABBITMQ_PID_FILE=$home/pid \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
  unset RABBITMQ_LOGS RABBITMQ_MNESIA_DIR RABBITMQ_USE_LONGNAME NOTIFY_SOCKET
  become rabbitmq
  "${EXEC:-exec}" "${AS[@]}" "$(rabbitmq_bin)/$program" "$@"
}

rabbitmq_spawn() {
  rm -f "$STATE/rabbitmq/pid"
  (EXEC=exec_detached rabbitmq_exec rabbitmq-server) </dev/null >>"$STATE/rabbitmq/output.log" 2>&1 &
  echo $! >"$STATE/rabbitmq/launcher"
  disown
}

rabbitmq_epmd_pid() { cat "$STATE/rabbitmq/epmd" 2>/dev/null; }

# The name server of Erlang nodes: one of our own, since the usual one is shared by the whole machine.
rabbitmq_epmd() {
  if alive "$(rabbitmq_epmd_pid)"; then return 0; fi
  local epmd
  epmd=$(command -v epmd || find /usr/lib/erlang/erts-*/bin -name epmd 2>/dev/null | head -n 1)
  [[ -n $epmd ]] || die "RabbitMQ is here, but Erlang's epmd is not"
  become rabbitmq
  (exec_detached "${AS[@]}" "$epmd" -port "$RMQ_EPMD_PORT" -address 127.0.0.1) </dev/null >/dev/null 2>&1 &
  echo $! >"$STATE/rabbitmq/epmd"
  disown
  wait_until 10 listens "$RMQ_EPMD_PORT"
}

# --- in a container ---------------------------------------------------------------------------------

rabbitmq_docker_image() { docker_has_image "$RABBITMQ_IMAGE"; }

# The host's name is the node's name, and with it the place of its data.
rabbitmq_docker_create() {
  printf '%s\n' "$RABBITMQ_PLUGINS" >"$STATE/enabled_plugins"
  chmod 644 "$STATE/enabled_plugins"
  docker create --name "$RMQ_NAME" --hostname tapedeck --label tapedeck.services="$STATE" \
    -p "127.0.0.1:$RMQ_PORT:5672" -p "127.0.0.1:$RMQ_MANAGEMENT_PORT:15672" \
    -e RABBITMQ_DEFAULT_USER=tapedeck -e RABBITMQ_DEFAULT_PASS="$RMQ_PASSWORD" "$RABBITMQ_IMAGE" >/dev/null
  docker cp -q "$STATE/enabled_plugins" "$RMQ_NAME:/etc/rabbitmq/enabled_plugins"
}
