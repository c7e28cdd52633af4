#!/usr/bin/env bash
# A connection that chooses another client's routing id, over real sockets: nothing of it is handled as
# that client's, and nothing for that client is sent to it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
export SEALMQ_FIRST_ID=4096

# How many connections the broker has accepted: each has a routing id, until the first one chooses its own.
COUNT="$BIN/sealmqctl --config $CONFIG --json status | sed 's/.*\"edge\":{\"accepted\":\([0-9]*\).*/\1/'"

takeover() {
    LD_PRELOAD="${SEALMQ_EDGE:?set SEALMQ_EDGE to the preloaded edge}" relay_start
    BROKER="$(child broker)"
    timeout 60 "$SEALMQ_TAKEOVER" "tcp://127.0.0.1:$PORT" "$RELAY/server.pub" "$SEALMQ_FIRST_ID" "$COUNT" "$1" \
        > "$DIR/out" 2> "$DIR/err" || fail "$1"
    err_silent
    equal "$(child broker)" "$BROKER" "the broker"
    event_wait connection_cut '"reason":"routing_id"'
    relay_stop
}

takeover speaking
takeover silent
done_well
