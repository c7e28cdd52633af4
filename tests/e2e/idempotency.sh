#!/usr/bin/env bash
# One id is one message: a double tap (also of two processes at once, also after a restart) arrives once,
# and other content under the same id is refused, by the device that knows it and by the relay.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob carol

# A double tap, before and after delivery, and after the relay came back.
UUID="$(cat /proc/sys/kernel/random/uuid)"
say alice bob "tap" --id "$UUID"
FIRST="$ID"; RECEIPT="$(field mac)"
say alice bob "tap" --id "$UUID";                 equal "$ID" "$FIRST" "the id of a double tap"
equal "$(field mac)" "$RECEIPT" "the receipt of a double tap"
take bob "tap"
say_settled() {
    as alice 0 --json send bob "tap" --id "$UUID"
    equal "$(field id)" "$FIRST" "the id of a late double tap"
}
say_settled
relay_stop; relay_start
say_settled
take_none bob

# Taps of several processes at once.
for i in 1 2 3 4; do
    timeout 20 "$BIN/sealmq" --home "$DIR/alice" send bob "at once" --id at-once > "$DIR/out.$i" 2>&1 &
    TAPS[i]=$!
done
for i in 1 2 3 4; do ended "${TAPS[i]}" || fail "tap $i: $(cat "$DIR/out.$i")"; done
equal "$(sed -n 's/^\([0-9a-f-]\{36\}\) .*/\1/p' "$DIR"/out.? | sort -u | wc -l)" 1 "ids of one tap"
take bob "at once"
take_none bob

# Row 3, the device: other content, or another recipient, under an id that it knows.
as alice 1 send bob "other text" --id "$UUID";    one_error; err_has "belongs to another message"
as alice 1 send carol "tap" --id "$UUID";         one_error
take_none bob 0

# Row 3, the relay: a copy of the home (a restored device) says another thing under the same id.
cp -r "$DIR/alice" "$DIR/copy"
V7="$(printf '%012x' "$(date +%s%3N)" | sed 's/^\(.\{8\}\)\(.\{4\}\)$/\1-\2/')-7abc-8def-0123456789ab"
say alice bob "said first" --id "$V7";            equal "$ID" "$V7" "the caller's UUIDv7"
as copy 1 --json send bob "said second" --id "$V7"
out_has '"state":"refused"'; out_has '"reason":"id_reused"'; err_has "id_reused"; err_has "warning: This device was set back"
equal "$(wc -l < "$DIR/err")" 2 "lines of error and warning"
take bob "said first"
take_none bob
# The sender's client version is that of its session.
SENDER="$(sed -n 's/.*"event":"id_reused".*"device":"\([0-9a-f]*\)".*/\1/p' "$RELAY/log")"
event_wait session_started "\"client_version\":\"[0-9.]+\",\"device\":\"$SENDER\""
event_wait id_reused '"message":"[0-9a-f]{16}"'
ctl 0 explain "$REFERENCE";                       out_has "settled"

# The same content from the copy is the same message, where nothing makes its bytes others: sealed, they are new each time.
cp -r "$DIR/alice" "$DIR/twin"
V7="${V7%ab}cd"
say alice bob "said twice" --id "$V7" --opaque
say twin bob "said twice" --id "$V7" --opaque
take bob "said twice"
take_none bob

# Engineering sees how often an answer was repeated.
repeated() { relay_serves && [ "$(field repeated "$DIR/overview")" -ge 1 ]; }
wait_for "status counts the repeated answer" repeated

done_well
