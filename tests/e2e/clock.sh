#!/usr/bin/env bash
# A device whose clock is a year off works like any other, in relay time; support sees how far off it is, and
# engineering how often that happens.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

CLOCK="${SEALMQ_CLOCK:?set SEALMQ_CLOCK to the preloaded clock}"
YEAR=31536000

# wrong SECONDS COMMAND...: with a clock that is so far off.
wrong() {
    local skew="$1"
    shift
    SEALMQ_SKEW_S="$skew" LD_PRELOAD="$CLOCK" "$@"
}
# skewed COMPARISON NUMBER: for wait_for: what status counts.
skewed() { relay_serves && [ "$(field skewed "$DIR/overview")" "$1" "$2" ]; }

relay_make
relay_start
device_make alice bob

# With right clocks there is nothing to see.
say alice bob "now";                              take bob "now"
wait_for "status counts no wrong clock" skewed -eq 0
! has_event client_clock_skewed || fail "a right clock is called wrong"

# User: it is accepted, settled, and shown with the relay's time, whatever their own clocks say.
wrong "$YEAR" say alice bob "from the future"
wrong "-$YEAR" take bob "from the future"
out_has "\"accepted\":\"$(date -u +%Y)"
wait_for "it is settled" explained "$REFERENCE" settled

# Support: which way, and how far.
event_wait client_clock_skewed '"clock":"ahead","skew_ms":315[0-9]{8},"device":'
event_wait client_clock_skewed '"clock":"behind","skew_ms":315[0-9]{8},"device":'

# Engineering: how often.
wait_for "status counts both" skewed -ge 2
ctl 0 status;                                     out_has "times a client came with a clock"

done_well
