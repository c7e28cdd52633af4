#!/usr/bin/env bash
# How a message ends other than by arriving: its time passes (row 43: only its own), or its mailbox is full.
# The sender, the recipient, support and engineering each learn it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_set storage mailbox_messages 5
relay_start
device_make alice bob carol

# Expiry. One with a time to live of its own, between two without.
say alice bob "stays 1"
say alice bob "goes" --ttl 1
GONE="$REFERENCE"; GONE_ID="$ID"
say alice bob "stays 2"; STAYS="$REFERENCE"
wait_for "support sees it expired" explained "$GONE" expired
out_has '"payload_bytes":0'; out_has '"outcome":"expired"'
ctl 0 explain "$GONE";                            out_has "its time to live passed"
wait_for "the sender sees it expired" state_is alice "$GONE_ID" '"outcome":"expired"'
out_has '"state":"refused"'
as alice 0 status "$GONE_ID";                     out_has "expired"
event_wait delivery_expired '"level":"info"'
as bob 0 --json recv --count 2 --timeout 10
out_has '{"id":null,"state":"gap","reason":"expired","count":1}'
equal "$(sed -n 's/.*"text":"\([^"]*\)".*/\1/p' "$DIR/out" | tr '\n' ,)" "stays 1,stays 2," "what stays"
wait_for "the others are settled" explained "$STAYS" settled
take_none bob # a gap is told once
say alice bob "goes too" --ttl 1
wait_for "support sees it expired" explained "$REFERENCE" expired
say alice bob "stays 3"
as bob 0 recv --timeout 10;                       out_has "alice: stays 3"; err_has "1 message(s) will not come (expired)"

# Quota. The sixth is kept by its sender; nothing was accepted, so nothing is lost.
for i in 1 2 3 4 5; do say alice bob "fills $i"; done
as alice 3 --json send bob "over" --timeout 2
one_error; err_has "no device of the recipient has room"; out_has '"reason":"mailbox_full"'
OVER="$(field reference)"; OVER_ID="$(field id)"
as alice 3 send bob "over, too" --timeout 0;      err_has "not accepted yet"
as alice 0 --json outbox
equal "$(grep -c '"state":"accepted"' "$DIR/out")" 5 "accepted messages"
grep -q "\"id\":\"$OVER_ID\".*\"reason\":\"mailbox_full\"" "$DIR/out" || fail "the outbox does not say why"
ctl 1 explain "$OVER";                            out_has "never_accepted"
event_wait send_refused '"status":"mailbox_full"'
say alice carol "others have room"; take carol "others have room"
as bob 0 --json recv --count 5 --timeout 10;      lines 5; out_lacks gap

# There is room again: it goes out.
as alice 0 --json outbox --flush --timeout 10
as bob 0 --json recv --count 2 --timeout 10
equal "$(sed -n 's/.*"text":"\([^"]*\)".*/\1/p' "$DIR/out" | tr '\n' ,)" "over,over, too," "what waited"
take_none bob

done_well
