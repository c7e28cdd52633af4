#!/usr/bin/env bash
# The relay is restored from an old copy, and so is the device of somebody whose keys have changed since; it changes them again.
# Then there are two histories of his keys, both signed. Who holds the first one is told, and its messages wait; support sees
# it at the account, and engineering gets an alarm, as the relay itself cannot know.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob carol
say alice bob "before"; take bob "before"
relay_stop
cp -a "$RELAY/store" "$DIR/store-before"
cp -a "$DIR/bob" "$DIR/bob-before"
relay_start
as bob 0 --json rotate
say alice bob "with the first key"
ctl 0 --json devices bob;                   out_lacks split; out_lacks restored

relay_stop
rm -rf "$RELAY/store"; cp -a "$DIR/store-before" "$RELAY/store"
rm -rf "$DIR/bob"; cp -a "$DIR/bob-before" "$DIR/bob"
relay_start
as bob 0 --json rotate
# Whoever has not seen the first history notices nothing, and raises no alarm.
say carol bob "from somebody new"; take bob "from somebody new"
ctl 0 --json devices bob;                   out_lacks split

# The user: held, and told why; nothing goes until he says so.
as alice 1 --json send bob "with which key"
out_has '"state":"held"'; err_has "another history of this contact's keys"
# Engineering.
event_wait split_view '"level":"alarm","operation":"replace","number":1,"key_version":2'
log_wait split_view '"level":"alarm"'
# Support.
ctl 0 --json devices bob;                   out_has '"split_at":"20'; out_has '"split_entry":1'
ctl 0 devices bob;                          out_has "TWO HISTORIES: a client holds another entry 1 of its log"
ctl 0 --json devices carol;                 out_lacks split

# Once: the next message of alice, and her next process, say nothing new to operators.
as alice 1 --json send bob "and again"
as alice 0 outbox --flush --timeout 3
equal "$(grep -c '"event":"split_view"' "$RELAY/log")" 1 "alarms"
relay_stop
done_well
