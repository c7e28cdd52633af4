#!/usr/bin/env bash
# A device that is attached and reads nothing while much comes for it (row 33): its sockets fill up, the
# relay keeps the rest in the store and its memory to itself, others are served as ever; when the device
# reads again it gets all of it, in order, once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

COUNT=90
relay_make
relay_start
device_make alice bob carol

: > "$DIR/follow"
"$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!
is_attached() { relay_serves && grep -q '"attached":1,' "$DIR/overview"; }
wait_for "bob is attached" is_attached
kill -STOP "$FOLLOW"
memory_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(child "$1")/status"; }
BROKER_KIB="$(memory_kib broker)"

head -c 150000 /dev/urandom | base64 -w 0 > "$DIR/noise"
for ((i = 1; i <= COUNT; i++)); do
    { echo "part $i "; cat "$DIR/noise"; } > "$DIR/large"
    INPUT="$DIR/large" say alice bob -
done
LAST="$REFERENCE"

# Others are not held up; support sees who is; the broker did not swallow it.
say alice carol "meanwhile"; take carol "meanwhile"
ctl 0 explain "$LAST";                            out_has "waiting_slow"
GREW=$(($(memory_kib broker) - BROKER_KIB))
[ "$GREW" -le 40000 ] || grep -qa __asan_init "$BIN/sealmq-broker" || fail "the broker grew by $GREW KiB"
status_tells() { relay_serves && [ "$(field queued_messages "$DIR/overview")" -ge "$COUNT" ]; }
wait_for "status shows what waits" status_tells

kill -CONT "$FOLLOW"
shown_all() { [ "$(wc -l < "$DIR/follow")" -ge "$COUNT" ]; }
wait_for "all of it is shown" shown_all
wait_for "all of it is settled" explained "$LAST" settled
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv ended with $?: $(cat "$DIR/follow.err")"
equal "$(grep -o 'part [0-9]*' "$DIR/follow" | cut -d' ' -f2 | tr '\n' ' ')" "$(seq -s ' ' 1 "$COUNT") " "the order"
take_none bob

done_well
