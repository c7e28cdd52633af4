#!/usr/bin/env bash
# What a stranger, and a device with an account, may not say, one kind after the other, while two devices go on: each
# gets its status, nothing of it is done, every innocent message arrives, and the relay is the same processes at the end.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
COMMANDS="${SEALMQ_COMMANDS:?set SEALMQ_COMMANDS to the program of commands.c}"

relay_make
relay_set broker address_requests_per_s 20000 # what is metered is flood.sh's matter
relay_start
BEFORE="$(child broker) $(child storage)"
device_make alice bob
follow_start

for case in headers strangers acks homes entries contacts drain; do
    timeout 60 "$COMMANDS" "tcp://127.0.0.1:$PORT" "$RELAY/server.pub" "$case" 2> "$DIR/said" &
    pid=$!
    innocent; innocent
    wait "$pid" || fail "$case: $(cat "$DIR/said")"
    innocent
    equal "$(child broker) $(child storage)" "$BEFORE" "the relay's processes after $case"
done

# Engineering sees what was tried.
log_wait frame_refused '"status":"unsupported"' # the first of each connection
log_wait auth_refused '"status":"unauthenticated"'
log_wait log_refused '"status":"bad_entry"'
log_wait log_refused '"status":"refused"'
log_wait contact_blocked
log_wait request_refused '"stranger":1'
log_wait prekeys_low
log_wait prekeys_drained
follow_end
relay_stop
done_well
