#!/usr/bin/env bash
# A device joins an account: by code and by scanned text, with names; refused, mistyped, expired on one side, answered twice;
# the relay or either side ends in between. What the user, support and engineering see.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
CLOCK="${SEALMQ_CLOCK:?set SEALMQ_CLOCK to the preloaded clock}"

relay_make
relay_start
device_make alice bob

# link_start NAME [ARGUMENTS...]: a new device shows its code; its process is in LINK, the code in CODE.
link_start() {
    local name="$1"
    shift
    rm -f "$DIR/link.$name"
    "$BIN/sealmq" --home "$DIR/$name" --json link --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" "$@" \
        > "$DIR/link.$name" 2> "$DIR/link.$name.err" &
    LINK=$!
    wait_for "$name shows a code" grep -q '"state":"code"' "$DIR/link.$name"
    CODE="$(field code "$DIR/link.$name")"
    QR="$(field qr "$DIR/link.$name")"
}
link_ended() { # NAME EXIT
    WAIT_S=60 ended "$LINK"
    local got=$?
    [ "$got" = "$2" ] || fail "link of $1 ended with $got: $(cat "$DIR/link.$1.err")"
}

# A phone joins, and is what a device is; it knows whom alice knows, and whom she has verified.
say alice bob "before"; take bob "before"
as alice 0 verify bob --yes
link_start phone --name "red phone"
[[ "$CODE" =~ ^[0-9A-Z]{4}(-[0-9A-Z]{4}){4}$ ]] || fail "a code: $CODE"
equal "$QR" "sealmq:link:1:${CODE//-/}" "what is scanned"
event_wait link_requested
as alice 2 devices approve "$CODE";            one_error; err_has "red phone"; err_has "--yes"
as alice 0 --json devices approve "$CODE" --yes; lines 1; out_has '"name":"red phone","state":"active"'; err_silent
PHONE="$(field device)"
link_ended phone 0
equal "$(field state "$DIR/link.phone")" code "the first line"
sed -n 2p "$DIR/link.phone" > "$DIR/out"
out_has '"state":"linked","handle":"alice"'
out_has "\"device\":\"$PHONE\""
event_wait link_offered
log_wait log_appended '"operation":"add"'
as alice 0 --json devices;                     out_has "\"device\":\"$PHONE\",\"name\":\"red phone\",\"standing\":\"active\""
as phone 0 --json devices;                     out_has "\"name\":\"red phone\",\"standing\":\"active\",\"own\":true"
as phone 0 --json log bob;                     out_has '"length":1'
as phone 0 --json verify bob;                  out_has '"verified":true'
say bob alice "to both"
as bob 0 --json status "$ID";                  out_has "$PHONE"
take alice "to both"
take phone "to both"
say phone bob "from the phone"
take bob "from the phone"
as phone 0 --json link --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub"; out_has '"state":"linked"'
as bob 0 --json link --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub"; out_has '"state":"linked"'

# The same code again, another one, half a one.
as alice 1 devices approve "$CODE" --yes;      one_error
as alice 1 devices approve AAAA-BBBB-CCCC-DDDD-EEEE --yes; one_error; err_has "nobody waits under this code"
as alice 2 devices approve AAAA-BBBB --yes;    one_error; err_has "20 letters"
as alice 2 devices approve "sealmq:link:2:${CODE//-/}" --yes; one_error; err_has "later version"
as alice 2 devices approve;                    one_error

# Refused; the new device is told.
link_start tablet
as alice 0 devices reject "$CODE";             out_has "rejected"
event_wait link_rejected
link_ended tablet 1
grep -q "nothing was joined" "$DIR/link.tablet.err" || fail "tablet: $(cat "$DIR/link.tablet.err")"
as alice 0 --json devices;                     json_lines; [ "$(grep -o '"device":' "$DIR/out" | wc -l)" = 2 ] || fail "two devices"

# Scanned in lower case, with the relay's end in between: what waits in a box is brought again.
link_start tablet
child_end storage KILL
wait_for "the relay serves" relay_serves
as alice 0 --json devices approve "${QR,,}" --yes; out_has '"state":"active"'
TABLET="$(field device)"
link_ended tablet 0
as tablet 0 --json devices;                    out_has "\"device\":\"$TABLET\",\"name\":\"\",\"standing\":\"active\",\"own\":true"

# The new device ends before it is answered: nothing was joined, and its home takes another code.
link_start watch
kill -KILL "$LINK"; ended "$LINK" 2> /dev/null
as alice 3 devices approve "$CODE" --yes --timeout 3; one_error
as watch 1 devices;                            one_error
link_start watch
as alice 0 devices approve "$CODE" --yes
link_ended watch 0

# Its user gives up: the account's device says so at once, whether it was asked before or after.
offered_more() { [ "$(grep -c link_offered "$RELAY/log")" -gt "$1" ]; }
link_start pad
kill -TERM "$LINK"
link_ended pad 1
grep -q "stopped by a signal: nothing was joined" "$DIR/link.pad.err" || fail "pad: $(cat "$DIR/link.pad.err")"
as alice 1 devices approve "$CODE" --yes;      one_error; err_has "has given up: nothing was added"
link_start pad
kill -STOP "$LINK"
BEFORE="$(grep -c link_offered "$RELAY/log")"
"$BIN/sealmq" --home "$DIR/alice" devices approve "$CODE" --yes > "$DIR/approve" 2>&1 &
APPROVE=$!
wait_for "it has offered" offered_more "$BEFORE"
kill -TERM "$LINK"; kill -CONT "$LINK"
link_ended pad 1
WAIT_S=20 ended "$APPROVE"; equal "$?" 1 "the approval's exit status"
grep -q "has given up: nothing was added" "$DIR/approve" || fail "approve: $(cat "$DIR/approve")"

# The account's device ends when it has offered: the new one has consented, and waits. Whoever has answered already cannot again.
has_consented() { timeout 10 "$BIN/sealmq" --home "$DIR/$1" log > /dev/null 2>&1; }
link_half() { # NAME
    link_start "$1"
    kill -STOP "$LINK"
    BEFORE="$(grep -c link_offered "$RELAY/log")"
    "$BIN/sealmq" --home "$DIR/alice" devices approve "$CODE" --yes > "$DIR/approve" 2>&1 &
    APPROVE=$!
    wait_for "it has offered" offered_more "$BEFORE"
    kill -KILL "$APPROVE"; ended "$APPROVE" 2> /dev/null
    kill -CONT "$LINK"
    as alice 1 devices approve "$CODE" --yes;  one_error; err_has "answered already"
    wait_for "the new device has consented" has_consented "$1"
    kill -TERM "$LINK"
    ended "$LINK" || true
}
link_half frame
as frame 3 --json link --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --timeout 2; one_error; err_has "has not taken it in"
as frame 3 send bob hello --timeout 1;         err_has "waits for a device of its account"; err_lacks "not let into"

# That is given up at its user's word: with other keys, without what waited there. Until the next one is there all is as it was.
link_start frame --anew
kill -KILL "$LINK"; ended "$LINK" 2> /dev/null
as frame 0 --json outbox;                      out_has '"to":"bob"'
link_start frame --anew
as alice 0 devices approve "$CODE" --yes
link_ended frame 0
as frame 0 --json outbox;                      lines 0
as frame 0 --json devices;                     [ "$(grep -c '"own":true,' "$DIR/out")" = 1 ] || fail "it is one of them"
say bob alice "to the frame"; take frame "to the frame"
as frame 0 --json link --anew --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub"; out_has '"state":"linked"'

# Or when nobody can let it in any more, without a word: that is told, and link begins anew there.
link_half lamp
export SEALMQ_SKEW_S=3600 LD_PRELOAD="$CLOCK"
as lamp 3 send bob hello --timeout 1;          err_has "This device was not let into the account"
link_start lamp
unset SEALMQ_SKEW_S LD_PRELOAD
grep -q "Nobody has let this device in" "$DIR/link.lamp.err" || fail "lamp: $(cat "$DIR/link.lamp.err")"
as alice 0 devices approve "$CODE" --yes
link_ended lamp 0
as lamp 0 --json outbox;                       lines 0; err_silent

# Who was put out approves nobody.
as alice 0 devices suspend "$TABLET"
link_start clock
as tablet 1 devices approve "$CODE" --yes;     err_has "suspended or revoked"
as phone 0 devices approve "$CODE" --yes
link_ended clock 0

# An account that is full says so before anything is offered, and what helps; the new device waits for the person's no.
others() { # FROM TO
    for i in $(seq "$1" "$2"); do
        LAST="$("${SEALMQ_SECOND:?set SEALMQ_SECOND to the program that makes a second device}" "$DIR/bob" "$DIR/second.$i")" ||
            fail "device $i of bob"
        as "second.$i" 0 devices
        as bob 0 devices;                      lines "$i"
    done
}
others 2 16
link_start desk
as bob 1 devices approve "$CODE" --yes;        one_error; err_has "16 devices, as many as it may have: revoke one first"
as bob 0 devices revoke "$LAST" --yes
as bob 0 --json devices approve "$CODE" --yes; out_has '"state":"active"'
DESK="$(field device)"
link_ended desk 0
as bob 0 devices revoke "$DESK" --yes
for i in $(seq 18 24); do
    others "$i" "$i"
    as bob 0 devices revoke "$LAST" --yes
done
link_start shelf
as bob 1 devices approve "$CODE" --yes;        one_error; err_has "has had 24 devices"; err_has "recover"; err_lacks "revoke one"
as bob 0 devices reject "$CODE";               out_has "rejected"
link_ended shelf 1

# A relay of another key, none at all, a name that is none.
as other 2 link --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --name "a/b"; one_error
as other 3 link --relay "tcp://127.0.0.1:1" --server-key "$RELAY/server.pub" --timeout 1; one_error; err_has "no relay answers"

# Into a pipe: the code, and nothing that only a terminal can show.
as other 3 link --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --timeout 1; out_has "sealmq devices approve"
out_lacks $'\033'

# The relay has seen no code.
for code in "${CODE}" "${CODE//-/}"; do
    ! grep -rqa -- "$code" "$RELAY" || fail "the relay knows the code"
done
done_well
