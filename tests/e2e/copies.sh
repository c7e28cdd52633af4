#!/usr/bin/env bash
# What one device of an account sends, its others show: a copy, with states of its own, that no recipient and no command
# takes for a message. Devices that are suspended, revoked, set back or killed; notes to oneself; devices that join.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck disable=SC2034
WAIT_S=40

relay_make
relay_start
device_make alice bob
second() { "${SEALMQ_SECOND:?set SEALMQ_SECOND to the program that makes a second device}" "$DIR/alice" "$DIR/$1" || fail "no device $1"; }
SECOND="$(second phone)"
as phone 0 --json devices;                        out_has '"fresh":true'
as alice 0 --json devices;                        out_has "\"device\":\"$SECOND\""
FIRST="$(field device)"

# copy_is PATTERN: for wait_for: what status says of the copy of message ID, sent by alice.
copy_is() { state_is alice "$ID" "\"copy\":{$1"; }
# said FROM TO TEXT: say, and its copy is accepted, too: a sender does not wait long for that, and whoever comes next sends it.
said() {
    say "$@"
    wait_for "its copy is accepted" state_is "$1" "$ID" '"copy":{"state":"\(accepted\|settled\)"'
}
no_copy() { as alice 0 --json status "$ID"; out_lacks '"copy"'; }
# shows DEVICE TEXT: its next message is this one, and was sent by another device of its account.
shows() { take "$1" "$2"; out_has '"to":'; out_has '"from":"alice"'; out_has '"sealed":true'; }

# Nothing of what was sent before, nothing without another device.
take_none phone
said alice bob "hello bob"
[ "$(as alice 0 --json outbox && grep -c "$ID" "$DIR/out")" = 1 ] || fail "a copy is no message in the outbox"
take bob "hello bob";                             out_lacks '"to":'
as alice 0 --json status "$ID";                   out_has '"copy":{'; out_has "$SECOND"
shows phone "hello bob"
BOB="$(field to_account)"
equal "$(field to)" "$BOB" "the name of somebody whom the phone has never met"
wait_for "the copy is settled" copy_is '"state":"settled"'
out_has '"state":"settled"'
as alice 0 status "$ID";                          out_has "your device $SECOND  settled"; out_has "its reference"
COPY="$(as alice 0 --json status "$ID" && grep -o '"copy":{.*' "$DIR/out" | grep -oE '"reference":"[^"]*"' | sed 's/.*:"//; s/"//')"
wait_for "support sees the copy by its reference" explained "$COPY" settled
as alice 0 --json status "$COPY";                 out_has "\"id\":\"$ID\""

# The other way, in words; the recipient sees one account, and answers reach both.
as phone 0 --json send bob "from the phone"; ID="$(field id)"
wait_for "its copy is accepted" state_is phone "$ID" '"copy":{"state":"\(accepted\|settled\)"'
as alice 0 recv --count 1 --timeout 10;           lines 1; out_has "you -> bob: from the phone"
take bob "from the phone"
said phone bob "again from it"
take alice "again from it";                       out_has '"from":"alice"'; out_has '"to":"bob"'
take bob "again from it"
as bob 0 --json send alice "to you both"
take alice "to you both";                         out_lacks '"to":'
take phone "to you both"
as alice 0 send bob --opaque "not sealed"
take bob "not sealed"; take_none phone

# A note to oneself, with no copy of it.
say alice alice "buy milk"
no_copy
as phone 0 recv --count 1 --timeout 10;           lines 1; out_has "you -> you: buy milk"
take_none alice

# Suspended: not sent, and not caught up with; resumed: from then on.
as alice 0 devices suspend "$SECOND"
say alice bob "while suspended";                  no_copy; take bob "while suspended"
as alice 0 devices resume "$SECOND"
said alice bob "while resumed";                    take bob "while resumed"
shows phone "while resumed"
wait_for "the copy is settled" copy_is '"state":"settled"'
take_none phone

# The phone dies while it shows; the relay dies; the sender is away meanwhile. Each message comes, under one id.
for i in 1 2 3; do
    "$BIN/sealmq" --home "$DIR/phone" --json recv --follow >> "$DIR/shown" 2> "$DIR/shown.err" &
    FOLLOW=$!
    said alice bob "killed $i"
    kill -KILL "$FOLLOW"; ended "$FOLLOW" 2> /dev/null
    [ "$i" = 2 ] && { relay_kill; relay_start; }
done
said alice bob "while it is off"
wait_for "the copy waits" copy_is '"state":"accepted"'
relay_kill; relay_start
all_shown() {
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/phone" --json recv --timeout 1 --count 8 >> "$DIR/shown" 2> /dev/null
    grep -q '"text":"while it is off"' "$DIR/shown"
}
wait_for "all are shown" all_shown
equal "$(grep -oE '"id":"[^"]*"' "$DIR/shown" | sort -u | wc -l)" 4 "messages"
equal "$(grep -oE '"text":"killed [0-9]"' "$DIR/shown" | sort -u | wc -l)" 3 "what was shown"
wait_for "the copy is settled" copy_is '"state":"settled"'
as bob 0 --json recv --count 4 --timeout 10;      lines 4

# A sender that dies right behind the acceptance: whoever sends next from this home sends the copy.
relay_stop
as alice 3 --json send bob "kept" --timeout 0
ID="$(field id)"
relay_start
for i in $(seq 12); do
    "$BIN/sealmq" --home "$DIR/alice" outbox --flush > /dev/null 2>&1 &
    sender=$!
    sleep "$(printf '0.%03d' $((i * 7)))" # spreads the deaths; nothing rests on it
    kill -KILL "$sender" 2> /dev/null; wait "$sender" 2> /dev/null
done
kept_shown() {
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/alice" outbox --flush --timeout 3 > /dev/null 2>&1
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/phone" --json recv --timeout 1 > "$DIR/out" 2> "$DIR/err"
    grep -q '"text":"kept"' "$DIR/out"
}
wait_for "the copy comes" kept_shown
take bob "kept"; take_none bob; take_none phone

# The phone is set back to an older copy of its home: the copy does not open there, and is sealed anew for it alone.
cp -r "$DIR/phone" "$DIR/older"
for i in 1 2 3; do
    said alice bob "before $i"; shows phone "before $i"
    said phone bob "and $i"; shows alice "and $i"
done
as bob 0 --json recv --count 6 --timeout 10
rm -rf "$DIR/phone"; mv "$DIR/older" "$DIR/phone"
said alice bob "after the return"
COPY="$(as alice 0 --json status "$ID" && grep -o '"copy":{.*' "$DIR/out" | grep -oE '"reference":"[^"]*"' | sed 's/.*:"//; s/"//')"
take bob "after the return"
take_none phone 2
wait_for "support sees why" explained "$COPY" failed_broken
event_wait decrypt_failed
take_later() {
    timeout -k 5 10 "$BIN/sealmq" --home "$DIR/phone" --json recv --timeout 1 >> "$DIR/late" 2> /dev/null
    as alice 0 --json status "$ID"; as alice 0 --json outbox --flush
    grep -q '"text":"after the return"' "$DIR/late"
}
wait_for "it arrives" take_later
wait_for "the copy is settled" copy_is '"state":"settled"'
event_wait resent '"attempt":1'
take_none bob

# A third device joins, and alice's home has not heard of it when she sends: the relay says so, and both get it.
TABLET="$(second tablet)"
as tablet 0 --json devices;                       out_has '"fresh":true'
said alice bob "to all of mine"
shows phone "to all of mine"
shows tablet "to all of mine"
wait_for "the copy is settled" copy_is '"state":"settled"'
out_has "$TABLET"; out_has "$SECOND"; out_lacks "\"device\":\"$FIRST\""
take bob "to all of mine"

# Revoked: never more; the other one goes on. The last one gone: none any more, and nobody is told of a failure.
as alice 0 devices revoke "$SECOND" --yes
said alice bob "for the tablet";                   shows tablet "for the tablet"
as alice 0 --json status "$ID";                   out_lacks "$SECOND"
as tablet 0 devices revoke "$TABLET" --yes
say alice bob "for nobody else"
wait_for "there is nothing to be sent" sh -c "! $BIN/sealmq --home $DIR/alice --json status $ID | grep -q '\"copy\":{\"state\":\"[deq]'"
as alice 0 --json outbox;                         out_lacks refused; out_lacks '"state":"drafted"'
as bob 0 --json recv --count 2 --timeout 10;      out_has "for nobody else"
relay_stop

done_well
