#!/usr/bin/env bash
# The memory backend (row 49): never says "synced", and after a restart says honestly what is gone.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make 18200
relay_set storage backend memory
relay_start
device_make alice bob

say alice bob "kept in memory"
out_has '"level":"memory"'; out_lacks "synced"
as alice 0 status "$ID";                          out_has "memory"; out_lacks "synced"
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
as alice 0 --json status "$FORGOTTEN";            out_has '"level":"memory"'; out_lacks "synced"
say alice bob "and on it goes";                   out_has '"level":"memory"'
take bob "and on it goes"

# The sender's copy is still there: it could be sent again, or said to be lost.
told() { ! state_is alice "$FORGOTTEN" '"state":"queued","outcome":"open"'; }
gap "the sender of a forgotten message is told, or sends it again" told

done_well
