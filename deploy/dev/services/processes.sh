# shellcheck shell=bash
# Processes, ports, users and time: what services.sh needs of the machine.

say() { printf 'services: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

now_ms() {
  if [[ -n ${EPOCHREALTIME:-} ]]; then
    echo $((${EPOCHREALTIME//[.,]/} / 1000))
  else
    echo $((SECONDS * 1000))
  fi
}

since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d s\n' $((ms / 1000)) $((ms % 1000 / 100))
}

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || true; }

secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range from which the kernel picks ports for outgoing connections, so that a server that
# is stopped for a while finds its port free again.
free_port() {
  local port
  for _ in {1..200}; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    [[ " ${TAKEN:-} " == *" $port "* ]] && continue
    listens "$port" || { TAKEN="${TAKEN:-} $port"; REPLY=$port; return 0; }
  done
  die "found no free port between 20000 and 31999"
}

# A zombie is gone: where process 1 reaps nothing, it would answer for ever.
alive() {
  [[ -n ${1:-} ]] && kill -0 "$1" 2>/dev/null || return 1
  [[ ! -r /proc/$1/stat ]] || ! grep -qs '^[0-9]* (.*) Z' "/proc/$1/stat"
}

# wait_until SECONDS COMMAND…: true as soon as COMMAND is.
wait_until() {
  local deadline=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    [[ $(now_ms) -lt $deadline ]] || return 1
    sleep 0.1
  done
}

gone() { ! alive "$1"; }

# In a session of its own, so that Ctrl-C reaches us and not the servers before we take them down.
# Replaces the shell that calls it, so that shell's process id is the server's: use it as `( … ) &`.
exec_detached() {
  if command -v setsid >/dev/null; then exec setsid "$@"; else exec nohup "$@"; fi
}

# become USER: fills AS, a prefix for commands. Servers do not run as root; anybody else runs them as themselves.
become() {
  # shellcheck disable=SC2034 # read by the callers
  AS=()
  [[ $EUID -eq 0 ]] || return 0
  local user
  user=$(server_user "$1")
  # shellcheck disable=SC2034
  AS=(setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups --)
}

server_user() { if id "$1" >/dev/null 2>&1; then echo "$1"; else echo nobody; fi; }

# A directory in the state directory that belongs to the server's user, with what is in it.
own_directory() {
  local user=$1 path=$2
  mkdir -p "$path"
  chmod 700 "$path"
  [[ $EUID -ne 0 ]] || chown -R "$(server_user "$user"):" "$path"
}

# More than once: a server's last child may still be writing.
discard() { wait_until 5 rm -rf "$1" 2>/dev/null || say "could not remove $1"; }

# Bash runs a trap only after the foreground command ends, so the command runs in the background and
# gets what a foreground one has: standard input, and signals that bash would have it ignore.
run_to_its_end() {
  local status=0 child
  if ! env --default-signal=INT true 2>/dev/null; then
    "$@" || status=$?
    return "$status"
  fi
  env --default-signal=INT,QUIT -- "$@" <&0 &
  child=$!
  trap 'kill -TERM "$child" 2>/dev/null' TERM HUP
  trap 'true' INT
  wait "$child" || status=$?
  while alive "$child"; do
    status=0
    wait "$child" || status=$?
  done
  return "$status"
}

docker_answers() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

docker_has_image() { docker image inspect "$1" >/dev/null 2>&1 || docker pull -q "$1" >/dev/null; }

docker_runs() { [[ $(docker inspect -f '{{.State.Running}}' "$1" 2>/dev/null) == true ]]; }
