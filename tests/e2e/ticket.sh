#!/usr/bin/env bash
# "My message did not arrive" (row 11), and a recipient that never acknowledges (row 16): from the
# reference that the user reads out, support gets an answer from the closed list at every stage.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
BOB="$(field device)"

# What support gets: told by the sender's own status, before the recipient was ever there.
say alice bob "where is it"
as alice 0 --json status "$ID"
REFERENCE="$(field reference)"
equal "${#REFERENCE}" 109 "the length of the reference"
out_has '"state":"queued"'; out_has '"outcome":"open"'
as alice 0 status "$ID";                          out_has "$REFERENCE"
ctl 0 --json explain "$REFERENCE"
lines 1; json_lines; out_has "\"id\":\"$ID\""; out_has '"code":"waiting_offline"'
out_has "\"device\":\"$BOB\""; out_has '"payload_bytes":'; out_has '"accepted_at":'
out_lacks "where is it"
ctl 0 explain "$REFERENCE"
out_has "waiting_offline"; out_has "the device has not been online since"; out_has "last seen"

# Read out: in small letters, in groups, with o for 0.
SPOKEN="$(echo "$REFERENCE" | tr '[:upper:]0' '[:lower:]o' | sed 's/.\{5\}/&-/g')"
ctl 0 explain "$SPOKEN";                          out_has "waiting_offline"
ctl 0 explain "$(echo "$SPOKEN" | tr - ' ')";     out_has "waiting_offline"

# One device, no such device, no device id.
ctl 0 --json explain "$REFERENCE" --device "$BOB"; out_has '"code":"waiting_offline"'
ctl 0 explain "$REFERENCE" --device 00112233445566778899aabbccddeeff; out_has "no_such_device"
ctl 2 explain "$REFERENCE" --device bob;          one_error; err_has "--device"

# Misread: said to be so, never answered about another message.
# misread AT: the reference with another character in that place.
misread() {
    local other=7
    [ "${REFERENCE:$1:1}" = 7 ] && other=8
    echo "${REFERENCE:0:$1}$other${REFERENCE:$1 + 1}"
}
for at in 0 1 40 107 108; do
    ctl 1 explain "$(misread $at)";               one_error; err_has "check-sum"
done
ctl 1 explain "${REFERENCE%?}";                   one_error; err_has "108 letters"
ctl 1 explain "$ID";                              one_error

# The recipient's device is there and does not receive: then "not online since" would be untrue, as the next line shows.
AWAY="$REFERENCE"
say bob alice "bob writes only";                  take alice "bob writes only"
REFERENCE="$AWAY"
ctl 0 explain "$REFERENCE";                       out_has "waiting_away"; out_has "not connected to receive"; out_lacks "not been online"

# Never accepted: made while the relay was away.
relay_stop
as alice 3 --json send bob "not yet" --timeout 0
DRAFT="$(field reference)"
[ -n "$DRAFT" ] || fail "a queued message has no reference"
relay_start
ctl 1 --json explain "$DRAFT";                    out_has '"code":"never_accepted"'
ctl 1 explain "$DRAFT";                           out_has "never accepted a message"
ctl 0 explain "$REFERENCE";                       out_has "waiting_away"

# Delivered: settled, nothing is held any more, and it stays so after a restart.
take bob "where is it"
wait_for "support sees it settled" explained "$REFERENCE" settled
out_has '"payload_bytes":0'; out_has '"outcome":"settled"'; out_has '"last_seen":'
relay_stop; relay_start
explained "$REFERENCE" settled || fail "the ledger forgot a settled message"
as alice 0 --json outbox --flush
ctl 0 explain "$DRAFT";                           out_has "waiting_offline"
take bob "not yet"

# Row 16: attached, but it takes nothing. User: not yet delivered. Support: offered, then waiting_slow.
# Engineering: slow_consumer, with how much and how long. Others are served.
"$BIN/sealmq" --home "$DIR/bob" --json recv --count 2 > "$DIR/bob.out" 2>&1 &
BOB_RECV=$!
is_attached() { relay_serves && grep -q '"attached":1,' "$DIR/overview"; }
wait_for "bob is attached" is_attached
kill -STOP "$BOB_RECV"
for i in 1 2 3; do say alice bob "slow $i"; done
THIRD="$REFERENCE"
ctl 0 explain "$THIRD";                           out_has "waiting_slow"
as alice 0 --json status "$ID";                   out_has '"state":"accepted"'; out_has '"outcome":"open"'
say bob alice "an unattached command of the same device"; take alice "an unattached command of the same device"
slow_told() { has_event slow_consumer '"unacked":2,"waiting_ms":1[0-9]{4}'; }
told_quietly() {
    local end=$((SECONDS + 25))
    until slow_told; do [ "$SECONDS" -le "$end" ] || return 1; sleep 0.2; done
}
told_quietly || fail "engineering does not hear of a slow consumer for which nothing new comes"
told_with_news() { say alice bob "one more"; slow_told; }
wait_for "engineering hears of a slow consumer" told_with_news
kill -CONT "$BOB_RECV"
ended "$BOB_RECV" || fail "recv ended with $?: $(cat "$DIR/bob.out")"
take bob "slow 3"
# What came in the last moment is in the inbox already; the relay hears of it in the next session.
as bob 4 --json recv --count 1000 --timeout 1;       out_lacks "slow"
wait_for "all of it is settled" explained "$THIRD" settled

done_well
