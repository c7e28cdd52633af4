#!/usr/bin/env bash
# A connection that is open at both ends and carries nothing (row 21: half-open TCP, a NAT that forgot): the device
# notices and comes another way, the relay lets the silent session go, and what was on its way arrives once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
PROXY_BIN="${SEALMQ_PROXY:?set SEALMQ_PROXY to the program of proxy.c}"

relay_make
relay_set broker ping_ms 300
relay_start
RELAY_PORT="$PORT"
port_choose
PROXY_PORT="$PORT"; PORT="$RELAY_PORT"
"$PROXY_BIN" "$PROXY_PORT" "$RELAY_PORT" 2> "$DIR/proxy" &
PROXY=$!
device_make alice
as bob 0 --json init --relay "tcp://127.0.0.1:$PROXY_PORT,tcp://127.0.0.1:$RELAY_PORT" \
    --server-key "$RELAY/server.pub" --handle bob
"$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!
arrived() { [ "$(grep -cF "\"text\":\"$1\"" "$DIR/follow")" = 1 ]; }

say alice bob "while all is well"
wait_for "it arrives" arrived "while all is well"
STARTED="$(grep -c '"event":"session_started".*"attached":true' "$RELAY/log")"
new_session() { [ "$(grep -c '"event":"session_started".*"attached":true' "$RELAY/log")" -gt "$STARTED" ]; }

# Nothing passes any more, and nobody is told.
kill -STOP "$PROXY"
say alice bob "into the void"
HALF="$REFERENCE"
log_wait connection_cut '"reason":"session"'
log_wait 'session_(ended|superseded)' # whichever is first: the relay notices, or the device is back
wait_for "the device has another session" new_session
wait_for "it arrives another way" arrived "into the void"
wait_for "support sees it settled" explained "$HALF" settled

# What stood still goes on, and repeats nothing.
kill -CONT "$PROXY"
say alice bob "and on"
wait_for "it arrives" arrived "and on"
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow: $(cat "$DIR/follow.err")"
equal "$(wc -l < "$DIR/follow")" 3 "messages shown"
kill -KILL "$PROXY"; wait "$PROXY" 2> /dev/null
relay_stop
done_well
