#!/usr/bin/env bash
# A recipient's keys change: the next message to it is refused once, repaired and sent, and nobody has to do anything.
# A relay that comes back without the newest entries of a log gets them from whoever holds them.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
say alice bob "before"
take bob "before"
relay_stop
cp -a "$RELAY/store" "$DIR/store-before"
relay_start

# The user: another key, and the history says so.
as bob 0 --json log;                        equal "$(field length)" 1 "length of bob's log"
ACCOUNT="$(field account)"
as bob 0 --json rotate;                     equal "$(field state)" rotated "state"
as bob 0 --json log;                        equal "$(field length)" 2 "length of bob's log"
HEAD="$(field head)"
out_has '"operation":"create"';             out_has '"operation":"replace"'
as bob 0 log;                               out_has "key version 2, 1 of 1 devices active"
event_wait log_appended '"operation":"replace","number":1,"key_version":2'

# Alice's next message is repaired under the same id; she is told of the key, and asked nothing.
as alice 0 --json log bob;                  equal "$(field length)" 1 "what alice holds before"
say alice bob "after"
one_error; err_has "bob has new keys on the device"
take bob "after"
event_wait send_refused '"status":"stale_devices"'
as alice 0 --json log bob
equal "$(field account) $(field length) $(field head)" "$ACCOUNT 2 $HEAD" "what alice holds after"
as alice 1 log nobody;                      one_error; err_has "send it something first"
as alice 2 log "a b";                       one_error

# The relay is set back to before the rotation. Alice, who holds the entry, hands it over and sends.
relay_stop
rm -rf "$RELAY/store"
cp -a "$DIR/store-before" "$RELAY/store"
relay_start
say alice bob "after the relay forgot"
event_wait log_appended '"operation":"replace","number":1,"key_version":2'
event_wait send_refused '"status":"relay_behind"'
event_wait log_restored '"entries":1,"key_version":2'
ctl 0 --json devices bob;                   out_has '"restored_at":"20'; out_has '"restored_entries":1'; out_lacks split
ctl 0 devices bob;                          out_has "1 entries of its log were lost here, and came back from clients"
take bob "after the relay forgot"
as bob 0 --json log;                        equal "$(field length) $(field head)" "2 $HEAD" "bob's log"

# Away from the relay the key is kept; the next command that reaches it goes on.
relay_stop
as bob 3 --json rotate --timeout 1;         one_error
as bob 3 --json rotate --timeout 1
as bob 0 --json log;                        equal "$(field length)" 2 "length while away"
relay_start
as bob 4 --json recv --timeout 2
as bob 0 --json log;                        equal "$(field length)" 3 "length when back"
# The relay that was set back may hand out a one-time prekey for the second time (PROTOCOL 6.4), which bob's device can
# do nothing with, and says so: then alice's client seals the message anew when it next looks.
say alice bob "twice rotated"
arrives() {
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/bob" --json recv --timeout 1 >> "$DIR/late" 2> /dev/null
    grep -q '"text":"twice rotated"' "$DIR/late" && return
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/alice" --json status "$ID" > /dev/null 2>&1
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/alice" outbox --flush --timeout 3 > /dev/null 2>&1
    return 1
}
for _ in 1 2 3 4 5 6 7 8 9 10; do arrives && break; done
grep -qs '"text":"twice rotated"' "$DIR/late" || fail "it does not arrive"
equal "$(wc -l < "$DIR/late")" 1 "what bob has got"

done_well
