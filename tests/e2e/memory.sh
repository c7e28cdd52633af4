#!/usr/bin/env bash
# The memory backend (row 49): never says "synced", and after a restart says honestly what is gone.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_set storage backend memory
relay_start
device_make alice bob

say alice bob "kept in memory"
out_has '"level":"memory"'; out_lacks "synced"
as alice 0 status "$ID";                          out_has "memory"; out_lacks "synced"
KEPT="$ID"
take bob "kept in memory"
say alice bob "about to be forgotten"
FORGOTTEN="$ID"; TICKET="$REFERENCE"
ctl 0 explain "$TICKET";                          out_has "waiting_offline"
[ ! -e "$RELAY/store" ] || fail "the memory backend wrote a store"
BEFORE="$(sed -n 's/.*"event":"store_opened".*"store":"\([0-9a-f]*\)".*/\1/p' "$RELAY/log")"

# A restart forgets: another store, nobody is registered, support says so.
relay_stop
relay_start
AFTER="$(sed -n 's/.*"event":"store_opened".*"store":"\([0-9a-f]*\)".*/\1/p' "$RELAY/log" | tail -n 1)"
[ -n "$AFTER" ] && [ "$AFTER" != "$BEFORE" ] || fail "a forgetful store kept its name"
ctl 1 explain "$TICKET";                          out_has "never_accepted"

# The devices register again by themselves, and what was received before is not shown again.
as bob 4 --json recv --timeout 1;                 lines 0
event_wait account_created '"devices":1'
say alice bob "and on it goes";                   out_has '"level":"memory"'

# The sender's copies are sent again, also of what was settled without its hearing of it: shown once each.
sent_again() { state_is alice "$FORGOTTEN" '"state":"\(accepted\|settled\)".*"level":"memory"' && grep -q "\"store\":\"$AFTER\"" "$DIR/out"; }
wait_for "the forgotten message is with the new store" sent_again
out_lacks "synced"
event_wait resent_after_loss
as bob 0 --json recv --count 2 --timeout 10
equal "$(grep -o '"text":"[^"]*"' "$DIR/out" | sort | tr -d '\n')" '"text":"about to be forgotten""text":"and on it goes"' "what came"
take_none bob
wait_for "the sender hears of its end" state_is alice "$FORGOTTEN" '"state":"settled"'
wait_for "and of the one before" state_is alice "$KEPT" '"state":"settled"'

# The worker alone is killed, under living sessions: they notice, register again, and so does the rest.
"$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!
say alice bob "before the kill"
shown() { [ "$(wc -l < "$DIR/follow")" = "$1" ]; }
wait_for "it is shown" shown 1
child_end storage KILL
wait_for "storage serves again" relay_serves
wait_for "the running receiver registers again" has_event account_created
as alice 0 --json status "$ID";                   out_has '"level":"memory"'
say alice bob "after the kill"
wait_for "it is shown" shown 2
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow: $(cat "$DIR/follow.err")"
equal "$(sed 's/.*"text":"\([^"]*\)".*/\1/' "$DIR/follow" | tr '\n' ,)" "before the kill,after the kill," "the order"
take_none bob

done_well
