#!/usr/bin/env bash
# When the sender of an opaque message hears what: `delivered` when the bytes are on the recipient's disk, `settled` when
# its application has taken the message, which for the command line is when recv has printed it (row 16). A sealed one
# is settled when it is opened: sealed.sh.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# recv_unprintable: bob's recv gets what waits for it, and cannot print it.
recv_unprintable() {
    timeout -k 5 20 "$BIN/sealmq" --home "$DIR/bob" recv --timeout 10 > /dev/full 2> "$DIR/err"
    equal "$?" 1 "recv onto a full disk"
    one_error; err_has "stays in the inbox"
}

relay_make
relay_start
device_make alice bob

# Kept but not printed: delivered, and not settled.
say alice bob "one" --opaque
recv_unprintable
wait_for "the sender sees that it was delivered" state_is alice "$ID" '"state":"delivered"'
out_has '"state":"accepted"'; out_lacks '"outcome":"settled"'
ctl 0 explain "$REFERENCE";                       out_has "delivered"
# It comes out of the local inbox now, once, and the sender hears of it without another recv.
as bob 0 --json recv --timeout 10;                lines 1; out_has '"text":"one"'; err_silent
wait_for "it is settled" state_is alice "$ID" '"state":"settled"'
take_none bob

# The same while the relay is away: printed at once, exit 0, no word about the relay.
say alice bob "two" --opaque
recv_unprintable
wait_for "the sender sees that it was delivered" state_is alice "$ID" '"state":"delivered"'
relay_stop
BEGUN=$SECONDS
as bob 0 --json recv --timeout 10;                lines 1; out_has '"text":"two"'; err_silent
[ $((SECONDS - BEGUN)) -le 5 ] || fail "recv waited for a relay that is away"
relay_start
state_is alice "$ID" '"state":"delivered"' || fail "settled, though the relay has not heard of it"
take_none bob
wait_for "it is settled at the next visit" state_is alice "$ID" '"state":"settled"'

# A receiver that is killed while it prints: nothing is lost, nothing comes twice.
mkfifo "$DIR/pipe"
exec 7<> "$DIR/pipe" # open for reading, and nobody reads
head -c 70000 /dev/zero | tr '\0' z > "$DIR/long" # more than the pipe holds
INPUT="$DIR/long" say alice bob - --opaque
LONG="$ID"
"$BIN/sealmq" --home "$DIR/bob" recv --follow > "$DIR/pipe" 2> "$DIR/follow.err" &
FOLLOW=$!
read -r -n 1 -t 15 -u 7 || fail "it does not begin to print"
say alice bob "three" --opaque
kill -KILL "$FOLLOW"; ended "$FOLLOW"
exec 7>&-
state_is alice "$LONG" '"outcome":"open"' || fail "settled without having been printed"
as bob 0 --json recv --count 2 --timeout 10;      lines 2
out_has '"text":"three"'; out_has '"text":"zzz'
wait_for "the long one is settled" state_is alice "$LONG" '"state":"settled"'
wait_for "and the other" state_is alice "$ID" '"state":"settled"'
take_none bob

done_well
