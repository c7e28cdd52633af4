#!/usr/bin/env bash
# Drill: a device is revoked while messages are queued for it. The user's removed device stops receiving, at once and for good; senders
# and support can tell what became of each message; engineering sees the purge.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
"$BIN/sealmq" --home "$DIR/laptop" --json link --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --name laptop \
    > "$DIR/link" 2> "$DIR/link.err" &
LINK=$!
wait_for "a code" grep -q '"state":"code"' "$DIR/link"
as bob 0 --json devices approve "$(field code "$DIR/link")" --yes
LAPTOP="$(field device)"
WAIT_S=60 ended "$LINK" || fail "link: $(cat "$DIR/link.err")"
as bob 0 --json devices
FIRST="$(field device)"

# Two are read on both; five wait for the laptop, which is away. The other device takes them all.
say alice bob "read on both 1"; take bob "read on both 1"; take laptop "read on both 1"; READ="$REFERENCE" READ_ID="$ID"
say alice bob "read on both 2"; take bob "read on both 2"; take laptop "read on both 2"
IDS=() REFERENCES=()
for n in 1 2 3 4 5; do
    say alice bob "waits $n"
    IDS+=("$ID") REFERENCES+=("$REFERENCE")
    take bob "waits $n"
done
ctl 0 --json explain "${REFERENCES[0]}";       out_has "\"device\":\"$LAPTOP\",\"code\":\"waiting_offline\""

# Lost: removed from the account by the device that is left.
as bob 0 devices revoke laptop --yes;          out_has "deleted there"

# What the user sees: the laptop receives nothing, says why; the sender sees for each message that it did not reach that device and did the other.
as laptop 1 --json recv --timeout 5;           lines 0; err_has "suspended or revoked"
for id in "${IDS[@]}"; do
    wait_for "the sender hears of $id" state_is alice "$id" "\"device\":\"$LAPTOP\"[^}]*\"outcome\":\"revoked\""
    out_has '"state":"settled"'
done
state_is alice "$READ_ID" "\"device\":\"$LAPTOP\"[^}]*\"outcome\":\"settled\"" || fail "what was read stays read"
say alice bob "after it"
as alice 0 --json status "$ID";                out_has "$FIRST"; out_lacks "$LAPTOP"
take bob "after it"

# What support sees: each message by its reference, for each device.
for reference in "${REFERENCES[@]}"; do
    ctl 0 --json explain "$reference"
    out_has "\"device\":\"$LAPTOP\",\"code\":\"revoked\""
    out_has "\"device\":\"$FIRST\",\"code\":\"settled\""
done
ctl 0 --json explain "$READ";                  out_lacks revoked

ctl 0 --json devices bob;                      out_has "{\"device\":\"$LAPTOP\",\"standing\":\"revoked\""

# What engineering sees: the entry, the session's end, the purge with its time; nothing is left of the five on disk, and nothing waits.
event_wait log_appended '"operation":"revoke"'
event_wait device_ended
event_wait device_swept '"deliveries":5,"since_ms":[0-9]+'
nothing_waits() { relay_serves && grep -q '"queued_messages":0' "$DIR/overview"; }
wait_for "nothing waits" nothing_waits

# It holds whatever ends: also after a crash the outcomes are the same.
relay_kill
relay_start
ctl 0 --json explain "${REFERENCES[4]}";       out_has "\"device\":\"$LAPTOP\",\"code\":\"revoked\""
as laptop 1 --json recv --timeout 5;           lines 0
done_well
