#!/usr/bin/env bash
# The memory of a client: while it waits, having received and answered, no secret key of its device, of its prekeys or of its
# sessions is anywhere in it, nor were they left by what has used them. What must be found, so that the search means
# something: the transport key, which ZeroMQ keeps, and the home's key, which opens the columns of its state.
# Needs SEALMQ_SECRETS and SEALMQ_SEARCH, the programs of secrets.c and search.c, and root: clients let nobody else
# read their memory.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SECRETS_BIN="${SEALMQ_SECRETS:?set SEALMQ_SECRETS to the program of secrets.c}"
SEARCH_BIN="${SEALMQ_SEARCH:?set SEALMQ_SEARCH to the program of search.c}"

relay_make
relay_start
device_make alice; ALICE="$(field device)"
device_make bob

# needles_note: bob's secret keys as they are now; the third is the transport key.
needles_note() {
    "$SECRETS_BIN" "$DIR/bob" "$ALICE" > "$DIR/secrets" || fail "no secret keys"
    [ "$(wc -l < "$DIR/secrets")" -ge 100 ] || fail "where are the prekeys and sessions?"
    sed -n 3p "$DIR/secrets" | sed 's/\(.\{64\}\).*/transport \1/' >> "$DIR/needles"
    sed 3d "$DIR/secrets" | sed 's/\(.\{64\}\).*/secret-key \1/' | grep -v ' 0*$' >> "$DIR/needles"
    sort -u -o "$DIR/needles" "$DIR/needles"
}
# search_of PID: what it has of them.
search_of() {
    "$SEARCH_BIN" "$1" < "$DIR/needles" > "$DIR/found" 2> "$DIR/err" ||
        fail "the memory of the client cannot be searched (are you root?): nothing is proved"
    sort -u -o "$DIR/found" "$DIR/found"
}

say alice bob "one"; take bob "one"
say bob alice "two"; take alice "two"
needles_note
follow_start bob
for i in 1 2 3 4 5; do
    innocent
    needles_note
    say bob alice "answer $i"; take alice "answer $i"
    needles_note
done
sleep 0.3 # nothing rests on it: it only lets what is under way come to its end
search_of "$FOLLOW"
grep -qx transport "$DIR/found" || fail "the search does not find the transport key"
! grep -qx secret-key "$DIR/found" || fail "a secret key lies in the memory of a client that waits"
follow_end
relay_stop
done_well
