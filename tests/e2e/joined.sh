#!/usr/bin/env bash
# A relay whose broker and storage are in one loop of one process: the same relay to a user and to support, fewer
# processes to an operator; both end together, and nothing is lost.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SEALMQ_JOINED=1
relay_make

run 2 sealmq-relay
one_error; err_has "--config"
relay_start
timeout 20 "$BIN/sealmq-storage" --config "$CONFIG" > "$DIR/second" 2>&1 && fail "a second owner of the store starts"
grep -q "storage cannot start: another process owns this" "$DIR/second" || fail "it says: $(cat "$DIR/second")"

# Two processes beside sealmqd; status names the roles as ever.
[ -n "$(child relay)" ] && [ -n "$(child fanout)" ] || fail "a process is missing"
equal "$(wc -w < "/proc/$SUPERVISOR/task/$SUPERVISOR/children")" 2 "the number of processes"
ctl 0 --json status
out_has '"uptime_ms":'; out_has '"role":"storage","state":"serving"'; out_has '"role":"fanout"'

# A user sees no difference, nor that all of it was killed; nor that the line is no more the one that sealmqd has read.
sed -i "s|joined = \"yes\"|joined = \"no\"|" "$CONFIG"
device_make alice bob
say alice bob "before"; take bob "before"
say alice bob "waits"
RELAY_PID="$(child relay)"
child_end relay KILL
wait_for "the relay serves again" relay_serves
say alice bob "after"
take bob "waits"; take bob "after"
[ "$(child relay)" != "$RELAY_PID" ] || fail "it is the same process"
log_wait process_died '"role":"relay"'

# A planned end drains: what was accepted is there, and the process leaves by itself.
sed -i "s|joined = \"no\"|joined = \"yes\"|" "$CONFIG"
say alice bob "at the end"
relay_stop
grep -q '"event":"process_died"' <(tail -n 4 "$RELAY/log") && fail "a planned end is told as a death: $(tail -n 4 "$RELAY/log")"

# What cannot start says so, with the reason, and sealmqd leaves.
RECEIPT_KEY="$RELAY/keys/receipt.key"
mv "$RECEIPT_KEY" "$DIR/kept"
run 2 sealmq-relay --config "$CONFIG"
one_error; err_has "receipt.key"
mv "$DIR/kept" "$RECEIPT_KEY"

# Files of the store are counted among the descriptors that are needed.
(
    ulimit -n 1000 || exit 1
    run 2 sealmq-relay --config "$CONFIG"
    one_error; err_has "broker.connections: 16384 need 17024 descriptors, and RLIMIT_NOFILE allows 1000"
) || exit 1

# Back to processes of their own, on the same store.
sed -i "s|joined = \"yes\"|joined = \"no\"|" "$CONFIG"
SEALMQ_JOINED=''
relay_start
[ -n "$(child broker)" ] && [ -n "$(child storage)" ] || fail "broker and storage are not processes of their own"
take bob "at the end"
relay_stop
done_well
