#!/usr/bin/env bash
# A stolen disk (row 53) and whoever reads the logs (invariant I11): no secret key of relay or devices is in the
# store, and no text that was sealed; no secret and no raw id, handle or text is in the log, in events or in what the
# programs say.
# Needs SEALMQ_SECRETS, the program of secrets.c.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
SECRETS_BIN="${SEALMQ_SECRETS:?set SEALMQ_SECRETS to the program of secrets.c}"

hex_of() { od -An -v -tx1 "$@" | tr -d ' \n'; }
hex_text() { printf '%s' "$1" | hex_of; }

# z85_hex TEXT: the bytes of ZeroMQ's Z85 text.
z85_hex() {
    local alphabet='0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'
    local i value=0 before
    for ((i = 0; i < ${#1}; i++)); do
        before="${alphabet%%"${1:i:1}"*}"
        value=$((value * 85 + ${#before}))
        ((i % 5 < 4)) || { printf '%08x' "$value"; value=0; }
    done
}

relay_make
relay_start
ALICE=canary-alice-77f1 BOB=canary-bob-a931
declare -A IDS
for name in "$ALICE" "$BOB"; do
    device_make "$name"
    IDS[account-$name]="$(field account)"
    IDS[device-$name]="$(field device)"
done

# Something of everything: deliveries, refusals, a conflict, restarts, an unknown reference, an expiry.
say "$ALICE" "$BOB" "canary-text-5501"
IDS[message]="$(echo "$ID" | tr -d -)"
IDS[reference]="$REFERENCE"
take "$BOB" "canary-text-5501"
as "$ALICE" 1 send canary-nobody-17 "canary-text-5502"
say "$ALICE" "$BOB" "canary-text-5503" --ttl 1
wait_for "it expires" explained "$REFERENCE" expired
cp -r "$DIR/$ALICE" "$DIR/copy"
V7="$(printf '%012x' "$(date +%s%3N)" | sed 's/^\(.\{8\}\)\(.\{4\}\)$/\1-\2/')-7abc-8def-0123456789ab"
say "$ALICE" "$BOB" "canary-text-5504" --id "$V7"
as copy 1 send "$BOB" "canary-text-5505" --id "$V7"
child_end broker TERM; child_end storage KILL; child_end fanout KILL
wait_for "the relay serves" relay_serves
say "$BOB" "$ALICE" "canary-text-5506"
say "$BOB" "$ALICE" "canary-text-open" --opaque
ctl 0 --json events --limit 64; cp "$DIR/out" "$DIR/events.json"
ctl 0 events --limit 64;        cp "$DIR/out" "$DIR/events.text"
ctl 0 --json status;            cp "$DIR/out" "$DIR/status.json"
relay_stop

# What may be read by whoever keeps the logs.
SAID=("$RELAY/log" "$DIR/sealmqd" "$DIR/events.json" "$DIR/events.text" "$DIR/status.json" "$RELAY"/store/LOG*)
[ "$(wc -l < "$RELAY/log")" -ge 20 ] || fail "the log is too short to prove anything"
grep -q id_reused "$RELAY/log" || fail "the conflict is not in the log"

# absent WHAT NEEDLE...: not in what is said, as text, in hex or as bytes; in any letter case.
absent() {
    local what="$1" needle file
    shift
    for file in "${SAID[@]}"; do
        for needle in "$@"; do
            ! grep -qaiF -- "$needle" "$file" || fail "$what is in $(basename "$file")"
        done
    done
}
absent "a handle" canary-alice canary-bob canary-nobody
absent "a text" canary-text
absent "a message id" "$ID" "$V7" "$(echo "$V7" | tr -d -)"
for key in "${!IDS[@]}"; do absent "$key" "${IDS[$key]}"; done
SAID_HEX="$(hex_of "${SAID[@]}")"
for key in "${!IDS[@]}"; do
    [[ "$key" = reference || "$SAID_HEX" != *"${IDS[$key]}"* ]] || fail "$key is said as bytes"
done

# Secrets: of the relay and of the devices, in the store, in what is said, and in each other's place.
KEYS="$RELAY/keys"
declare -A SECRETS
SECRETS[server]="$(z85_hex "$(head -c 40 "$KEYS/server.key")")"
for name in mark receipt stamp webhook; do
    SECRETS[$name]="$(grep -oE '[0-9a-f]{64}' "$KEYS/$name.key")"
done
for name in "$ALICE" "$BOB"; do
    n=0
    while read -r line; do
        n=$((n + 1))
        SECRETS[$name-$n]="${line:0:64}" # Ed25519: the seed; the public half behind it is public
    done < <("$SECRETS_BIN" "$DIR/$name")
    equal "$n" 3 "secret keys of $name"
done
for f in "$RELAY"/store/*; do hex_of "$f"; echo; done > "$DIR/store.hex"
# The search finds what is there: the device's id, and the text that was not sealed. Those that were are not.
grep -q "${IDS[device-$BOB]}" "$DIR/store.hex" || fail "the search does not find what the store has"
grep -q "$(hex_text canary-text-open)" "$DIR/store.hex" || fail "the search does not find a text"
! grep -q "$(hex_text canary-text-55)" "$DIR/store.hex" || fail "a sealed text is in the store"
for name in "${!SECRETS[@]}"; do
    secret="${SECRETS[$name]}"
    equal "${#secret}" 64 "the length of the secret $name"
    ! grep -qF -- "$secret" "$DIR/store.hex" || fail "the secret $name is in the store"
    ! grep -qF -- "$(hex_text "$secret")" "$DIR/store.hex" || fail "the secret $name is in the store, as text"
    [[ "$SAID_HEX" != *"$secret"* ]] || fail "the secret $name is said as bytes"
    absent "the secret $name" "$secret"
done
absent "the server's key" "$(head -c 40 "$KEYS/server.key")"
! grep -qF -- "$(hex_text "$(head -c 40 "$KEYS/server.key")")" "$DIR/store.hex" || fail "the server's key is in the store"

# A device's own disk: no secret key is in its home in clear, and no text, sent or received, but what goes unsealed to
# the relay. The home's key is in a file of its own.
for name in "$ALICE" "$BOB"; do
    for f in "$DIR/$name"/*; do hex_of "$f"; echo; done > "$DIR/home.hex"
    grep -q "${IDS[device-$name]}" "$DIR/home.hex" || fail "the search does not find what the home of $name has"
    for n in 1 2 3; do
        ! grep -qF -- "${SECRETS[$name-$n]}" "$DIR/home.hex" || fail "a secret key of $name is in its home in clear"
    done
done
grep -q "$(hex_text canary-text-open)" "$DIR/home.hex" || fail "the search does not find a text"
! grep -q "$(hex_text canary-text-55)" "$DIR/home.hex" || fail "a sealed text is in the home in clear"

# And nobody else may read them.
equal "$(find "$RELAY/keys" "$CONFIG" "$DIR/$ALICE" -perm /077 | wc -l)" 0 "files that others may use"
for dir in "$RELAY" "$RELAY/keys" "$RELAY/run" "$RELAY/store"; do equal "$(stat -c %a "$dir")" 700 "mode of $dir"; done

done_well
