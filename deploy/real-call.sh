#!/usr/bin/env bash
# One call of your own, with real speech recognition, through everything: webhook, recording, transcript, feedback,
# CRM. CRM and Callmind are simulated; speech is the OpenAI-compatible server STT_BASE_URL; the feedback's model is
# that at MODEL_BASE_URL, else simulated, too.
#
#   deploy/real-call.sh FILE [--shape embedded|production] [--expect TEXT]… [--hold]
#
#   embedded     one process: SQLite, queue in memory, a directory (the default)
#   production   PostgreSQL, RabbitMQ, S3, and one process per worker pool
#   --expect     words of the call, as they must stand in the CRM's note and in Callmind's record
#   --hold       leave it running at the end, until Enter
#
# Settings, all optional:
#   STT_BASE_URL     http://127.0.0.1:9009/v1
#   STT_API_KEY      none; STT_MODEL: the default of TRANSCRIBE_MODEL
#   MODEL_BASE_URL   none; MODEL: its name there; MODEL_CONTEXT: the tokens it can hold
#   PATIENCE         seconds that the call may take, 900
#   TAPEDECK_BIN     directory with tapedeck, sandbox and examples/scratch; unset: cargo builds them
#   KEEP_LOGS        directory that the logs are copied to
# Needs bash 5.1, python3 and curl. Settings for real vendors (environment, .env) are not used: nothing but the
# audio leaves this machine, and that only to STT_BASE_URL, and its words to MODEL_BASE_URL.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
STT_BASE_URL=${STT_BASE_URL:-http://127.0.0.1:9009/v1}
PATIENCE=${PATIENCE:-900}
[[ -z ${MODEL_BASE_URL:-} || -n ${MODEL:-} ]] || { echo "real-call: MODEL_BASE_URL needs MODEL" >&2 && exit 2; }
# Not of this world: 555-01xx numbers are reserved for fiction.
CALLER=+12025550143
LINE=+12025550178

die() {
  printf 'real-call: %s\n' "$*" >&2
  exit 1
}

usage() {
  sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}

FILE='' SHAPE=embedded HOLD='' EXPECT=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --shape) SHAPE=${2:-} && shift ;;
    --shape=*) SHAPE=${1#*=} ;;
    --expect) EXPECT+=("${2:?}") && shift ;;
    --expect=*) EXPECT+=("${1#*=}") ;;
    --hold) HOLD=yes ;;
    -*) usage ;;
    *) [[ -z $FILE ]] || usage && FILE=$1 ;;
  esac
  shift || usage
done
[[ -n $FILE && $SHAPE =~ ^(embedded|production)$ ]] || usage
[[ -f $FILE && -r $FILE ]] || die "there is no readable file $FILE"
FILE=$(realpath "$FILE")

# --- what it is made of -----------------------------------------------------------------------------

for tool in python3 curl sha256sum; do
  command -v "$tool" >/dev/null || die "$tool is needed"
done
curl -fsS -m 5 -o /dev/null ${STT_API_KEY:+-H "Authorization: Bearer $STT_API_KEY"} "$STT_BASE_URL/models" ||
  die "no speech server answers at $STT_BASE_URL: set STT_BASE_URL"

if [[ -z ${TAPEDECK_BIN:-} ]]; then
  cd "$ROOT"
  cargo build --locked -q -p cli -p sandbox
  [[ $SHAPE == embedded ]] || cargo build --locked -q -p shared --features testing --example scratch
  export TAPEDECK_BIN=${CARGO_TARGET_DIR:-$ROOT/target}/debug
fi
if [[ $SHAPE == production && (-z ${TEST_DATABASE_URL:-} || -z ${TEST_AMQP_URL:-}) ]]; then
  exec "$ROOT/deploy/dev/services.sh" run -- "$ROOT/deploy/real-call.sh" "$FILE" --shape "$SHAPE" ${HOLD:+--hold} \
    "${EXPECT[@]/#/--expect=}"
fi

WORK=$(mktemp -d "${TMPDIR:-/tmp}/tapedeck-real-call.XXXXXX")
mkdir "$WORK/logs" "$WORK/data" "$WORK/www"
# In here, because a .env with the keys of real vendors may lie where we were called.
cd "$WORK"

# --- processes --------------------------------------------------------------------------------------

PIDS=() NAMES=()

# spawn NAME COMMAND…: in the background, its words in a log of that name.
spawn() {
  local name=$1
  shift
  (trap '' INT && exec "$@") </dev/null >"$WORK/logs/$name.log" 2>&1 8<&- 9>&- &
  PIDS+=($!) NAMES+=("$name")
}

# The last that was started first; each has half a minute.
stop_all() {
  local index waited status
  for ((index = ${#PIDS[@]} - 1; index >= 0; index--)); do
    kill -TERM "${PIDS[index]}" 2>/dev/null || continue
    for ((waited = 0; waited < 300; waited++)); do
      kill -0 "${PIDS[index]}" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "${PIDS[index]}" 2>/dev/null && echo "real-call: ${NAMES[index]} did not stop in time" >&2
    status=0
    wait "${PIDS[index]}" 2>/dev/null || status=$?
    # The file server knows no orderly end.
    [[ $status -eq 0 || ${NAMES[index]} == files ]] || echo "real-call: ${NAMES[index]} ended with $status" >&2
  done
  PIDS=() NAMES=()
}

tidy() {
  local status=$?
  set +e
  trap '' INT TERM HUP
  stop_all
  if [[ -n ${SCRATCH_PID:-} ]]; then
    exec 9>&- 8<&-
    wait "$SCRATCH_PID"
  fi
  [[ -z ${KEEP_LOGS:-} ]] || { mkdir -p "$KEEP_LOGS" && cp "$WORK"/logs/* "$KEEP_LOGS"; }
  rm -rf "$WORK"
  exit "$status"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

free_ports() {
  python3 - "$1" <<'PY'
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held))
PY
}

# await NAME URL: until it answers 2xx.
await() {
  local deadline=$((SECONDS + 60)) index
  for index in "${!NAMES[@]}"; do [[ ${NAMES[index]} != "$1" ]] || break; done
  until curl -fsS -m 2 -o /dev/null "$2" 2>/dev/null; do
    if ((SECONDS >= deadline)) || ! kill -0 "${PIDS[index]}" 2>/dev/null; then
      die "$1 does not come up: $(tail -n 3 "$WORK/logs/$1.log")"
    fi
    sleep 0.1
  done
}

random() { od -An -N12 -tx1 /dev/urandom | tr -d ' \n'; }

read -r FILES_PORT SANDBOX_PORT INGEST_PORT CONSOLE_PORT INTAKE_PORT FETCH_PORT TRANSCRIBE_PORT ANALYZE_PORT \
  GHL_PORT CALLMIND_PORT INGEST_METRICS_PORT < <(free_ports 11)
SANDBOX=http://127.0.0.1:$SANDBOX_PORT INGEST=http://127.0.0.1:$INGEST_PORT
SECRET=secret-$(random) TOKEN=token-$(random) KEY=key-$(random)
CALL_ID=$((900000000 + RANDOM * 1000 + RANDOM % 1000))
NAME=$(random).${FILE##*.}
URL=http://127.0.0.1:$FILES_PORT/$NAME

# Only these: what is set for real vendors must not be touched by it.
SETTINGS=(
  PATH="$PATH" HOME="$WORK" TMPDIR="$WORK" LOG_FORMAT=json
  HOST=127.0.0.1 PORT="$INGEST_PORT" CONSOLE_PORT="$CONSOLE_PORT" API_TOKEN="$TOKEN" WEBHOOK_BASE_URL="$INGEST"
  TAPEDECK_DATA="$WORK/data" TAPEDECK_SPOOL="$WORK/data"
  CLOUDTALK_WEBHOOK_SECRET="$SECRET" CLOUDTALK_RECORDING_HOSTS="127.0.0.1:$FILES_PORT"
  TRANSCRIBE_BASE_URL="$STT_BASE_URL" TRANSCRIBE_API_KEY="${STT_API_KEY:-none}" TRANSCRIBE_MODEL="${STT_MODEL:-}"
  OPENAI_BASE_URL="$SANDBOX/openai/v1" OPENAI_API_KEY="$KEY"
  FEEDBACK_BASE_URL="${MODEL_BASE_URL:-}" FEEDBACK_MODEL="${MODEL:-}" FEEDBACK_CONTEXT_TOKENS="${MODEL_CONTEXT:-}"
  FEEDBACK_TIMEOUT_SECONDS="${MODEL_BASE_URL:+280}"
  GHL_BASE_URL="$SANDBOX/ghl" GHL_API_KEY="$KEY" GHL_LOCATION_ID=LOCATION
  CALLMIND_BASE_URL="$SANDBOX/callmind/api" CALLMIND_TOKEN="$KEY"
  CALLMIND_AGENT_ID=agent_1 CALLMIND_USER_ID=user_1 CALLMIND_ORG_ID=org_1
)

tapedeck() { env -i "${SETTINGS[@]}" "$TAPEDECK_BIN/tapedeck" "$@"; }

# part NAME METRICS_PORT READY_PORT ARGUMENTS…: one process of ours.
part() {
  local name=$1 metrics=$2 ready=$3
  shift 3
  spawn "$name" env -i "${SETTINGS[@]}" ${RUST_LOG:+"RUST_LOG=$RUST_LOG"} METRICS_PORT="$metrics" "$TAPEDECK_BIN/tapedeck" "$@"
  # Where there is no listener of its own for metrics, the console has them.
  METRICS[$name]=http://127.0.0.1:$((metrics ? metrics : CONSOLE_PORT))/metrics
  READY+=("$name http://127.0.0.1:$ready/readyz")
}

declare -A METRICS=()
READY=()

start_production() {
  # A database, queue names and an S3 server of its own, until its standard input ends.
  mkfifo "$WORK/scratch-in" "$WORK/scratch-out"
  (trap '' INT && exec "$TAPEDECK_BIN/examples/scratch") <"$WORK/scratch-in" >"$WORK/scratch-out" \
    2>"$WORK/logs/scratch.log" &
  SCRATCH_PID=$!
  exec 9>"$WORK/scratch-in" 8<"$WORK/scratch-out"
  local setting=none
  while read -r -t 60 -u 8 setting && [[ -n $setting ]]; do
    SETTINGS+=("$setting")
    setting=none
  done
  [[ -z $setting ]] || die "no scratch installation: $(tail -n 3 "$WORK/logs/scratch.log")"
  tapedeck migrate 2>"$WORK/logs/migrate.log" || die "cannot migrate: $(tail -n 3 "$WORK/logs/migrate.log")"
  part ingest "$INGEST_METRICS_PORT" "$INGEST_PORT" ingest
  part worker-intake "$INTAKE_PORT" "$INTAKE_PORT" worker --steps intake
  part worker-fetch "$FETCH_PORT" "$FETCH_PORT" worker --steps fetch
  part worker-transcribe "$TRANSCRIBE_PORT" "$TRANSCRIBE_PORT" worker --steps transcribe
  part worker-analyze "$ANALYZE_PORT" "$ANALYZE_PORT" worker --steps analyze
  part worker-gohighlevel "$GHL_PORT" "$GHL_PORT" worker --steps sync.gohighlevel
  part worker-callmind "$CALLMIND_PORT" "$CALLMIND_PORT" worker --steps sync.callmind
  part console 0 "$CONSOLE_PORT" console
}

ln -s "$FILE" "$WORK/www/$NAME"
spawn files python3 -m http.server --bind 127.0.0.1 --directory "$WORK/www" "$FILES_PORT"
await files "http://127.0.0.1:$FILES_PORT/"
spawn sandbox env -i PATH="$PATH" "$TAPEDECK_BIN/sandbox" --listen "127.0.0.1:$SANDBOX_PORT"
await sandbox "$SANDBOX/livez"
if [[ $SHAPE == production ]]; then start_production; else part tapedeck 0 "$INGEST_PORT" up; fi
for ready in "${READY[@]}"; do
  # shellcheck disable=SC2086 # a name and a URL
  await $ready
done
echo "$SHAPE: ${#READY[@]} process(es) ready"

# --- the call ---------------------------------------------------------------------------------------

BODY=$(python3 - "$FILE" "$CALL_ID" "$CALLER" "$LINE" "$URL" <<'PY'
import datetime, json, sys, wave
file, call, caller, line, url = sys.argv[1:]
body = {"call_id": int(call), "call_uuid": f"real-{call}", "direction": "incoming", "status": "answered",
        "external_number": caller, "internal_number": line, "contact_name": "Robin Example",
        "agent_id": "7", "agent_name": "Sam Sample", "recording_url": url}
now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
body["ended_at"] = now.isoformat()
try:
    with wave.open(file) as audio:
        seconds = round(audio.getnframes() / audio.getframerate())
    body |= {"duration": seconds, "started_at": (now - datetime.timedelta(seconds=seconds)).isoformat()}
except (wave.Error, EOFError):
    pass
print(json.dumps(body))
PY
)
BEGAN=$EPOCHREALTIME
curl -fsS -o "$WORK/answer" -H "Authorization: Bearer $SECRET" -H 'Content-Type: application/json' \
  --data-binary "$BODY" "$INGEST/api/cloudtalk-webhooks/call-ended" || die "the webhook was refused"
echo "webhook answered after $(python3 -c "print(round(($EPOCHREALTIME - $BEGAN) * 1000))") ms: $(<"$WORK/answer")"

concluded() {
  tapedeck calls show "$CALL_ID" --json >"$WORK/call.json" 2>"$WORK/logs/show.log" || return 1
  python3 - "$WORK/call.json" <<'PY'
import json, sys
call = json.load(open(sys.argv[1]))
ended = all(job["state"] in ("done", "skipped", "dead") for job in call["jobs"])
sys.exit(not (call["call"]["conclusion"] and ended))
PY
}

deadline=$((SECONDS + PATIENCE))
until concluded; do
  ((SECONDS < deadline)) || { tapedeck calls show "$CALL_ID" && die "the call is not done after $PATIENCE s"; }
  sleep 0.5
done
curl -fsS "$SANDBOX/control/state" >"$WORK/state.json"
curl -fsS "$SANDBOX/control/ledger" >"$WORK/ledger.json"

# --- what came of it --------------------------------------------------------------------------------

printf '\n════ tapedeck calls show\n'
tapedeck calls show "$CALL_ID"

python3 - "$WORK" "$CALL_ID" "$BEGAN" <<'PY'
import datetime, json, re, sys
work, call_id, began = sys.argv[1], sys.argv[2], float(sys.argv[3])
call, state, ledger = (json.load(open(f"{work}/{name}.json")) for name in ("call", "state", "ledger"))

def title(text):
    print(f"\n════ {text}")

def since(text):  # Python before 3.11 reads no nanoseconds and no Z
    text = re.sub(r"\.(\d{1,6})\d*", lambda m: "." + m[1].ljust(6, "0"), text).replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(text).timestamp() - began

title("transcript")
for turn in (call["transcript"] or {}).get("turns", []):
    print(f"{turn['start']:7.2f} {turn['end']:7.2f}  {turn['speaker']:9} {turn['text']}")
for contact in state["ghl"]["contacts"]:
    title(f"GoHighLevel: {contact['contactName']}, tags {contact['tags']}")
    for field in contact["customFields"]:
        name = next((f["name"] for f in state["ghl"]["customFields"] if f["id"] == field["id"]), field["id"])
        print(f"{name} = {field['value']}")
    for note in contact["notes"]:
        print(f"──── note\n{note['body']}")
for record in state["callmind"]["records"]:
    title(f"Callmind: record {record['id']}")
    for name, value in record.items():
        if name not in ("id", "history"):
            print(f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
title("seconds since the webhook: last try began, ended")
spans = {}
for job in call["jobs"]:
    step = job["step"] + (f".{job['sink']}" if job["sink"] else "")
    if job["finished_at"]:
        spans[step] = since(job["started_at"] or job["finished_at"]), since(job["finished_at"])
        print(f"{spans[step][0]:8.2f} {spans[step][1]:8.2f}  {step} {job['state']}")
writes = [since(line["at"]) for line in ledger
          if line["vendor"] in ("ghl", "callmind") and line["method"] != "GET" and "/search" not in line["path"]]
if writes and "transcribe" in spans:
    speech = spans["transcribe"][1] - spans["transcribe"][0]
    print(f"{max(writes):17.2f}  last write to a CRM; speech took {speech:.2f}, {100 * speech / max(writes):.1f} %")
PY

# --- is it right ------------------------------------------------------------------------------------

PROBLEMS=0
check() {
  if [[ $2 == "$3" ]]; then echo "ok    $1"; else echo "WRONG $1: $2, not $3" && PROBLEMS=$((PROBLEMS + 1)); fi
}

# What the CRM and Callmind hold, next to what was heard: a line for each check.
held() {
  python3 - "$WORK" "$CALL_ID" "${EXPECT[@]}" <<'PY'
import json, re, sys
work, call_id, *expected = sys.argv[1:]
call, state = (json.load(open(f"{work}/{name}.json")) for name in ("call", "state"))

def check(name, got, want):
    print(name, got, want, sep="\t")

def flat(text):
    return re.sub(r"\s+", " ", text)

check("the call's conclusion", call["call"]["conclusion"], "analyzed")
check("dead jobs", sum(job["state"] == "dead" for job in call["jobs"]), 0)
notes = [note["body"] for contact in state["ghl"]["contacts"] for note in contact["notes"]]
check("contacts", len(state["ghl"]["contacts"]), 1)
records = state["callmind"]["records"]
check("records in Callmind", len(records), 1)
feedback = [note for note in notes if "Feedback" in note.splitlines()[0]]
check("notes: the call and its feedback", f"{len(notes) - len(feedback)} and {len(feedback)}", "1 and 1")
check("notes that name the call", sum(f"Call ID: {call_id}" in note for note in notes), len(notes))
turns = (call["transcript"] or {}).get("turns", [])
words = sum(len(turn["text"].split()) for turn in turns)
check("words were heard", words > 0, True)
held = {"note": flat("\n".join(feedback)), "record": flat("\n".join(record["transcript"] for record in records))}
labelled = {"agent": "Agent: ", "caller": "Caller: "}
for where, text in held.items():
    said = [f"{labelled.get(turn['speaker'], '')}{flat(turn['text'])}" for turn in turns]
    check(f"turns that the {where} holds, each after who said it", sum(turn in text for turn in said), len(turns))
    for phrase in expected:
        check(f"the {where} says {phrase!r}", phrase in text, True)
PY
}

printf '\n════ checks\n'
while IFS=$'\t' read -r name got want; do
  check "$name" "$got" "$want"
done < <(held || printf 'what they hold can be read\tno\tyes\n')
LINK=$(python3 -c 'import json,sys
print(next((r.get("recordingUrl") or "" for r in json.load(open(sys.argv[1]))["callmind"]["records"]), ""))' "$WORK/state.json")
SUM=$(sha256sum <"$FILE") SIZE=$(stat -Lc %s "$FILE")
check "the lasting link brings the same bytes" "$(curl -fsSL "$LINK" | sha256sum)" "$SUM"
curl -fsSL -r 1000-1999 -D "$WORK/head" -o "$WORK/part" "$LINK" || true
header() { tr -d '\r' <"$WORK/head" | grep -i "^$1:" | tail -n 1 | cut -d ' ' -f 2-; }
check "a part of it is answered as a part" "$(header content-range)" "bytes 1000-1999/$SIZE"
check "and as audio" "$(header content-type | cut -d / -f 1)" audio
check "and is that part" "$(sha256sum <"$WORK/part")" "$(tail -c +1001 "$FILE" | head -c 1000 | sha256sum)"
check "with its signature changed it is refused" \
  "$(curl -sS -o "$WORK/refused" -w '%{http_code}' "${LINK%?s=*}?s=AAAAAAAAAAAAAAAAAAAAAAAA")" 403
for name in "${!METRICS[@]}"; do
  curl -fsS "${METRICS[$name]}" >"$WORK/logs/$name.metrics"
done
check "metrics of every process" "$(grep -l '^tapedeck_' "$WORK"/logs/*.metrics | wc -l)" "${#METRICS[@]}"

# What must never be in a log (docs/logging.md): who, what was said, where the audio is, and what opens doors.
leaks() {
  python3 - "$WORK" "${CALLER#+}" "${LINE#+}" "Robin" "Sam Sample" "$NAME" "$SECRET" "$TOKEN" "$KEY" "${LINK##*=}" <<'PY'
import glob, json, re, sys
work, *secrets = sys.argv[1:]
call = json.load(open(f"{work}/call.json"))
needles = {text.lower(): f"secret {n}" for n, text in enumerate(secrets) if text}
said = [turn["text"] for turn in (call["transcript"] or {}).get("turns", [])]
said.append(((call["feedback"] or {}).get("judged") or {}).get("summary", ""))
for text in said:
    words = re.findall(r"[a-z']+", text.lower())
    for n in range(len(words) - 2):
        phrase = " ".join(words[n:n + 3])
        if len(phrase) > 12:
            needles[phrase] = "words of the call"
found = set()
for file in glob.glob(f"{work}/logs/*"):
    name = file.rsplit("/", 1)[1]
    if name.startswith(("files.", "sandbox.", "scratch.")):
        continue  # not ours, or told on purpose
    for number, line in enumerate(open(file, errors="replace"), 1):
        lower = re.sub(r"\s+", " ", line.lower())
        found |= {f"{name}:{number} {what}" for needle, what in needles.items() if needle in lower}
print(", ".join(sorted(found)) or "nothing")
PY
}
check "found of people, words, addresses and secrets in logs and metrics" "$(leaks)" nothing
check "panics" "$(cat "$WORK"/logs/*.log | grep -c 'panicked')" 0
echo 'What was logged as a warning or worse:'
{ grep -hE '"level":"(WARN|ERROR)"' "$WORK"/logs/*.log || true; } |
  sed -E 's/.*"level":"([A-Z]+)","message":"([^"]*)".*"target":"([^"]*)".*/  \1 \3: \2/' | sort | uniq -c

if [[ -n $HOLD ]]; then
  printf '\nIngest %s, secret %s; console http://127.0.0.1:%s, token %s; sandbox %s; work %s\n' \
    "$INGEST" "$SECRET" "$CONSOLE_PORT" "$TOKEN" "$SANDBOX" "$WORK"
  read -rp 'Enter stops it. ' || true
fi
((PROBLEMS == 0)) || die "$PROBLEMS check(s) failed"
