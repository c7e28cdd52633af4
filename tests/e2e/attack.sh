#!/usr/bin/env bash
# Strangers at the edge, one kind after the other, while two devices go on: every message arrives, once and at
# whom it is for; each attack ends; engineering sees which it was; the broker is the same process at the end.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ATTACK="${SEALMQ_ATTACK:?set SEALMQ_ATTACK to the attacker}"
RSS_MAX_KIB=200000

relay_make
relay_set broker address_connections 300
relay_set broker address_requests_per_s 20000 # what is metered is flood.sh's matter
relay_start
BROKER="$(child broker)"
device_make alice bob
follow_start

# attack KIND COUNT [REASON]: from an address of its own; with REASON, it is cut for that.
HOST=1
attack() {
    local pid
    HOST=$((HOST + 1))
    timeout 100 "$ATTACK" "$1" "127.0.0.$HOST" 127.0.0.1 "$PORT" "$RELAY/server.pub" "$2" 2> "$DIR/attack" &
    pid=$!
    innocent; innocent
    wait "$pid" || fail "$1: $(cat "$DIR/attack")"
    innocent
    [ -z "${3:-}" ] || event_wait connection_cut "\"reason\":\"$3\""
    equal "$(child broker)" "$BROKER" "the broker after $1"
    [ "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$BROKER/status")" -lt "$RSS_MAX_KIB" ] || fail "$1: $(grep VmHWM "/proc/$BROKER/status")"
}

# Goes on beside all others.
"$ATTACK" unread 127.0.0.99 127.0.0.1 "$PORT" "$RELAY/server.pub" 1 2> "$DIR/unread" &
UNREAD=$!

attack garbage 60
attack bare 20
attack wrong_server 20
attack oversized 3
attack endless 4 unfinished
attack parts 10 parts
attack chosen_ids 24 routing_id
attack flood 320 'address_(full|silent)' # which of the two depends on who is faster
attack half_open 200
attack handshakes 140
attack half_open 600 address_silent
log_wait address_banned '"offences":128'
# The same address again: whatever it does, it does not get far.
HOST=$((HOST - 1))
attack half_open 20 banned
attack duplicates 3 silent
attack silent 20 silent

log_wait connection_cut '"reason":"unread"'
{ kill -KILL "$UNREAD"; wait "$UNREAD"; } 2> /dev/null
has_log auth_unavailable && fail "the access check was away"
ctl 0 status;                                     out_has "unfinished 4"; out_has "0 stuck"
follow_end
echo "attack: the broker had $(sed -n 's/^VmHWM:[^0-9]*//p' "/proc/$BROKER/status") at most"
relay_stop
done_well
