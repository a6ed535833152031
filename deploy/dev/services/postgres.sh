# shellcheck shell=bash
# One private PostgreSQL: from Debian's programs or in a container.

POSTGRES_IMAGE=${TEST_POSTGRES_IMAGE:-postgres:17}
# Many tests at once, each with pools of its own. Everything else stays as it is delivered, fsync above all.
POSTGRES_SETTINGS=(-c max_connections=300)

postgres_launch() {
  free_port && PG_PORT=$REPLY
  PG_PASSWORD=$(secret)
  PG_NAME=tapedeck-postgres-$PG_PORT
  save_vars
  case $PG_KIND in
    docker) postgres_docker_create && docker start "$PG_NAME" >/dev/null ;;
    programs) postgres_init && postgres_ctl start ;;
  esac
}

postgres_await() {
  case $PG_KIND in
    docker) wait_until 120 postgres_ready_or_dead && postgres_answers ;;
    programs) wait_until 60 listens "$PG_PORT" ;;
  esac
}

# Over TCP: the image's first, temporary server listens on its socket alone.
postgres_answers() { docker exec "$PG_NAME" pg_isready -q -h 127.0.0.1 -U tapedeck 2>/dev/null; }

postgres_ready_or_dead() { postgres_answers || ! postgres_runs; }

postgres_start() {
  if postgres_runs; then return 0; fi
  case $PG_KIND in
    docker) docker start "$PG_NAME" >/dev/null ;;
    # After a kill the old processes may hold the shared memory for another moment.
    programs) wait_until 30 postgres_ctl start || { postgres_log_tail >&2; return 1; } ;;
  esac
  postgres_await
}

# Open connections are cut off, as by a server that is restarted under its clients.
postgres_stop() {
  if ! postgres_runs; then return 0; fi
  case $PG_KIND in
    docker) docker stop -t 20 "$PG_NAME" >/dev/null ;;
    programs) postgres_ctl stop -m fast ;;
  esac
}

postgres_kill() {
  if ! postgres_runs; then return 0; fi
  case $PG_KIND in
    docker) docker kill "$PG_NAME" >/dev/null ;;
    programs)
      local pid
      pid=$(postgres_pid)
      kill -KILL "$pid"
      wait_until 10 gone "$pid"
      ;;
  esac
}

postgres_status() {
  if postgres_runs; then echo running; else echo stopped; fi
}

# For good; the data goes with the state directory.
postgres_down() {
  case $PG_KIND in
    docker) docker rm -f -v "$PG_NAME" >/dev/null 2>&1 || true ;;
    programs)
      if postgres_runs; then postgres_ctl stop -m immediate || postgres_kill; fi
      discard "$STATE/postgres"
      ;;
  esac
}

postgres_version() {
  case $PG_KIND in
    docker) docker exec "$PG_NAME" postgres --version | sed 's/^postgres (\(.*\)) \([^ ]*\).*/\1 \2/' ;;
    programs) "$(postgres_bin)/postgres" --version | sed 's/^postgres (\(.*\)) \([^ ]*\).*/\1 \2/' ;;
  esac
}

postgres_log_tail() {
  case $PG_KIND in
    docker) docker logs --tail 30 "$PG_NAME" 2>&1 || true ;;
    programs) tail -n 30 "$STATE/postgres/"*.log 2>/dev/null || true ;;
  esac
}

# --- from Debian's programs -------------------------------------------------------------------------

postgres_pid() { head -n 1 "$STATE/postgres/data/postmaster.pid" 2>/dev/null; }

postgres_runs() {
  case $PG_KIND in
    docker) docker_runs "$PG_NAME" ;;
    programs) alive "$(postgres_pid)" ;;
  esac
}

postgres_init() {
  mkdir -p "$STATE/postgres"
  printf '%s\n' "$PG_PASSWORD" >"$STATE/postgres/password"
  own_directory postgres "$STATE/postgres"
  become postgres
  (
    cd "$STATE/postgres" || exit
    "${AS[@]}" "$(postgres_bin)/initdb" -D data -U tapedeck --pwfile=password --auth=scram-sha-256 \
      --encoding=UTF8 --locale=C.UTF-8 --no-sync >init.log 2>&1 && rm password
  )
}

postgres_ctl() {
  become postgres
  (
    cd "$STATE/postgres" || exit
    "${AS[@]}" "$(postgres_bin)/pg_ctl" -s -w -t 60 -D data -l server.log \
      -o "-p $PG_PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories=$STATE/postgres ${POSTGRES_SETTINGS[*]}" \
      "$@" >>control.log 2>&1 </dev/null
  )
}

# --- in a container ---------------------------------------------------------------------------------

postgres_docker_image() { docker_has_image "$POSTGRES_IMAGE"; }

postgres_docker_create() {
  docker create --name "$PG_NAME" --label tapedeck.services="$STATE" -p "127.0.0.1:$PG_PORT:5432" \
    -e POSTGRES_USER=tapedeck -e POSTGRES_PASSWORD="$PG_PASSWORD" -e POSTGRES_DB=postgres \
    "$POSTGRES_IMAGE" "${POSTGRES_SETTINGS[@]}" >/dev/null
}
