#!/usr/bin/env bash
# One store has one owner (row 44): a second worker or supervisor on it is locked out and says so; a worker
# on a stale copy of it, or the old owner after a newer term, is fenced: what it says is refused.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
say alice bob "before"

# Locked out; the owner serves on meanwhile.
run 1 sealmqd --config "$CONFIG"
one_error; err_has "another sealmqd runs in"
timeout 20 "$BIN/sealmq-storage" --config "$CONFIG" > "$DIR/second" 2>&1 &
SECOND=$!
say alice bob "beside a second worker"
STORAGE="$(child storage)"
ended "$SECOND"; equal "$?" 1 "the exit status of a second storage worker"
grep -q "storage cannot start: another process owns this" "$DIR/second" ||
    fail "a second storage worker says: $(cat "$DIR/second")"
[ "$(child storage)" = "$STORAGE" ] || fail "the second worker ended the first"

# A copy of the store, opened later, has the newer term: the broker hears it and no longer the old owner,
# whose answers might contradict it.
kill -STOP "$STORAGE"
cp -r "$RELAY/store" "$DIR/copy"
rm -f "$DIR/copy/LOCK"
sed "s|^storage\$|&\n    data = \"$DIR/copy\"|" "$CONFIG" > "$RELAY/copy.zpl"
chmod 600 "$RELAY/copy.zpl"
"$BIN/sealmq-storage" --config "$RELAY/copy.zpl" >> "$DIR/second" 2>&1 &
COPY=$!
wait_for "the copy serves" relay_serves
kill -CONT "$STORAGE"
log_wait stale_term_refused '"level":"warn"'
say alice bob "to the newer owner"
ctl 0 explain "$REFERENCE";                       out_has "waiting_offline"
as bob 0 --json recv --count 3 --timeout 10
equal "$(sed 's/.*"text":"\([^"]*\)".*/\1/' "$DIR/out" | tr '\n' ,)" \
    "before,beside a second worker,to the newer owner," "what the newer owner delivers"
take_none bob
kill -TERM "$COPY"
ended "$COPY" || fail "the copy's worker ended with $?: $(cat "$DIR/second")"

done_well
