#!/usr/bin/env bash
# An operator holds a device, and an account: whoever is held is cut off, kept out and told, over a restart; what is sent to them waits, and
# comes when they are released. What an operator sees of devices, and hears of their changes.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ctl() { local wanted="$1"; shift; run "$wanted" sealmqctl --config "$CONFIG" "$@"; }
relay_make
relay_start
device_make alice bob
ctl 0 --json devices alice;                       json_lines; ALICE="$(field account)"
FIRST="$(field device)"
out_has '"standing":"active"'; out_has '"waiting":0'; out_lacks '"hold"'

# An enrolment is told as it happens, with who approved it; the device that is there for less than an hour and adds or ends
# others is told as odd.
SECOND="$("${SEALMQ_SECOND:?set SEALMQ_SECOND to the program that makes a second device}" "$DIR/alice" "$DIR/phone")" ||
    fail "no second device"
as phone 0 --json devices;                        lines 1
ctl 0 --json devices alice; equal "$(grep -o '"client_version":"0.1.0"' "$DIR/out" | wc -l)" 2 "devices with a version, of which none has received"
event_wait device_enrolled '"account":"[0-9a-f]{16}","device":"[0-9a-f]{16}","approved_by":"[0-9a-f]{16}","risk_level":"low"'
grep '"device_enrolled"' "$DIR/out" | grep -q '"key_version":2' || fail "no key version"
ctl 0 --json devices alice;                       out_has "\"device\":\"$SECOND\""; out_has '"entry":1'
ctl 0 devices "$ALICE";                           out_has "key version 2"; out_has "$SECOND: active"
ctl 1 devices nobody;                             one_error; err_has "nobody"
ctl 1 devices "${ALICE//[0-9]/0}";                one_error

# follow HOME, cut_off: it shows what comes; then it is cut off, ends by itself, and says why.
follow() { "$BIN/sealmq" --home "$DIR/$1" --json recv --follow > "$DIR/shown" 2> "$DIR/shown.err" & FOLLOW=$!; }
cut_off() {
    ended "$FOLLOW"
    equal "$?" 1 "the exit status of who is held"
    grep -q "on hold" "$DIR/shown.err" || fail "recv --follow: $(cat "$DIR/shown.err")"
}

# A device: cut off while connected, and the other one goes on.
follow phone
say bob alice "before";                           wait_for "it is shown" grep -q before "$DIR/shown"
take alice "before"
ctl 0 --json hold alice "$SECOND" --reason takeover
json_lines; out_has '"state":"held"'; out_has '"changed":true'; out_has '"reason":"takeover"'
cut_off
event_wait hold_placed '"reason":"takeover"'
as phone 1 recv --timeout 5;                      one_error; err_has "on hold"; err_has "operator"
as phone 1 send bob "written while on hold";      err_has "on hold"
as phone 1 devices revoke "$FIRST" --yes;         err_has "on hold"
say bob alice "to both"
ctl 0 --json explain "$REFERENCE";                out_has "\"device\":\"$SECOND\",\"code\":\"waiting_on_hold\""
take alice "to both"
as alice 0 --json send bob "from the other one";  take bob "from the other one"
ctl 0 --json holds;                               lines 1; json_lines; out_has "\"device\":\"$SECOND\""
two_wait() { # the message, and the copy of what the other device has sent
    timeout 10 "$BIN/sealmqctl" --config "$CONFIG" --json devices alice > "$DIR/out" 2> "$DIR/err" && grep -q '"waiting":2' "$DIR/out"
}
wait_for "both wait" two_wait;                    out_has '"hold":"takeover"'; out_has '"client_version":"0.1.0"'

# Its account, over a restart of all of it.
ctl 0 hold alice;                                 out_has "on hold (other)"
ctl 0 --json hold "$ALICE" --reason legal;        out_has '"changed":true'
ctl 0 --json hold "$ALICE" --reason legal;        out_has '"changed":false'
as alice 1 recv --timeout 5;                      one_error; err_has "on hold"
say bob alice "to an account on hold"
ctl 0 explain "$REFERENCE";                       out_has "$FIRST: waiting_on_hold"; out_has "an operator has put"; out_lacks "offline"
child_end storage KILL
as alice 1 recv --timeout 5;                      one_error; err_has "on hold"
relay_stop
relay_start
as alice 1 recv --timeout 5;                      one_error; err_has "on hold"
as phone 1 recv --timeout 5;                      one_error; err_has "on hold"
ctl 0 holds;                                      lines 2; out_has "all devices legal"

# Released: what waited comes, in order, once.
ctl 0 release alice;                              out_has "released"; out_has "still on hold"; out_has "$SECOND"
ctl 0 release alice;                              out_has "was not on hold"
take alice "to an account on hold"
as phone 1 recv --timeout 5;                      err_has "on hold"
ctl 0 --json release alice "$SECOND";             out_has '"holds":[]'
event_wait hold_released
take phone "to both"
take phone "from the other one"
take phone "to an account on hold"
as phone 0 --json outbox --flush
take bob "written while on hold"
take alice "written while on hold"
take_none phone; take_none alice
ctl 0 --json holds;                               lines 0
ctl 0 holds;                                      lines 0; err_has "nobody"

# The new device ends the first one: what a thief would do.
as phone 0 devices revoke "$FIRST" --yes
event_wait device_revoked '"risk_level":"high","risks":\["ended_by_a_new_device"\]'
event_wait takeover_suspected '"by":"[0-9a-f]{16}"'

# What makes no sense.
ctl 2 hold alice --reason because;                one_error; err_has "takeover"
ctl 2 hold alice nonsense;                        one_error
ctl 2 hold "a b";                                 one_error
ctl 1 hold nobody;                                one_error; err_has "nobody"
ctl 1 hold alice "${SECOND//[0-9]/0}";            one_error
ctl 2 hold;                                       one_error
relay_stop
done_well
