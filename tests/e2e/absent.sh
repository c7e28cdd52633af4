#!/usr/bin/env bash
# A device that joined, and died before it had left any keys: mail to its account goes all the same, and it has what it missed once
# it is there and the sender has been online after it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck disable=SC2034
WAIT_S=80

relay_make
relay_start
device_make alice bob
"$BIN/sealmq" --home "$DIR/phone" --json link --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" \
    > "$DIR/link" 2> "$DIR/link.err" &
LINK=$!
wait_for "it shows a code" grep -q '"state":"code"' "$DIR/link"
CODE="$(field code "$DIR/link")"
# It dies when it is a device of the account; should it be quicker than that, less is seen here.
kill_once_enrolled() {
    for ((i = 0; i < 20000; i++)); do grep -rqs device_enrolled "$RELAY" && break; done
    kill -KILL "$LINK"
}
kill_once_enrolled 2> "$DIR/kill.err" &
KILLER=$!
as bob 0 --json devices approve "$CODE" --yes;    PHONE="$(field device)"
wait "$KILLER" || true
wait "$LINK" 2> "$DIR/killed" || true

# Nobody waits for it: neither who writes to the account, nor what the account itself sends.
ctl 0 devices bob
if grep -q "last seen   never" "$DIR/out"; then out_has "prekeys     none: nothing can be sealed"; fi
say alice bob "do you hear me";                   HEARD="$ID"
take bob "do you hear me"
as alice 0 --json status "$HEARD";                out_has "$PHONE"
say bob alice "I do"; take alice "I do"

# It comes: what was for it is sealed anew by whoever sent it.
as phone 0 --json devices;                        out_has '"fresh":true'
phone_has() {
    as alice 0 --json status "$HEARD"
    as bob 0 --json status "$ID"
    timeout 20 "$BIN/sealmq" --home "$DIR/phone" --json recv --count 2 --timeout 3 >> "$DIR/phone.out" 2> "$DIR/err"
    grep -q '"text":"do you hear me"' "$DIR/phone.out" && grep -q '"text":"I do"' "$DIR/phone.out"
}
wait_for "the phone has both" phone_has
equal "$(grep -c '"text"' "$DIR/phone.out")" 2 "each once"
wait_for "alice hears of it" state_is alice "$HEARD" '"state":"settled"'
done_well
