#!/usr/bin/env bash
# The relay is down, or its broker and its storage worker cannot hear each other (row 22): what is typed
# is kept, exit 3 says so, and it arrives once by itself as soon as the relay is back.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# waiting N: the outbox lists N messages that are not accepted.
waiting() { equal "$(grep -cE '"state":"(drafted|encrypted|queued)"' "$DIR/out")" "$1" "messages that wait"; }

relay_make
relay_start
device_make alice bob
say alice bob "before"; take bob "before"
relay_stop

# Down: kept, in one line that names the relay.
as alice 3 --json send bob "first"  --timeout 1
lines 1; out_has '"state":"encrypted"'; one_error; err_has "127.0.0.1:$PORT"; err_has "kept"
FIRST="$(field id)"
as alice 3 send bob "second" --timeout 0;         out_has "encrypted"; err_has "kept"
as alice 0 --json outbox;                         waiting 2; json_lines
as alice 3 --json outbox --flush --timeout 1;     waiting 2; one_error
as alice 0 --json status "$FIRST" --timeout 1;    out_has '"state":"encrypted"'; out_has '"fresh":false'
as alice 0 status "$FIRST" --timeout 0;           err_has "as last known here"
as bob 4 recv --timeout 1;                        one_error; err_has "no relay answers"
# On a terminal, whoever waits for more than a second sees what for.
script -qec "'$BIN/sealmq' --home '$DIR/bob' recv --timeout 2" "$DIR/terminal" > /dev/null < /dev/null
grep -q "no relay answers at .* ([12] s)" "$DIR/terminal" || fail "no progress on a terminal: $(cat "$DIR/terminal")"
ctl 1 status;                                     one_error; err_has "is sealmqd running?"

# The sender's running program hands it over when the relay is back; nobody does anything.
"$BIN/sealmq" --home "$DIR/alice" recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!
relay_start
as bob 0 --json recv --count 2 --timeout 10
equal "$(grep -o '"text":"[^"]*"' "$DIR/out" | tr -d '\n')" '"text":"first""text":"second"' "the order"
wait_for "the sender hears of it" state_is alice "$FIRST" '"state":"settled"'
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow: $(cat "$DIR/follow.err")"

# A send that is under way when the relay goes waits for it.
relay_stop
"$BIN/sealmq" --home "$DIR/alice" --json send bob "third" --timeout 15 > "$DIR/third" 2>&1 &
THIRD=$!
relay_start
ended "$THIRD" || fail "the waiting send: $(cat "$DIR/third")"
grep -q '"state":"accepted"' "$DIR/third" || fail "the waiting send: $(cat "$DIR/third")"
take bob "third"

# Row 22: storage is there, but does not answer. User: kept. Support: nothing was accepted.
# Engineering: worker_lost, with the requests whose outcome nobody knows.
STORAGE="$(child storage)"
kill -STOP "$STORAGE"
as alice 3 --json send bob "fourth" --timeout 3;  one_error; waiting 1
REFERENCE="$(field reference)"; FOURTH="$(field id)"
as alice 3 send bob "fifth" --timeout 0
as bob 4 recv --timeout 1;                        one_error
log_wait worker_lost '"role":"storage","requests_unknown":[0-9]+,"silence_ms":[0-9]{4}'
ctl 0 --json status;                              out_has '"state":"no worker"'
ctl 1 explain "$REFERENCE";                       one_error; err_has "storage worker"
kill -CONT "$STORAGE"
wait_for "storage serves again" relay_serves
as alice 0 --json outbox --flush;                 waiting 0
as bob 0 --json recv --count 2 --timeout 10
equal "$(grep -o '"text":"[^"]*"' "$DIR/out" | tr -d '\n')" '"text":"fourth""text":"fifth"' "the order"
take_none bob
ctl 0 explain "$REFERENCE";                       out_has "settled"
as alice 0 --json status "$FOURTH";               out_has '"state":"settled"'
[ "$(child storage)" = "$STORAGE" ] || fail "a pause made a new storage worker"

done_well
