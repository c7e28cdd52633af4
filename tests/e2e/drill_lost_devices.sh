#!/usr/bin/env bash
# Drill: a user loses all devices. What the user, support and engineering see, with the recovery key and without it: the account
# comes back with the key alone, old messages never do, and whoever guesses keys is seen, limited and holds nobody up.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob carol
as alice 0 --json recovery setup --yes
KEY="$(sed -n 's/.*"recovery_key":"\([0-9A-Z-]*\)".*/\1/p' "$DIR/out")"
say bob alice "read before the loss"
take alice "read before the loss"
as bob 0 verify alice --yes
as carol 0 verify alice --yes

# The loss: the home is gone; what comes for it waits at the relay, and its sender sees that.
mv "$DIR/alice" "$DIR/stolen"
say bob alice "written to the lost device"
LOST="$REFERENCE" LOST_ID="$ID"
wait_for "support sees that it waits" explained "$LOST" waiting_offline

# Support asks once for the account that the user names, and has the marks under which its events are found.
mark() { grep -o '"mark":"[0-9a-f]*"' "$DIR/out" | sed -n "$1"'{s/.*:"//; s/"//; p}'; }
ctl 0 --json devices alice
ACCOUNT_MARK="$(mark 1)" DEVICE_MARK="$(mark 2)"
equal "${#ACCOUNT_MARK}${#DEVICE_MARK}" 1616 "the lengths of the marks"
ctl 0 devices alice;                        out_has "mark        $ACCOUNT_MARK"; out_has "mark        $DEVICE_MARK"
OF_ALICE="\"account\":\"$ACCOUNT_MARK\""

# Without the key: the user is told in plain words, before he has made anything.
restore() {
    local wanted="$1"
    shift
    INPUT="$DIR/typed" as new "$wanted" recovery restore --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" \
        --handle alice "$@"
}
echo "no key at all" > "$DIR/typed"
restore 1; err_has "nothing was restored"
as carol 0 recovery;                        out_has "nobody can restore it"

# Somebody guesses. The user reads what to do; support and engineering see tries, then an alarm.
as bob 0 --json recovery setup --yes
sed -n 's/.*"recovery_key":"\([0-9A-Z-]*\)".*/\1/p' "$DIR/out" > "$DIR/typed"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    restore 1; one_error; err_has "no account with this recovery key"
done
event_wait recovery_refused '"why":"wrong_key","tries":1,'"$OF_ALICE"
restore 1 --timeout 1; one_error; err_has "too many wrong keys"
event_wait recovery_guessed '"tries":11,.*'"$OF_ALICE"
log_wait recovery_guessed '"level":"alarm".*'"$OF_ALICE"

# The owner is not held up by that, and is told what is back and what is not.
echo "$KEY" > "$DIR/typed"
restore 0 --revoke-others;                  out_has "The account is back"; out_has "cannot be restored"; out_lacks "It has"
event_wait recovery_started "$OF_ALICE"
event_wait recovery_done '"devices":1.*'"$OF_ALICE"
event_wait device_enrolled "$OF_ALICE.*\"approved_by\":\"recovery_key\""
event_wait device_revoked "$OF_ALICE,\"device\":\"$DEVICE_MARK\""
event_wait log_appended '"operation":"revoke"'
as new 0 --json recovery;                   out_has '"uses":1'
as new 4 recv --timeout 1;                  lines 0

# The thief's copy of the home is put out, and says so to whoever has it.
as stolen 1 recv --timeout 10;              err_has "suspended or revoked"; err_has "or with its recovery key"

# What was written to the lost device does not come; its sender and support can see that. What is written now waits until its
# writer has asked the user by another way, and comes then.
as bob 0 --json status "$LOST_ID";          out_lacks '"state":"settled"'
ctl 0 --json explain "$LOST";               out_lacks '"code":"settled"'
as bob 1 --json send alice "are you back";  out_has '"state":"held"'; err_has "account was recovered"
out_has '"reason":"contact_recovered"'
ID="$(field id)"
as bob 0 outbox;                            out_has "the contact's account was recovered: compare with him"; out_lacks "device list"
as bob 0 release "$ID"
take new "are you back"
say new bob "it is me"
take bob "it is me"

# Those who had verified the user hear that it is another device now that nobody vouches for.
as bob 0 verify alice;                      out_has "was verified, and is not any more"; out_has "(recovery)"
as carol 1 send alice "and from me";        err_has "account was recovered"
wait_for "carol's mark is lost" eval 'as carol 0 verify alice; grep -q "(recovery)" "$DIR/out"'
as carol 0 verify alice --yes;              out_has "alice is verified"; out_has "the message that was held for this is sent"
take new "and from me"

# Nothing of the key is anywhere: not on the relay, not in a home, not in what was printed for support.
ctl 0 --json events --limit 64
! grep -rqaF -e "$KEY" -e "${KEY//-/}" "$DIR"/{new,stolen,bob,carol,out} "$RELAY" "$DIR/sealmqd" || fail "the key is somewhere"
done_well
