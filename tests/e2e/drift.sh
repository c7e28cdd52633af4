#!/usr/bin/env bash
# The devices of a contact change while messages go to it: added, removed, re-keyed. The user hears which one, and by whom; the
# contact's other devices hear it while they are there; support sees whom a message was for; operators see what it cost.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
second() { "${SEALMQ_SECOND:?set SEALMQ_SECOND to the program that makes a second device}" "$DIR/$1" "$DIR/$2" || fail "no $2"; }
# drifted PATTERN: for wait_for, and for a look: what operators see.
drifted() {
    ctl 0 --json drift
    grep -q -- "$1" "$DIR/out"
}

# Three devices; nothing has drifted yet.
PHONE="$(second bob phone)"
as phone 0 --json devices;                  out_has '"fresh":true'
as bob 0 --json devices;                    out_has "$PHONE"; err_has "this account has a new device $PHONE"
FIRST="$(field device)"
err_has "(by $FIRST)"
LAPTOP="$(second bob laptop)"
as laptop 0 --json devices;                 out_has '"fresh":true'
say alice bob one;                          err_silent
as alice 0 --json status "$ID";             out_has "$FIRST"; out_has "$PHONE"; out_has "$LAPTOP"
for device in bob phone laptop; do take "$device" one; done
drifted '"refused":0,' || fail "something was stale"
ctl 0 drift;                                out_has " 0 of "

# A fourth one comes while the phone is there: the phone hears it at once, and alice with her next message, which comes right
# by itself in one round.
"$BIN/sealmq" --home "$DIR/phone" --json recv --follow > "$DIR/shown" 2> "$DIR/shown.err" &
FOLLOW=$!
event_wait session_started '"attached":true'
say alice bob two;                          err_silent
wait_for "two is shown" grep -q '"text":"two"' "$DIR/shown"
TABLET="$(second laptop tablet)"
as tablet 0 --json devices;                 out_has '"fresh":true'
wait_for "the phone hears of it" grep -q "this account has a new device $TABLET (by $LAPTOP)" "$DIR/shown.err"
say alice bob three;                        err_has "bob has a new device $TABLET (by $LAPTOP)"
[ "$(grep -c "bob has" "$DIR/err")" = 1 ] || fail "more than one change was told"
as alice 0 --json status "$ID";             out_has "$TABLET"
wait_for "three is shown" grep -q '"text":"three"' "$DIR/shown"
take tablet three
drifted '"refused":1,"lag_1":1,"lag_2":0,"lag_4":0,"repaired":1,"rounds":1,' || fail "it took more than one round"
ctl 0 drift;                                out_has "1 of "; out_lacks "STUCK"; out_lacks "open "
wait_for "an explanation" explained "$REFERENCE" "[a-z_]*"

# One is named and removed: what is sent from then on is not for it, and nobody is asked.
as bob 0 devices rename "$PHONE" "the red phone"
as bob 0 --json devices revoke "$PHONE" --yes
ended "$FOLLOW"
say alice bob four;                         err_has "bob has removed the device $PHONE (the red phone) (by $FIRST)"
as alice 0 --json status "$ID";             out_has "$TABLET"; out_lacks "$PHONE"
take laptop two; take laptop three; take laptop four

# A message that wants the keys anew: nothing is stale, however much has changed.
as laptop 0 rotate
REFUSED='"refused":2,"forgotten"'
drifted "$REFUSED" || fail "two were stale so far"
say alice bob five --fresh;                 err_has "bob has new keys on the device $LAPTOP (by $LAPTOP)"
take laptop five
drifted "$REFUSED" || fail "it was asked for first, and stale all the same"
say alice bob six --fresh;                  err_silent
take laptop six

# While the relay does not answer it waits, and says what for.
relay_stop
as alice 3 --json send bob seven --fresh --timeout 1; out_has '"state":"drafted"'; err_has "has not told the recipient's keys anew"
as alice 3 --json send bob eight --timeout 1; out_has '"state":"encrypted"'
relay_start
as alice 0 --json outbox --flush
take laptop eight; take laptop seven

# A new relay process counts anew.
drifted '"refused":0,' || fail "the counts are older than the process"
ctl 0 --json drift;                         lines 1; json_lines; out_has '"versions":[]'; out_has '"pairs":[]'
ctl 2 drift now;                            one_error
done_well
