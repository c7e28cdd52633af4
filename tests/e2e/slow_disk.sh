#!/usr/bin/env bash
# A disk that hangs (row 41): nothing is accepted before it is on it, and nothing is lost. Broker and storage in one loop:
# once the disk has been slow, the loop waits for it no more, so that who needs no disk is served; and the end comes all the
# same, in its time.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export SEALMQ_DISK_HANGS="$DIR/hangs"
HOOK="${SEALMQ_DISK:?set SEALMQ_DISK to the preloaded disk}"

waits() { [ -e "$SEALMQ_DISK_HANGS.waits" ]; }

# It hangs, and alice sends; returns when a sync waits.
hang_with() {
    touch "$SEALMQ_DISK_HANGS"
    "$BIN/sealmq" --home "$DIR/alice" --json send bob "$1" > "$DIR/sent" 2> "$DIR/sent.err" &
    SENDER=$!
    wait_for "a sync waits" waits
}

relay_make
relay_set broker drain_ms 200
LD_PRELOAD="$HOOK" relay_start
device_make alice bob
say alice bob "before"

hang_with "during"
sleep 1 # so long nobody is heard, and nobody is blamed for it
grep -q accepted "$DIR/sent" && fail "accepted although it is not on the disk"
rm "$SEALMQ_DISK_HANGS"
ended "$SENDER" || fail "the sender ended with $?: $(cat "$DIR/sent.err")"
grep -q '"state":"accepted"' "$DIR/sent" || fail "it says: $(cat "$DIR/sent")"
grep -qE '"event":"(worker_lost|address_banned)"' "$RELAY/log" && fail "somebody is blamed: $(tail -n 5 "$RELAY/log")"

# The disk was slow: from now on who needs none is served beside it.
say alice bob "between"
hang_with "again"
ctl 0 --json status
out_has '"role":"storage"'
waits || fail "no sync waits any more"
grep -q accepted "$DIR/sent" && fail "accepted although it is not on the disk"
rm "$SEALMQ_DISK_HANGS"
ended "$SENDER" || fail "the sender ended with $?: $(cat "$DIR/sent.err")"
for text in before during between again; do take bob "$text"; done
take_none bob

# A planned end while it hangs: sealmqd leaves, and what was accepted is there.
say alice bob "kept"
hang_with "unknown"
kill -TERM "$SUPERVISOR"
wait_for "sealmqd ends although the disk hangs" is_dead "$SUPERVISOR"
rm "$SEALMQ_DISK_HANGS"
if [ -n "${SEALMQ_JOINED:-}" ]; then
    grep -q "left as by a kill" "$DIR/sealmqd" || fail "it did not leave by itself: $(tail -n 3 "$DIR/sealmqd")"
fi
wait "$SUPERVISOR" 2> /dev/null
SUPERVISOR=''
is_dead "$SENDER" || kill -TERM "$SENDER"
relay_start
take bob "kept"
relay_stop
done_well
