# shellcheck shell=bash disable=SC2034
# lib: what the end-to-end tests share: a relay of their own in a scratch directory, devices, checks of
# what a command printed, and waits that end. Sourced, not run.
#
# A test sees a relay as three people do: the user (as), support and operators (ctl), and engineering
# (event_wait, log_wait). Nothing waits for a fixed time; wait_for polls until something holds, and the
# test fails when that takes too long.
# Needs SEALMQ_BIN, the directory of the built programs. With KEEP=1 the scratch directory stays. SEALMQ_PORTS is the first of
# this test's own 40 ports, which tests/e2e.cmake gives; by hand there is one range for all. With SEALMQ_JOINED=1 relays have broker
# and storage in one process.
set -u

BIN="${SEALMQ_BIN:?set SEALMQ_BIN to the directory that has sealmqd}"
TEST="$(basename "$0" .sh)"
DIR="$(mktemp -d /tmp/sealmq-e2e.XXXXXX)" || exit 1
RELAY="$DIR/relay"
CONFIG="$RELAY/sealmq.zpl"
SUPERVISOR='' # process id of sealmqd
PORT=''
PORTS="${SEALMQ_PORTS:-17920}"

# Ends what this shell started and nothing else; a relay's processes end with their sealmqd.
cleanup() {
    local status=$? pid
    trap - EXIT INT TERM
    [ -z "${KEEP:-}" ] || echo "$TEST: kept $DIR" >&2
    exec 2> /dev/null # where the shell would name each process that it ends
    for pid in $(jobs -p); do
        kill -KILL "$pid"
    done
    wait
    if [ -z "${KEEP:-}" ]; then # processes that are just ending may still write
        for _ in 1 2 3 4 5; do rm -rf "$DIR" && break; sleep 0.1; done
    fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "$TEST: $*" >&2
    [ -e "$DIR/out" ] && echo "  stdout: $(head -c 1200 "$DIR/out" | tr -d '\0')" >&2
    [ -e "$DIR/err" ] && echo "  stderr: $(head -c 1200 "$DIR/err" | tr -d '\0')" >&2
    [ -e "$DIR/sealmqd" ] && echo "  sealmqd: $(tail -n 5 "$DIR/sealmqd")" >&2
    [ -f "$RELAY/log" ] && echo "  log: $(tail -n 5 "$RELAY/log")" >&2
    exit 1
}

done_well() {
    if grep -qsE 'AddressSanitizer|LeakSanitizer|runtime error:' "$DIR/sealmqd"; then
        fail "a sanitizer spoke in the relay"
    fi
    echo "$TEST: all well"
}

# wait_for WHAT COMMAND...: until the command succeeds, 15 s at most, or WAIT_S.
wait_for() {
    local what="$1" end=$((SECONDS + ${WAIT_S:-15}))
    shift
    until "$@"; do
        [ "$SECONDS" -le "$end" ] || fail "waited in vain: $what"
        sleep 0.05
    done
}

# ---- running programs ----

# run EXIT PROGRAM ARGUMENTS...: the program ends with EXIT within 20 s; its output is in $DIR/out and
# $DIR/err. INPUT names a file for standard input.
run() {
    local wanted="$1" got program="$2"
    shift 2
    timeout -k 5 20 "$BIN/$program" "$@" > "$DIR/out" 2> "$DIR/err" < "${INPUT:-/dev/null}"
    got=$?
    [ "$got" = "$wanted" ] || fail "$program $* ended with $got, not $wanted"
    if grep -qE 'AddressSanitizer|LeakSanitizer|runtime error:' "$DIR/err"; then
        fail "$program $*: a sanitizer spoke"
    fi
}

# as DEVICE EXIT ARGUMENTS...: the user.
as() {
    local device="$1" wanted="$2"
    shift 2
    run "$wanted" sealmq --home "$DIR/$device" "$@"
}

# ctl EXIT ARGUMENTS...: support and operators.
ctl() {
    local wanted="$1"
    shift
    run "$wanted" sealmqctl --config "$CONFIG" "$@"
}

# ---- what was printed ----

out_has() { grep -qF -- "$1" "$DIR/out" || fail "standard output lacks: $1"; }
out_lacks() { ! grep -qF -- "$1" "$DIR/out" || fail "standard output has: $1"; }
err_has() { grep -qF -- "$1" "$DIR/err" || fail "standard error lacks: $1"; }
err_lacks() { ! grep -qF -- "$1" "$DIR/err" || fail "standard error has: $1"; }
err_silent() { [ ! -s "$DIR/err" ] || fail "standard error should be empty"; }
one_error() { [ "$(wc -l < "$DIR/err")" = 1 ] || fail "an error is not one line"; }
lines() { [ "$(wc -l < "$DIR/out")" = "$1" ] || fail "$1 lines were expected"; }
# json_lines: each line is one object (as far as sed can tell).
json_lines() { ! grep -qv '^{.*}$' "$DIR/out" || fail "a line is no JSON object"; }
# field NAME [FILE]: the first string, number or word of that name in the last output.
field() {
    grep -oE "\"$1\":(\"[^\"]*\"|[0-9a-z.]+)" "${2:-$DIR/out}" | sed -n '1{s/^"[^"]*"://; s/"//g; p}'
}
equal() { [ "$1" = "$2" ] || fail "$3: \"$1\" is not \"$2\""; }

# ---- the relay ----

listening() { (exec 3<> "/dev/tcp/127.0.0.1/$PORT") 2> /dev/null; }

# port_choose: PORT is a free one of this test's, of which two runs at once begin with different ones.
port_choose() {
    local i
    for ((i = 0; i < 40; i++)); do
        PORT=$((PORTS + ($$ + i) % 40))
        listening || return 0
    done
    fail "no port is free from $PORTS on"
}

# relay_make: configures a relay in $RELAY. Restarts are quick, as tests have little time.
relay_make() {
    port_choose
    run 0 sealmqd --init "$RELAY" --port "$PORT"
    relay_set relay restart_ms 200
    [ -z "${SEALMQ_JOINED:-}" ] || relay_set relay joined yes
}

# relay_set SECTION KEY VALUE
relay_set() { sed -i "s|^$1\$|&\n    $2 = \"$3\"|" "$CONFIG"; }

relay_serves() {
    timeout 5 "$BIN/sealmqctl" --config "$CONFIG" --json status 2> /dev/null > "$DIR/overview" || return 1
    grep -q '"role":"storage","state":"serving"' "$DIR/overview" &&
        grep -q '"role":"fanout"' "$DIR/overview"
}

# relay_start: starts it and waits until it serves.
relay_start() {
    "$BIN/sealmqd" --config "$CONFIG" >> "$DIR/sealmqd" 2>&1 &
    SUPERVISOR=$!
    wait_for "the relay serves" relay_serves
}

# relay_stop: as an operator does it; it must leave cleanly.
relay_stop() {
    kill -TERM "$SUPERVISOR"
    ended "$SUPERVISOR" || fail "sealmqd ended with $? after SIGTERM"
    SUPERVISOR=''
}

# relay_kill: all of it at once.
relay_kill() {
    kill -KILL "$SUPERVISOR"
    ended "$SUPERVISOR" 2> /dev/null
    SUPERVISOR=''
}

is_gone() { ! kill -0 "$1" 2> /dev/null; }
# Not a child that only waits to be reaped either.
is_dead() { is_gone "$1" || grep -q '^State:.*Z' "/proc/$1/status" 2> /dev/null; }

# ended PID: waits for a process that this shell started; its exit status.
ended() {
    wait_for "process $1 ends" is_dead "$1"
    wait "$1" 2> /dev/null
}

# child NAME: the process id of the relay's sealmq-NAME (joined, of the one that has it); empty = there is none.
child() {
    local pid name="$1"
    case "${SEALMQ_JOINED:-}$name" in 1broker | 1storage) name=relay ;; esac
    for pid in $(cat "/proc/$SUPERVISOR/task/$SUPERVISOR/children" 2> /dev/null); do
        [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "sealmq-$name" ] && echo "$pid"
    done
}
child_is_new() {
    local pid
    pid="$(child "$1")"
    [ -n "$pid" ] && [ "$pid" != "$2" ]
}

# child_end NAME SIGNAL: ends one of the relay's processes; returns when sealmqd has a new one.
child_end() {
    local pid
    pid="$(child "$1")"
    [ -n "$pid" ] || fail "there is no sealmq-$1"
    kill "-$2" "$pid"
    wait_for "sealmq-$1 is started again" child_is_new "$1" "$pid"
}

# ---- devices ----

# device_make NAME...: homes of that name, registered.
device_make() {
    local name
    for name in "$@"; do
        as "$name" 0 --json init --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" \
            --handle "$name"
    done
}

# say FROM TO TEXT [ARGUMENTS...]: accepted (and taken at once, if the recipient is quick); its id is in ID, its reference in REFERENCE.
say() {
    local from="$1"
    shift
    as "$from" 0 --json send "$@"
    ID="$(field id)"
    REFERENCE="$(field reference)"
    case "$(field state)" in accepted | settled) ;; *) fail "not accepted" ;; esac
}

# follow_start, follow_end: bob shows what comes, as it comes; at the end all that innocent sent was shown, in order and
# once. innocent: one more message from alice goes through.
follow_start() {
    "$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
    FOLLOW=$!
    SAID=0
}
followed() { [ "$(wc -l < "$DIR/follow")" = "$SAID" ] && grep -qF "\"text\":\"$1\"" "$DIR/follow"; }
innocent() {
    SAID=$((SAID + 1))
    say alice bob "message $SAID"
    wait_for "message $SAID is shown" followed "message $SAID"
}
follow_end() {
    kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow: $(cat "$DIR/follow.err")"
    equal "$(sed 's/.*"text":"message \([0-9]*\)".*/\1/' "$DIR/follow")" "$(seq "$SAID")" "what was shown"
}

# take NAME TEXT: the device's next message is this one.
take() {
    as "$1" 0 --json recv --count 1 --timeout 10
    out_has "\"text\":\"$2\""
}

# take_none NAME: nothing waits for the device.
take_none() { as "$1" 4 --json recv --timeout "${2:-1}"; lines 0; }

# state_is DEVICE MESSAGE PATTERN: for wait_for: what the sender's status says.
state_is() {
    timeout 10 "$BIN/sealmq" --home "$DIR/$1" --json status "$2" > "$DIR/out" 2> "$DIR/err"
    grep -q -- "$3" "$DIR/out"
}

# explained REFERENCE CODE: for wait_for: support's answer.
explained() {
    timeout 10 "$BIN/sealmqctl" --config "$CONFIG" --json explain "$1" > "$DIR/out" 2> "$DIR/err"
    grep -q "\"devices\":\[{[^]]*\"code\":\"$2\"" "$DIR/out"
}

# ---- what engineering sees ----

has_event() {
    timeout 5 "$BIN/sealmqctl" --config "$CONFIG" --json events --limit 64 > "$DIR/out" 2> "$DIR/err"
    grep -qE -- "\"event\":\"$1\".*${2:-}" "$DIR/out"
}
# event_wait NAME [PATTERN]: it is, or soon will be, among the store's newest events.
event_wait() { wait_for "event $1 ${2:-}" has_event "$@"; }

has_log() { grep -qE -- "\"event\":\"$1\".*${2:-}" "$RELAY/log"; }
# log_wait NAME [PATTERN]: the same in the log file.
log_wait() { wait_for "$1 ${2:-} in the log" has_log "$@"; }
