#!/usr/bin/env bash
# A damaged store: storage refuses, says what and where, and leaves the directory as it is; the supervisor
# gives up instead of trying for ever. With the file restored, everything is there again.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
say alice bob "survives the damage"
relay_stop

# What is in the store, RocksDB's own diary (LOG*) and LOCK aside.
inventory() { (cd "$RELAY/store" && find . -type f ! -name 'LOG*' ! -name LOCK -exec cksum {} + | sort); }

# refuses NAME: the store is damaged, and said to be; twice, as nothing changes.
refuses() {
    inventory > "$DIR/before"
    for _ in 1 2; do
        run 2 sealmq-storage --config "$CONFIG"
        one_error; err_has "storage cannot start: stored bytes fail their check"; err_has "store"
    done
    has_log store_damaged '"level":"alarm"' || fail "damage to $1 is not in the log"
    # The whole relay: sealmqd ends by itself, and names who refused.
    "$BIN/sealmqd" --config "$CONFIG" > "$DIR/sealmqd" 2>&1 &
    SUPERVISOR=$!
    ended "$SUPERVISOR"
    equal "$?" 2 "the exit status of sealmqd with a damaged store"
    grep -q "sealmq-storage refuses to start" "$DIR/sealmqd" || fail "sealmqd does not say who refused"
    inventory > "$DIR/after"
    cmp -s "$DIR/before" "$DIR/after" || fail "the damaged store was changed: $(diff "$DIR/before" "$DIR/after")"
}

cp -r "$RELAY/store" "$DIR/good"
restore() { rm -rf "$RELAY/store"; cp -r "$DIR/good" "$RELAY/store"; chmod 700 "$RELAY/store"; }

echo "MANIFEST-999999" > "$RELAY/store/CURRENT"
refuses CURRENT
restore
MANIFEST="$(cat "$RELAY/store/CURRENT")"
: > "$RELAY/store/$MANIFEST"
refuses MANIFEST
restore
rm "$RELAY/store/CURRENT"
refuses "the missing CURRENT"

# Meanwhile users wait, and nothing of theirs is refused.
as alice 3 --json send bob "typed meanwhile" --timeout 0

restore
relay_start
as alice 0 --json outbox --flush
take bob "survives the damage"
take bob "typed meanwhile"
ctl 0 --json events --limit 64;                   out_lacks store_loss

done_well
