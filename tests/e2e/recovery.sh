#!/usr/bin/env bash
# The recovery key: set, shown once, confirmed, replaced by itself alone; and used: an account comes into an empty home with
# nothing else, and its old devices and contacts hear of it. What is broken off anywhere goes on, or is nothing.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
TERMINAL="${SEALMQ_TERMINAL:?set SEALMQ_TERMINAL to the program of terminal.c}"

relay_make
relay_start
device_make alice bob

# key_of: the key of the last setup. restore HOME EXIT ARGUMENTS...: with the key in $KEY.
key_of() { sed -n 's/.*"recovery_key":"\([0-9A-Z-]*\)".*/\1/p' "$DIR/out"; }
restore() {
    local home="$1" wanted="$2"
    shift 2
    echo "$KEY" > "$DIR/typed"
    INPUT="$DIR/typed" as "$home" "$wanted" recovery restore --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" "$@"
}

# None: it is said, and what follows from it.
as alice 0 recovery;                        out_has "recovery: none"; out_has "nobody can restore it"; err_silent
as alice 0 --json recovery;                 lines 1; json_lines; out_has '"mode":"none"'; out_has '"fresh":true'
as alice 2 recovery setup;                  one_error; err_has "--yes"
as alice 2 recovery nothing;                one_error
as alice 2 recovery setup --handle x;       one_error
as alice 1 recovery confirm;                one_error

# Set: shown once, before it counts; in no file of the home.
as alice 0 --json recovery setup --yes;     lines 2; json_lines; out_has '"state":"made"'; out_has '"state":"set"'
FIRST="$(key_of)"
equal "${#FIRST}" 44 "the length of a key"
out_has '"mode":"account-only"'; out_has '"confirmed":false'
event_wait log_appended '"operation":"set_recovery"'
! grep -rqaF -e "$FIRST" -e "${FIRST//-/}" "$DIR/alice" "$RELAY" "$DIR/sealmqd" || fail "the key is in a file"
as alice 0 recovery;                        out_has "not confirmed"

# Shown again by its user, with the mistakes that people make.
KEY="${FIRST:0:5}${FIRST:6}"
echo "$KEY" > "$DIR/typed"
INPUT="$DIR/typed" as alice 1 recovery confirm; err_has "8"
echo "${FIRST:0:5}U${FIRST:6}" > "$DIR/typed"
INPUT="$DIR/typed" as alice 1 recovery confirm; err_has "look at group 2 again"
as bob 0 --json recovery setup --yes
OTHER="$(key_of)"
echo "$OTHER" > "$DIR/typed"
INPUT="$DIR/typed" as alice 1 recovery confirm; one_error; err_has "not the recovery key of this account"
echo "  $(tr 'A-Z-' 'a-z ' <<< "$FIRST")  " > "$DIR/typed"
INPUT="$DIR/typed" as alice 0 recovery confirm
as alice 0 --json recovery;                 out_has '"confirmed":true'; out_has '"ours":true'

# At a terminal nobody sees what is typed, and the echo is there again, whatever ends it.
typed() { # EXIT PROMPT LINE|-SIGNAL ARGUMENTS...
    timeout -k 5 40 "$TERMINAL" "$2" "$3" "$BIN/sealmq" --home "$DIR/alice" "${@:4}" > "$DIR/out" 2> "$DIR/err"
    equal "$?" "$1" "the exit status of ${*:4} at a terminal"
}
typed 0 "from the paper: " "$FIRST" recovery confirm; out_has "This is the recovery key of this account"
typed 1 "from the paper: " -INT recovery confirm;     out_has "stopped by a signal"
typed 1 "from the paper: " -TERM recovery confirm;    out_has "stopped by a signal"
typed 1 "Type it: " -INT recovery setup;              out_has "stopped by a signal"
as alice 0 --json recovery;                 out_has '"confirmed":true'; out_has '"ours":true'

# Another one only by the old one.
as alice 1 --json recovery setup --yes --key-file "$DIR/none"; one_error
echo "$OTHER" > "$DIR/typed"
as alice 1 recovery setup --yes --key-file "$DIR/typed"; err_has "not this account's recovery key"; err_has "worth nothing"
echo "$FIRST" > "$DIR/typed"
as alice 0 --json recovery setup --yes --key-file "$DIR/typed"
KEY="$(key_of)"
[ "$KEY" != "$FIRST" ] || fail "the same key again"
echo "$FIRST" > "$DIR/typed"
INPUT="$DIR/typed" as alice 1 recovery confirm; one_error

# Wrong ones: another account's, the one that was replaced, one that is none; each leaves no account behind.
RIGHT="$KEY"
KEY="$FIRST"; restore new 1 --handle alice; one_error; err_has "no account with this recovery key"
KEY="$OTHER"; restore new 1 --handle alice; one_error
event_wait recovery_refused '"why":"wrong_key"'
KEY="${RIGHT:0:40}0000"; restore new 1 --handle alice; err_has "look at group 9 again"
KEY="$RIGHT"; restore new 1 --handle carol; one_error; err_has "nobody has this handle"
restore new 2; one_error
restore new 2 --handle alice --account x;   one_error
restore alice 1 --handle alice;             one_error; err_has "there is an account in this home"
as new 1 send bob hello;                    err_has "init"

# The right one: the same account, the same name; the other device is still there, and its user hears of it.
KEY="$(tr 'A-Z-' 'a-z ' <<< "$RIGHT")"
restore new 0 --json --handle alice;        lines 1; json_lines; out_has '"state":"restored"'; out_has '"handle":"alice"'
out_has '"other_devices":1'
NEW="$(field device)"
event_wait recovery_started
event_wait recovery_done '"devices":2'
as new 0 --json devices;                    out_has "\"device\":\"$NEW\",\"name\":\"\",\"standing\":\"active\",\"own\":true"
as new 0 --json recovery;                   out_has '"mode":"account-only"'; out_has '"confirmed":true'; out_has '"uses":1'
as alice 0 recovery;                        err_has "This account was recovered"; out_has "used once, "
as alice 0 recovery;                        err_silent
say new bob "from the new device"
take bob "from the new device"
say bob alice "to both"
take new "to both"
take alice "from the new device" # its copy
take alice "to both"

# By the id, with everything else revoked: for who has lost it all.
ACCOUNT="$(as new 0 --json log; field account)"
restore last 0 --account "$ACCOUNT" --revoke-others; out_has "The account is back"; out_lacks "handle"; out_lacks "It has"
event_wait recovery_done '"devices":1'
as alice 1 recv --timeout 10;               err_has "suspended or revoked"
as new 1 send bob hello;                    err_has "suspended or revoked"
as last 0 --json devices;                   lines 1
equal "$(grep -o '"standing":"active"' "$DIR/out" | wc -l)" 1 "active devices"
as bob 1 --json send alice "to the last one"; out_has '"state":"held"'; err_has "account was recovered"
as bob 0 release "$(field id)"
take last "to the last one"

# Killed anywhere: the same command goes on or begins anew, and there is one more device, never two.
relay_stop
restore late 1 --handle alice --timeout 1;  one_error; err_has "nothing was restored yet"
relay_start
echo "$KEY" > "$DIR/typed"
for ms in 004 008 016 030 045 060 080 100 130 170; do
    "$BIN/sealmq" --home "$DIR/late" recovery restore --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" \
        --handle alice < "$DIR/typed" > /dev/null 2>&1 &
    sleep "0.$ms" # nothing rests on it: it only lets each die somewhere else
    kill -KILL $! 2> /dev/null; ended $! 2> /dev/null
done
restore_again() {
    timeout 20 "$BIN/sealmq" --home "$DIR/late" recovery restore --relay "tcp://127.0.0.1:$PORT" \
        --server-key "$RELAY/server.pub" --handle alice < "$DIR/typed" > "$DIR/out" 2> "$DIR/err" ||
        grep -q "there is an account in this home" "$DIR/err"
}
wait_for "the account is in the home" restore_again
as late 0 --json devices;                   lines 1
equal "$(grep -o '"standing":"active"' "$DIR/out" | wc -l)" 2 "active devices"
say late bob "from the late one"
take bob "from the late one"
! grep -rqaF -e "$RIGHT" -e "${RIGHT//-/}" "$DIR"/{alice,new,last,late,bob} "$RELAY" "$DIR/sealmqd" || fail "the key is in a file"
done_well
