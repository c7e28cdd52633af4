#!/usr/bin/env bash
# broker/up, the first of the two commands in the README: once from nothing, once again with what the first
# run left, then serving until Ctrl-C. SEALMQ_BIN must be the build/release/bin of this repository.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

UP="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/broker/up"
port_choose

# up EXIT ARGUMENTS...: output in $DIR/out and $DIR/err, as run does.
up() {
    local wanted="$1"
    shift
    timeout -k 5 240 "$UP" --dir "$RELAY" "$@" > "$DIR/out" 2> "$DIR/err" < /dev/null
    equal "$?" "$wanted" "the exit status of broker/up $*"
}

# demonstrated: an envelope each way, every state, and what the relay's disk held.
demonstrated() {
    out_has "device alice: registered"; out_has "device bob: registered"
    out_has "alice sends to bob"; out_has "bob sends to alice"
    out_has ": accepted"; out_has "delivery queued"; out_has "waiting_offline"
    equal "$(grep "the text itself" "$DIR/out" | sed 's/.*: //' | tr '\n' ' ')" "no no yes " "which texts the disk had"
    out_has "received: Hello Bob, this is Alice."; out_has "received: Hello Alice, this is Bob."
    out_has "status: settled; delivery settled"; out_has "of ciphertext"
    ! listening || fail "broker/up --once left a relay behind"
}

up 0 --once --port "$PORT"
demonstrated; out_has "made relay"
[ -f "$RELAY/sealmq.zpl" ] && [ -f "$RELAY/server.pub" ] || fail "sealmq.zpl or server.pub is missing"
KEY="$(cat "$RELAY/server.pub")"

BEGUN=$SECONDS
up 0 --once
demonstrated; out_has "found relay"
equal "$(cat "$RELAY/server.pub")" "$KEY" "the server's key in the second run"
[ $((SECONDS - BEGUN)) -le 15 ] || fail "the second run took $((SECONDS - BEGUN)) s"
up 2 --once --port $((PORT + 1)); one_error; err_has "--port"
up 2 --sideways;                  one_error

# Serves what it said, until Ctrl-C. (A background process of a shell ignores SIGINT unless told otherwise.)
serve() { exec setsid env --default-signal=INT "$UP" --dir "$RELAY"; }
serve > "$DIR/out" 2> "$DIR/err" < /dev/null &
SERVING=$!
serves() { grep -q "serving on tcp://127.0.0.1:$PORT" "$DIR/out"; }
wait_for "broker/up serves" serves
cp "$DIR/out" "$DIR/served"
say_home() { run 0 sealmq --home "$RELAY/demo/alice" --json send bob "while it serves"; }
say_home
kill -INT "$SERVING"
ended "$SERVING" || fail "broker/up ended with $? after Ctrl-C: $(cat "$DIR/served")"
! listening || fail "the relay goes on after Ctrl-C"

done_well
