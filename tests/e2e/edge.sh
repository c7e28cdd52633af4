#!/usr/bin/env bash
# The edge when the broker itself is in need: too few descriptors, an access check that is away, connections
# that do not end. And a broker that dies is back.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ATTACK="${SEALMQ_ATTACK:?set SEALMQ_ATTACK to the attacker}"
EDGE="${SEALMQ_EDGE:?set SEALMQ_EDGE to the preloaded edge}"

# attack KIND ADDRESS COUNT
attack() { timeout 100 "$ATTACK" "$1" "$2" 127.0.0.1 "$PORT" "$RELAY/server.pub" "$3" 2>> "$DIR/attack"; }

relay_make

# Start refuses what cannot work, with one line that names it.
(
    ulimit -n 1000 || exit 1
    run 2 sealmq-broker --config "$CONFIG"
    one_error; err_has "broker.connections: 16384 need 16640 descriptors, and RLIMIT_NOFILE allows 1000"
) || exit 1
(
    export SEALMQ_NO_CURVE=1 LD_PRELOAD="$EDGE"
    run 1 sealmq-broker --config "$CONFIG"
    one_error; err_has "the edge does not keep strangers out: a client with the right keys does not get in"
) || exit 1

# The access check is away: nobody new gets in, who is in stays, and both are told.
export SEALMQ_ZAP_DEAD="$DIR/dead" SEALMQ_FIRST_ID=4096
LD_PRELOAD="$EDGE" relay_start
BROKER="$(child broker)"
device_make alice bob
"$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!
say alice bob "before"
shown() { grep -qF "\"text\":\"$1\"" "$DIR/follow"; }
wait_for "it is shown" shown "before"
touch "$DIR/dead"
event_wait auth_unavailable '"level":"alarm"'
as alice 3 send --timeout 1 bob "meanwhile"
rm "$DIR/dead"
event_wait auth_available
say alice bob "again"
wait_for "what waited is shown" shown "meanwhile"
wait_for "and what came then" shown "again"
equal "$(child broker)" "$BROKER" "the broker"
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow: $(cat "$DIR/follow.err")"

# A number that ZeroMQ is about to give is taken by someone who only waits: libzmq would abort.
attack squat 127.0.0.2 4200 || fail "squat: $(cat "$DIR/attack")"
event_wait connection_cut '"reason":"routing_id"'
equal "$(child broker)" "$BROKER" "the broker"

# A dead broker is back, by the settings as they are made.
child_end broker KILL
wait_for "the relay serves again" relay_serves
say alice bob "after"; take bob "after"
relay_stop
unset SEALMQ_ZAP_DEAD SEALMQ_FIRST_ID

# Descriptors run short: connections are shed, the broker goes on, and then all is as before. 100 are in use from the
# start, or as many connections as may be would come first.
relay_set broker connections 900
(
    for ((i = 0; i < 100; i++)); do exec {inherited}< /dev/null; done
    ulimit -n $((1156 + ${SEALMQ_JOINED:+384}+0)) && exec "$BIN/sealmqd" --config "$CONFIG" >> "$DIR/sealmqd" 2>&1
) &
SUPERVISOR=$!
wait_for "the relay serves" relay_serves
BROKER="$(child broker)"
ATTACKS=()
for i in 2 3 4 5; do
    attack half_open "127.0.0.$i" 240 & ATTACKS+=($!)
done
for i in "${ATTACKS[@]}"; do wait "$i" || fail "half_open: $(cat "$DIR/attack")"; done
event_wait connection_cut '"reason":"descriptors"'
say alice bob "afterwards"; take bob "afterwards"
equal "$(child broker)" "$BROKER" "the broker"
relay_stop

# Connections that libzmq does not let go of: when they are too many, another broker takes over.
sed -i "s|connections = .*|connections = \"64\"|" "$CONFIG"
relay_start
BROKER="$(child broker)"
attack stuck 127.0.0.2 10 || fail "stuck: $(cat "$DIR/attack")"
wait_for "the broker is replaced" child_is_new broker "$BROKER"
log_wait connections_stuck '"connections":'
wait_for "the relay serves again" relay_serves
say alice bob "with another broker"; take bob "with another broker"
relay_stop
done_well
