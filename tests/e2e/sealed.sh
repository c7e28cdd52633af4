#!/usr/bin/env bash
# Sealed messages between real devices: the drill "sender goes offline after tapping send" (row 1), processes that are
# killed between any two steps (row 15), and a device that was set back to an older copy of its home: what the user
# sees, what support sees, what engineering sees.
# Needs SEALMQ_PROXY, the program of proxy.c.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
PROXY_BIN="${SEALMQ_PROXY:?set SEALMQ_PROXY to the program of proxy.c}"
# shellcheck disable=SC2034
WAIT_S=40 # the lease of a dead sender alone is 11 s

relay_make
relay_start
device_make alice bob

# ---- the drill ----

# Somebody she has never met: nothing can be sealed for him yet. The words stay here, and nobody has heard of them.
relay_stop
as alice 3 --json send bob "written offline" --timeout 0
lines 1; out_has '"state":"drafted"'; err_has "kept"
DRAFT="$(field id)"
relay_start
wait_for "the draft goes" sh -c "$BIN/sealmq --home $DIR/alice --json outbox --flush --timeout 5 > $DIR/out 2> $DIR/err"
take bob "written offline"; out_has '"sealed":true'; out_has '"missing":0'
wait_for "it is settled" state_is alice "$DRAFT" '"state":"settled"'

# Somebody she knows: sealed at once, on her disk, and submitted by no one.
relay_stop
as alice 3 --json send bob "sealed offline" --timeout 0
lines 1; out_has '"state":"encrypted"'; err_has "kept"
ID="$(field id)"; REFERENCE="$(field reference)"
as alice 0 --json outbox;                         out_has "$ID"; out_has '"state":"encrypted"'
relay_start
# The user: it waits. Support: the relay has never accepted it, whatever the user says. Engineering: nothing of it.
as alice 0 --json status "$ID" --timeout 0;       out_has '"state":"encrypted"'
ctl 1 --json explain "$REFERENCE";                out_has '"code":"never_accepted"'
ctl 1 explain "$REFERENCE";                       out_has "never accepted"
ctl 0 --json events --limit 64;                   out_lacks decrypt_failed
# Back online: it goes as it was sealed then, once.
as alice 0 --json outbox --flush
take bob "sealed offline"; take_none bob
wait_for "it is settled" state_is alice "$ID" '"state":"settled"'
wait_for "support sees it" explained "$REFERENCE" settled
state_is alice "$ID" '"outcome":"settled"' || fail "no outcome"

# A sealed message is settled when it is opened, printed or not; what was not printed is there the next time.
say alice bob "not printed"
timeout -k 5 20 "$BIN/sealmq" --home "$DIR/bob" recv --timeout 10 > /dev/full 2> "$DIR/err"
equal "$?" 1 "recv onto a full disk"
wait_for "it is settled" state_is alice "$ID" '"state":"settled"'
take bob "not printed"; take_none bob

# ---- killed at any moment ----

# Senders die; the same --id again is the same message. Receivers die; what they had not shown comes again.
for i in $(seq 24); do
    "$BIN/sealmq" --home "$DIR/alice" --json send bob "killed $i" --id "k$i" > /dev/null 2>&1 &
    sender=$!
    "$BIN/sealmq" --home "$DIR/bob" --json recv --follow >> "$DIR/shown" 2> "$DIR/shown.err" &
    receiver=$!
    sleep "$(printf '0.%03d' $((i * 9)))" # spreads the deaths over all that they do; nothing rests on it
    kill -KILL "$sender" "$receiver" 2> /dev/null
    { wait "$sender"; wait "$receiver"; } 2> /dev/null
    "$BIN/sealmq" --home "$DIR/alice" --json send bob "killed $i" --id "k$i" --timeout 0 > "$DIR/out" 2> "$DIR/err"
done
# What a dead sender had under way is tried again when its lease ends.
all_shown() {
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/alice" outbox --flush --timeout 3 > /dev/null 2>&1
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/bob" --json recv --timeout 1 --count 64 >> "$DIR/shown" 2> /dev/null
    [ "$(grep -oE '"text":"killed [0-9]+"' "$DIR/shown" | sort -u | wc -l)" = 24 ]
}
wait_for "all are shown" all_shown
# Each is one message: the same id wherever it was shown again.
equal "$(grep -oE '"id":"[^"]*"' "$DIR/shown" | sort -u | wc -l)" 24 "messages"
ctl 0 --json events --limit 64;                   out_lacks decrypt_failed
take_none bob

# Killed between opening and acknowledging, for certain: carol's words reach the relay no more, the relay's reach her.
RELAY_PORT="$PORT"
port_choose
PROXY_PORT="$PORT"; PORT="$RELAY_PORT"
"$PROXY_BIN" "$PROXY_PORT" "$RELAY_PORT" 2> "$DIR/proxy" &
PROXY=$!
as carol 0 --json init --relay "tcp://127.0.0.1:$PROXY_PORT,tcp://127.0.0.1:$RELAY_PORT" \
    --server-key "$RELAY/server.pub" --handle carol
"$BIN/sealmq" --home "$DIR/carol" --json recv --follow > "$DIR/carol-shown" 2> "$DIR/carol-shown.err" &
CAROL=$!
carol_shows() { grep -qF "\"text\":\"$1\"" "$DIR/carol-shown"; }
say alice carol "all is well";                    wait_for "it is shown" carol_shows "all is well"
wait_for "it is settled" state_is alice "$ID" '"state":"settled"'
redelivered() { grep -c '"event":"redelivered"' "$RELAY/log"; }
BEFORE="$(redelivered)"
kill -USR1 "$PROXY"
say alice carol "opened, and not acknowledged";   wait_for "it is shown" carol_shows "opened, and not acknowledged"
{ kill -KILL "$CAROL" "$PROXY"; wait "$CAROL"; wait "$PROXY"; } 2> /dev/null
# Support: the relay has given it out and heard nothing; the sender is told nothing else.
ctl 0 --json explain "$REFERENCE"
grep -qE '"code":"(offered|waiting_slow|waiting_offline|waiting_away)"' "$DIR/out" || fail "the relay cannot know"
state_is alice "$ID" '"outcome":"open"' || fail "the sender cannot know"
# The user: one message, shown again if at all as the same. Engineering: it was given out twice; nothing failed.
carol_again() {
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/carol" --json recv --timeout 1 >> "$DIR/carol-shown" 2> /dev/null
    state_is alice "$ID" '"state":"settled"'
}
wait_for "it is settled" carol_again
wait_for "support sees it" explained "$REFERENCE" settled
equal "$(grep -oE '"id":"[^"]*"' "$DIR/carol-shown" | sort -u | wc -l)" 2 "messages"
redelivered_more() { [ "$(redelivered)" -gt "$BEFORE" ]; }
wait_for "event redelivered" redelivered_more
event_wait redelivered;                           out_lacks decrypt_failed
take_none carol

# ---- set back to an older copy ----

cp -r "$DIR/bob" "$DIR/older"
for i in 1 2 3; do # twice round, and the older copy has none of the keys that are in use
    say alice bob "before $i"; take bob "before $i"
    say bob alice "answer $i"; take alice "answer $i"
done
rm -rf "$DIR/bob"; mv "$DIR/older" "$DIR/bob"
say alice bob "after the return"
# It does not open. The user: nothing is shown. Support: why, for which app, and what comes next. Engineering: an event
# with the cause.
take_none bob 2
wait_for "support sees why" explained "$REFERENCE" failed_broken
out_has '"reason":"broken"'; CAUSE="$(field cause)"
case "$CAUSE" in session | prekey | authentication) ;; *) fail "the cause is \"$CAUSE\"" ;; esac
equal "$(field client_version)" "$("$BIN/sealmq" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)" "the app"
ctl 0 explain "$REFERENCE";                       out_has "cause       $CAUSE: "; out_has "the sender can resend"
event_wait decrypt_failed "\"cause\":\"$CAUSE\""
event_wait delivery_failed '"reason":"broken"'
take_later() {
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/bob" --json recv --timeout 1 >> "$DIR/late" 2> /dev/null
    as alice 0 --json status "$ID"; as alice 0 --json outbox --flush
    grep -q '"text":"after the return"' "$DIR/late"
}
wait_for "it arrives" take_later
wait_for "the sender's client has seen to it" state_is alice "$ID" '"state":"settled"'
event_wait resent '"attempt":1'
wait_for "support sees it" explained "$REFERENCE" settled
say bob alice "both go on"; take alice "both go on"
relay_stop
done_well
