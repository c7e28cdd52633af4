#!/usr/bin/env bash
# The log's disk is full, or the log cannot be opened at all (row 54): nobody's messages are affected, the
# store's own events go on, and what the log lost is counted there once it can be written again.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_set relay log /dev/full
relay_start
device_make alice bob
say alice bob "with a full log"; take bob "with a full log"
event_wait session_started
relay_stop
! grep -v "registration.mode is open" "$DIR/sealmqd" || fail "a full log is not worth a word on standard error: $(cat "$DIR/sealmqd")"

# The log's folder is missing at first.
sed -i 's|log = "/dev/full"|log = "logs/log"|' "$CONFIG"
relay_start
say alice bob "with no log"; take bob "with no log"
mkdir -m 700 "$RELAY/logs"
has_dropped() {
    # something must be written for the sink to be tried
    timeout 10 "$BIN/sealmq" --home "$DIR/alice" status "$ID" > /dev/null 2>&1
    grep -q '"event":"events_dropped","level":"warn","count":[1-9]' "$RELAY/logs/log" 2> /dev/null
}
wait_for "the log tells how many lines it lost" has_dropped
relay_stop

done_well
