#!/usr/bin/env bash
# Wake-ups: a message for an offline device posts once to the push gateway, signed, with nothing in it but
# who should connect; failures are tried again and become events; none are posted to a device that is there.
# Needs SEALMQ_GATEWAY, the program of gateway.c.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
GATEWAY_BIN="${SEALMQ_GATEWAY:?set SEALMQ_GATEWAY to the program of gateway.c}"

relay_make
: > "$DIR/posts"
"$GATEWAY_BIN" "$RELAY/keys/webhook.key" "$DIR/posts" 503 200 > "$DIR/gateway" &
GATEWAY=$!
gateway_listens() { [ -s "$DIR/gateway" ]; }
wait_for "the gateway listens" gateway_listens
relay_set fanout webhook "http://127.0.0.1:$(cat "$DIR/gateway")/push"
relay_set fanout retry_ms 100
relay_start
device_make alice bob
BOB="$(field device)"; BOB_ACCOUNT="$(field account)"
posts() { [ "$(wc -l < "$DIR/posts")" -ge "$1" ]; }
posts_exactly() { equal "$(wc -l < "$DIR/posts")" "$1" "posts"; }

# Several messages, one wake-up; refused with 503 first, then taken.
for i in 1 2 3; do say alice bob "secret-text-$i"; done
wait_for "a second attempt" posts 2
event_wait wake_failed '"level":"warn","http_status":503,"attempt":1,"retry_ms":[1-9]'
event_wait wake_sent '"http_status":200,"attempt":2,"latency_ms":'
equal "$(cut -d' ' -f1,2 "$DIR/posts" | tr '\n' ,)" "503 valid,200 valid," "answers and signatures"

# What the gateway gets: the device, nothing of the message.
grep -q "POST /push HTTP/1.1 .*{\"device\":\"$BOB\",\"account\":\"$BOB_ACCOUNT\",\"reason\":\"waiting\"," "$DIR/posts" ||
    fail "a post says: $(head -n 1 "$DIR/posts")"
for word in secret-text alice "$ID" "$(echo "$ID" | tr -d -)" "$REFERENCE"; do
    ! grep -qiF -- "$word" "$DIR/posts" || fail "a post holds $word"
done
# A repeated post has an id of its own, so that the gateway can tell a replay.
equal "$(grep -o '"id":"[0-9a-f]*"' "$DIR/posts" | sort -u | wc -l)" 2 "ids of two posts"

# More for the same sleeping device: it has been woken.
say alice bob "secret-text-4"
as bob 0 --json recv --count 4 --timeout 10;      lines 4
posts_exactly 2

# A device that is attached is not woken.
"$BIN/sealmq" --home "$DIR/bob" --json recv --count 1 > "$DIR/bob.out" 2>&1 &
RECV=$!
is_attached() { relay_serves && grep -q '"attached":1,' "$DIR/overview"; }
wait_for "bob is attached" is_attached
say alice bob "secret-text-5"
ended "$RECV" || fail "recv: $(cat "$DIR/bob.out")"
posts_exactly 2

# No gateway answers: an event, attempts go on, messages are not affected.
kill -KILL "$GATEWAY"; ended "$GATEWAY"
say bob alice "secret-text-6"
event_wait wake_failed '"http_status":0,"attempt":2'
ctl 0 --json explain "$REFERENCE";                out_has '"code":"waiting_offline"'
take alice "secret-text-6"
wait_for "nobody waits to be woken" sh -c "'$BIN/sealmqctl' --config '$CONFIG' --json status | grep -q '\"wakes\":0,\"store\"'"

done_well
