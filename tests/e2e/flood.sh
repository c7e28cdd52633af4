#!/usr/bin/env bash
# Devices that ask far more than they may (row 28): they are told when to come and get all of it through, a
# little later; everybody else notices nothing; support and operators see that it happened, and to whom, but no address.
# A crowd that comes from one address at once is let in one after the other.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_set broker device_requests_per_s 2
relay_set broker address_requests_per_s 4
relay_start
device_make alice bob

limited() { relay_serves && [ "$(field limited "$DIR/overview")" -gt 0 ]; }
! limited || fail "limited, and nobody has asked too much"

# 28 devices are 56 requests of one address that may ask 40 at once, and the four that send soon used up their own.
"$BIN/sealmq-bench" run --endpoint "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --mailboxes 24 \
    --count 1000 --window 64 > "$DIR/load" 2> "$DIR/load.err" &
LOAD=$!
wait_for "somebody is limited" limited
say alice bob "in the midst of it"; take bob "in the midst of it"
ended "$LOAD" || fail "the load ended with $?: $(cat "$DIR/load.err")"

log_wait address_limited '"meter":"address"'
log_wait rate_limited '"meter":"device_requests".*"device":"'
! grep -qE '127\.0\.0\.1|ffff:' "$RELAY/log" || fail "an address is in the log"
ctl 0 status;                                     out_has "too often"; out_has "cut off 0"
say alice bob "and after"; take bob "and after"

relay_stop
done_well
