#!/usr/bin/env bash
# The devices of an account put each other out: named, suspended, resumed and revoked from the command line. Who is put out
# loses the session it has, gets no other, and is told; nothing that it wrote is lost where it comes back.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
SECOND="$("${SEALMQ_SECOND:?set SEALMQ_SECOND to the program that makes a second device}" "$DIR/alice" "$DIR/phone")" ||
    fail "no second device"
as phone 0 --json devices;                  lines 1; json_lines; out_has '"fresh":true'
as alice 0 --json devices;                  out_has '"fresh":true'; out_has "\"device\":\"$SECOND\""
FIRST="$(field device)"
event_wait log_appended '"operation":"add","number":1,"key_version":2'

# follow: the second device shows what comes. put_out: that ends by itself, and says why.
follow() {
    "$BIN/sealmq" --home "$DIR/phone" --json recv --follow > "$DIR/shown" 2> "$DIR/shown.err" &
    FOLLOW=$!
    say bob alice "$1"
    wait_for "$1 is shown" grep -q "$1" "$DIR/shown"
    take alice "$1"
}
put_out() {
    ended "$FOLLOW"
    equal "$?" 1 "the exit status of who is put out"
    grep -q "suspended or revoked" "$DIR/shown.err" || fail "recv --follow: $(cat "$DIR/shown.err")"
}

# A name: set by one, seen by the other; what it may not be.
as alice 0 devices rename "${SECOND:0:8}" "the red phone"
as phone 0 --json devices;                  out_has "\"device\":\"$SECOND\",\"name\":\"the red phone\",\"standing\":\"active\",\"own\":true"
as phone 0 devices rename "the red phone" "the blue phone"
as alice 0 devices;                         lines 2; out_has "the blue phone"; out_has "(this one)"; err_silent
as alice 2 devices rename "$SECOND" "two  spaces"; one_error
as alice 2 devices rename "$SECOND";        one_error
as alice 2 devices remove "$SECOND";        one_error
as alice 2 devices list "$SECOND";          one_error
as alice 1 devices suspend nothing;         one_error; err_has "no device of this account is called nothing"
as alice 1 devices suspend "";              one_error
as alice 0 devices rename "$FIRST" "the blue phone"
as alice 1 devices suspend "the blue phone"; one_error; err_has "2 devices"
as alice 0 devices rename "$FIRST" ""

# Suspended while connected: cut off, refused, told; what it writes waits.
follow "before the suspension"
as alice 0 --json devices suspend "the blue phone"; lines 1; out_has '"state":"suspended"'; err_silent
put_out
event_wait device_ended
event_wait sessions_cut '"sessions":1,"cut_ms":[0-9]+'
ctl 0 --json status;                        out_has '"ended":1'; out_has '"ended_ms_max":'
as alice 1 devices suspend "the blue phone"; one_error; err_has "already"
as phone 1 recv --timeout 5;                err_has "suspended or revoked"; err_has "warning: This device was suspended or revoked, by another"
as phone 1 send bob "written while suspended"; err_has "suspended or revoked"
as phone 0 --json outbox;                   lines 1; out_has '"reason":"refused"'
as phone 0 --json devices;                  out_has '"fresh":false'
as phone 1 devices rename "$FIRST" x;       err_has "suspended or revoked"
say bob alice "while suspended"
as bob 0 --json status "$ID";               out_has "$FIRST"; out_lacks "$SECOND"
take alice "while suspended"

# Resumed: the next connection works again.
as alice 0 devices resume "${SECOND:0:6}";  out_has "active"
as phone 0 --json outbox --flush;           lines 1; out_has '"state":"accepted"'; ID="$(field id)"
wait_for "its copy is accepted" state_is phone "$ID" '"copy":{"state":"\(accepted\|settled\)"'
take bob "written while suspended"
take alice "written while suspended"; out_has '"to":"bob"'
follow "after the suspension"
! grep -q "while suspended" "$DIR/shown" || fail "what was sent while it was suspended has come"
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow: $(cat "$DIR/shown.err")"

# A device puts itself out, and is taken back. What waits for it meanwhile support sees, and why.
say bob alice "waits at the phone";         take alice "waits at the phone"
as phone 0 devices suspend "$SECOND"
ctl 0 --json explain "$REFERENCE";          out_has "\"device\":\"$SECOND\",\"code\":\"waiting_suspended\""
as alice 0 --json devices;                  out_has "\"device\":\"$SECOND\",\"name\":\"the blue phone\",\"standing\":\"suspended\""
as phone 1 devices resume "$SECOND";        err_has "suspended or revoked"
as phone 1 recv --timeout 5;                err_has "suspended or revoked by its own command"; err_lacks "somebody else"
as phone 0 --json devices;                  out_has "\"device\":\"$SECOND\",\"name\":\"the blue phone\",\"standing\":\"suspended\",\"own\":true"
as alice 0 devices resume "$SECOND";        err_lacks "revoke it now"
as phone 0 --json devices;                  out_has '"fresh":true'; out_lacks "suspended"; err_lacks "revoke it now"
take phone "waits at the phone"

# Both have something to say while the relay is away. Who comes second says it behind the other.
relay_stop
as phone 3 devices rename "$SECOND" "the green phone" --timeout 1; one_error; err_has "kept"
as alice 3 devices suspend "$SECOND" --timeout 1; one_error
as alice 3 devices suspend "$SECOND" --timeout 1; one_error
as alice 1 devices rename "$FIRST" x --timeout 1; one_error; err_has "on its way"
relay_start
as phone 0 --json devices --timeout 10;     out_has '"name":"the green phone"'
is_suspended() {
    timeout 10 "$BIN/sealmq" --home "$DIR/alice" --json devices --timeout 5 > "$DIR/out" 2> "$DIR/err"
    grep -q '"name":"the green phone","standing":"suspended"' "$DIR/out"
}
wait_for "the phone is suspended behind its new name" is_suspended
as alice 0 devices resume "$SECOND"

# Revoked while connected, for ever.
follow "before the end"
as alice 2 devices revoke "$SECOND";        one_error; err_has "--yes"
as alice 0 devices revoke "$SECOND" --yes;  out_has "revoked"; out_has "deleted there"
put_out
as phone 1 recv --timeout 5;                err_has "suspended or revoked"
as alice 1 devices resume "$SECOND";        one_error; err_has "for ever"
as alice 1 devices revoke "$SECOND" --yes;  one_error; err_has "already"
say bob alice "for one"
as bob 0 --json status "$ID";               out_has "$FIRST"; out_lacks "$SECOND"
take alice "for one"

# A change that was kept, and that another one has made impossible meanwhile: whichever command hears of it says so.
TABLET="$("$SEALMQ_SECOND" "$DIR/alice" "$DIR/tablet")" || fail "no third device"
as tablet 0 --json devices;                 out_has '"fresh":true'
as alice 0 --json devices;                  out_has "\"device\":\"$TABLET\""
relay_stop
as alice 3 devices suspend "$TABLET" --timeout 1; one_error
as tablet 3 devices revoke "$TABLET" --yes --timeout 1; one_error
relay_start
as tablet 1 recv --timeout 10;              err_has "suspended or revoked"
as alice 4 recv --timeout 5;                err_has "(suspend $TABLET) was not made: that device was revoked"
as alice 4 recv --timeout 1;                one_error
as alice 0 --json devices;                  out_has "\"device\":\"$TABLET\",\"name\":\"\",\"standing\":\"revoked\""

# The last one is not put out by accident.
as alice 1 devices revoke "$FIRST" --yes;   one_error; err_has "--last"
as alice 1 devices suspend "$FIRST";        one_error; err_has "last active device"
take_none alice 0
as alice 0 devices revoke "$FIRST" --yes --last
as alice 1 recv --timeout 5;                err_has "suspended or revoked by its own command"; err_lacks "somebody else"
as alice 0 --json devices;                  out_has "\"device\":\"$FIRST\",\"name\":\"\",\"standing\":\"revoked\",\"own\":true"
as bob 1 --json send alice "to nobody";     out_has '"reason":"no_devices"'
as bob 1 send alice "to nobody";            err_has "no device of the recipient takes messages at present"; err_lacks "not allowed"
as bob 0 status "$(sed 's/ .*//;q' "$DIR/out")"; out_has "no device of the recipient takes messages at present"

done_well
