#!/usr/bin/env bash
# The memory of the servers (invariant I11): while sealed messages pass through the relay, wait in it, fail and are
# resent, no process of it has a text of them or a secret key of the devices. What must be found is: an opaque text,
# and what each process knows for sure.
# Needs SEALMQ_SECRETS and SEALMQ_SEARCH, the programs of secrets.c and search.c, and root: the relay's processes let
# nobody else read their memory.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SECRETS_BIN="${SEALMQ_SECRETS:?set SEALMQ_SECRETS to the program of secrets.c}"
SEARCH_BIN="${SEALMQ_SEARCH:?set SEALMQ_SEARCH to the program of search.c}"

hex_text() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
needle() { echo "$1 $(hex_text "$2")" >> "$DIR/needles"; }

relay_make
relay_start
device_make alice; ALICE="$(field device)"
device_make bob;   BOB="$(field device)"

# pid_of NAME: of one of the relay's processes.
pid_of() { if [ "$1" = sealmqd ]; then echo "$SUPERVISOR"; else child "$1"; fi; }

# secrets_note: the devices' secret keys as they are now join those that were.
secrets_note() {
    { "$SECRETS_BIN" "$DIR/alice" "$BOB" && "$SECRETS_BIN" "$DIR/bob" "$ALICE"; } > "$DIR/secrets" ||
        fail "no secret keys"
    [ "$(wc -l < "$DIR/secrets")" -ge 40 ] || fail "where are the prekeys?"
    sed 's/\(.\{64\}\).*/secret-key \1/' "$DIR/secrets" | grep -v ' 0*$' >> "$DIR/needles"
    sort -u -o "$DIR/needles" "$DIR/needles"
}

# memory_search: no process of the relay has what it must not; each has what it must: the path of its configuration.
memory_search() {
    local name pid
    cp "$DIR/needles" "$DIR/asked"
    echo "control $(hex_text "$CONFIG")" >> "$DIR/asked"
    for name in sealmqd broker storage fanout; do
        pid="$(pid_of "$name")"
        [ -n "$pid" ] || fail "there is no $name"
        "$SEARCH_BIN" "$pid" < "$DIR/asked" > "$DIR/found" 2> "$DIR/err" ||
            fail "the memory of $name cannot be searched (are you root?): nothing is proved"
        grep -qx control "$DIR/found" || fail "the search does not find what $name has"
        ! grep -vx control "$DIR/found" > "$DIR/out" || fail "in the memory of $name"
        SEARCHED=$((SEARCHED + 1))
    done
}
SEARCHED=0

for i in 1 2 3 4 5 6 7 8; do needle "text-$i" "canary-sealed-$i-3e9c"; done
secrets_note
memory_search

# Small ones and a big one that are held in the mailbox.
say alice bob "canary-sealed-1-3e9c"
secrets_note
memory_search
for i in $(seq 6000); do printf 'canary-sealed-2-3e9c '; done > "$DIR/big"
INPUT="$DIR/big" say alice bob -
memory_search
take bob "canary-sealed-1-3e9c"
as bob 0 --json recv --count 1 --timeout 10; out_has "canary-sealed-2-3e9c canary-sealed-2-3e9c"
say bob alice "canary-sealed-3-3e9c"; take alice "canary-sealed-3-3e9c"
secrets_note

# While they pass.
"$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!
pass() { for _ in $(seq 40); do "$BIN/sealmq" --home "$DIR/alice" --json send bob "canary-sealed-4-3e9c" || return 1; done; }
pass > "$DIR/passed" 2>&1 &
PASS=$!
PASSES=0
until is_dead "$PASS"; do memory_search; PASSES=$((PASSES + 1)); done
wait "$PASS" || fail "not all were sent: $(tail -n 2 "$DIR/passed")"
[ "$PASSES" -ge 1 ] || fail "no search while they passed"
shown() { [ "$(grep -cF canary-sealed-4-3e9c "$DIR/follow")" = 40 ]; }
wait_for "all are shown" shown
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow: $(cat "$DIR/follow.err")"
secrets_note
memory_search

# One that fails, and is resent: bob's home is one without the keys that are in use.
cp -r "$DIR/bob" "$DIR/older"
for i in 1 2 3; do
    say alice bob "canary-sealed-5-3e9c"; take bob "canary-sealed-5-3e9c"
    say bob alice "canary-sealed-6-3e9c"; take alice "canary-sealed-6-3e9c"
done
secrets_note
rm -rf "$DIR/bob"; mv "$DIR/older" "$DIR/bob"
say alice bob "canary-sealed-7-3e9c"
as bob 4 --json recv --timeout 2
event_wait decrypt_failed
memory_search
resent() { # her client hears of it when it asks
    timeout -k 5 20 "$BIN/sealmq" --home "$DIR/alice" --json status "$ID" > /dev/null 2>&1
    timeout -k 5 20 "$BIN/sealmq" --home "$DIR/alice" --json outbox --flush > /dev/null 2>&1
    timeout -k 5 20 "$BIN/sealmq" --home "$DIR/bob" --json recv --timeout 1 > "$DIR/late" 2> /dev/null
    grep -qF canary-sealed-7-3e9c "$DIR/late"
}
wait_for "it is resent" resent
secrets_note
memory_search

# One is waiting, and what is not sealed is found where it waits.
say alice bob "canary-sealed-8-3e9c"
say alice bob "canary-opaque-3e9c" --opaque
memory_search
echo "opaque $(hex_text canary-opaque-3e9c)" > "$DIR/asked"
"$SEARCH_BIN" "$(child storage)" < "$DIR/asked" > "$DIR/found" || fail "the storage's memory cannot be searched"
grep -qx opaque "$DIR/found" || fail "the search does not find a text that is not sealed"
[ "$SEARCHED" -ge 32 ] || fail "only $SEARCHED searches"
relay_stop
done_well
