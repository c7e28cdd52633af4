#!/usr/bin/env bash
# restart.sh TERM|KILL: each of the relay's processes is ended so under a running sender and a running
# receiver, and the whole relay too: planned (row 34) or by SIGKILL (rows 24 and 35). Nothing is lost or
# shown twice, the order stays, clients go on by themselves, support and engineering see what it was.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
HOW="${1:?give TERM or KILL}"
TEST="$TEST.$HOW"

NAMES='broker storage fanout'
[ -z "${SEALMQ_JOINED:-}" ] || NAMES='relay fanout'

relay_make
relay_start
device_make alice bob

: > "$DIR/follow"
"$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!

# Exit 3 is no failure: the message is kept, and the next command hands it over. Ends when $DIR/enough is there.
sender() {
    local n=0 status
    while [ ! -e "$DIR/enough" ]; do
        n=$((n + 1))
        timeout 20 "$BIN/sealmq" --home "$DIR/alice" --json send bob "n$n" --timeout 5 > "$DIR/sent" 2> "$DIR/sent.err"
        status=$?
        [ "$status" = 0 ] || [ "$status" = 3 ] || { echo "send ended with $status" > "$DIR/enough"; break; }
        [ "$status" = 0 ] && sed 's/.*"id":"\([^"]*\)".*/\1/' "$DIR/sent" >> "$DIR/accepted"
        echo "$n" > "$DIR/count"
        sleep 0.05 # well below the journal's bound of lines in a second, which are counted below
    done
}
sender &
SENDER=$!

shows_more() { [ "$(wc -l < "$DIR/follow")" -gt "$1" ]; }
# flows: the receiver shows something that was sent from now on.
flows() {
    local shown
    shown="$(wc -l < "$DIR/follow")"
    wait_for "messages flow after $1" shows_more "$((shown + 2))"
}

flows "the start"
for name in $NAMES ${NAMES% fanout}; do
    BEGUN="$(date +%s%3N)"
    child_end "$name" "$HOW"
    flows "sealmq-$name's restart"
    echo "$TEST: sealmq-$name ended: three new messages are shown after $(($(date +%s%3N) - BEGUN)) ms"
done
if [ "$HOW" = TERM ]; then relay_stop; else relay_kill; fi
relay_start
flows "the whole relay's restart"

: >> "$DIR/enough"
ended "$SENDER"
[ ! -s "$DIR/enough" ] || fail "$(cat "$DIR/enough"): $(cat "$DIR/sent.err")"
as alice 0 --json outbox --flush
COUNT="$(cat "$DIR/count")"
shown_all() { [ "$(wc -l < "$DIR/follow")" -ge "$COUNT" ]; }
wait_for "all $COUNT messages are shown" shown_all
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow ended with $?: $(cat "$DIR/follow.err")"
take_none bob

# User: each once, in order; and every accepted one is among them.
for ((i = 1; i <= COUNT; i++)); do echo "n$i"; done > "$DIR/expected"
sed 's/.*"text":"\([^"]*\)".*/\1/' "$DIR/follow" > "$DIR/shown"
cmp -s "$DIR/expected" "$DIR/shown" || fail "shown is not what was sent: $(diff "$DIR/expected" "$DIR/shown" | head -5)"
grep -oF -f "$DIR/accepted" "$DIR/follow" | sort -u > "$DIR/seen"
equal "$(wc -l < "$DIR/seen")" "$(sort -u "$DIR/accepted" | wc -l)" "accepted messages that were shown"

# Support: the last one is settled; all workers are there.
as alice 0 --json status "$(tail -n 1 "$DIR/accepted")"
REFERENCE="$(field reference)"
wait_for "support sees the last one settled" explained "$REFERENCE" settled
ctl 0 status;                                     out_has "storage"; out_has "fanout"; out_has "serving"

# Each of bob's sessions that broke was followed by another.
SESSIONS="$(grep -c '"event":"session_started".*"attached":true' "$RELAY/log")"
[ "$SESSIONS" -ge 3 ] || fail "bob had only $SESSIONS sessions"

# Engineering: what ended, and how often it was started again.
for role in $NAMES; do
    if [ "$HOW" = KILL ]; then
        log_wait process_died "\"role\":\"$role\",\"restarts\":1,\"signal_or_exit_code\":137"
    else
        log_wait process_stopped "\"role\":\"$role\""
        ! has_log process_died || fail "a planned restart counts as a death"
    fi
done
log_wait store_opened '"recovery_ms":[0-9]+[,}]'
! has_log store_loss || fail "an acknowledged commit is gone"
! has_log store_damaged || fail "a store is damaged"

done_well
