#!/usr/bin/env bash
# Two receivers on one device: the newer takes over, the older is told and stops, nothing is lost or shown
# twice. Commands that do not receive run beside a receiver and disturb nobody.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob

# receive NAME: bob receives until stopped, into files of that name.
receive() {
    "$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/$1" 2> "$DIR/$1.err" &
    RECEIVER=$!
}
shows() { grep -q "\"text\":\"$2\"" "$DIR/$1"; }

receive old
OLD=$RECEIVER
say alice bob "one"
wait_for "the first receiver shows it" shows old one

# Unattached commands of the same device, beside it.
say bob alice "from beside"
as bob 0 --json status "$ID"
as bob 0 --json outbox
is_gone "$OLD" && fail "an unattached command ended the receiver: $(cat "$DIR/old.err")"
say alice bob "two"
wait_for "it still receives" shows old two

# A second receiver takes over.
receive new
NEW=$RECEIVER
ended "$OLD"; equal "$?" 1 "the exit status of the superseded receiver"
grep -q "another recv on this device has taken over" "$DIR/old.err" ||
    fail "the superseded receiver says: $(cat "$DIR/old.err")"
event_wait session_superseded
say alice bob "three"
wait_for "the second receiver shows it" shows new three
say bob alice "from beside again"
is_gone "$NEW" && fail "the second receiver ended: $(cat "$DIR/new.err")"

# A short one takes over, leaves, and the device is offline; what comes then waits.
take_none bob
ended "$NEW"; equal "$?" 1 "the exit status of the second receiver"
say alice bob "four"
ctl 0 explain "$REFERENCE";                       out_has "waiting_offline"
take bob "four"

equal "$(cat "$DIR/old" "$DIR/new" | sed 's/.*"text":"\([a-z]*\)".*/\1/' | tr '\n' ,)" "one,two,three," \
    "all that was shown"
as alice 0 --json recv --count 2 --timeout 10;    lines 2

done_well
