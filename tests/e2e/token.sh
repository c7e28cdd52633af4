#!/usr/bin/env bash
# Registration by the product's word: keys and tokens made offline, a relay that takes nobody without one, and devices that
# believe no relay which account a handle is without one.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mint() { run 0 sealmqctl token --key "$DIR/product" --relay-key "$RELAY/server.pub" "$@"; TOKEN="$(cat "$DIR/out")"; }
INIT=()

# Keys and tokens need no relay, and no relay has the key.
run 0 sealmqctl token --keygen "$DIR/product";              lines 1; PRODUCT="$(cat "$DIR/out")"
run 0 sealmqctl --json token --keygen "$DIR/other";         json_lines; OTHER="$(field key)"
equal "$(stat -c %a "$DIR/product")" 600 "the mode of the product's key"
! grep -q "$PRODUCT" "$DIR/product" || fail "the key file has the public half"
run 1 sealmqctl token --keygen "$DIR/product";              one_error; err_has "never replaced"
run 2 sealmqctl token --key "$DIR/product";                 one_error; err_has "--handle"
run 2 sealmqctl token --keygen "$DIR/new" --handle alice;   one_error
run 2 sealmqctl status;                                     one_error; err_has "--config"

# A relay that wants tokens and knows no key does not start; neither does one whose key is none.
relay_make
INIT=(init --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --timeout 10)
relay_set registration mode token
run 2 sealmqd --config "$CONFIG";                           one_error; err_has "registration.key"
relay_set registration key "$DIR/keys"
printf '%s\n%s1\n' "$OTHER" "$PRODUCT" > "$DIR/keys"
run 2 sealmqd --config "$CONFIG";                           one_error; err_has "registration.key"
printf '%s\n%s\n' "$OTHER" "$PRODUCT" > "$DIR/keys"
relay_start
run 0 sealmqctl --config "$CONFIG" --json status;           out_has '"registration":"token"'

# Without a token there is no account; the line names the account that one is wanted for.
as alice 1 "${INIT[@]}" --handle alice;                     one_error; err_has "token_refused"
ALICE="$(grep -oE '[0-9a-f]{64}' "$DIR/err")"
[ ${#ALICE} = 64 ] || fail "no account is named"
event_wait token_refused '"reason":"absent"'
ACCOUNT=(--account "$ALICE" --expires 1h)
mint --handle alice "${ACCOUNT[@]}";                        lines 1
case "$TOKEN" in sealmq:token:1:*) ;; *) fail "no token: $TOKEN" ;; esac
mint --handle alice --account "${ALICE//[0-9]/0}" --expires 1h
as alice 1 register --token "$TOKEN";                       one_error; err_has "another account"
as alice 1 register --token "${TOKEN%??}";                  one_error
mint --handle alice --account "$ALICE" --expires 1s
GONE="$TOKEN"
MADE="$(date +%s)"
is_past() { [ "$(date +%s)" -gt $((MADE + 2)) ]; }
wait_for "the token's time is over" is_past
as alice 1 register --token "$GONE";                        one_error; err_has "token_refused"
event_wait token_refused '"reason":"expired"'
mint --handle alice "${ACCOUNT[@]}"
as alice 0 --json register --token "$TOKEN";                out_has '"state":"registered"'; out_has '"handle":"alice"'
as alice 0 register;                                        out_has "alice is registered"

# A token of the key that came before in the rotation is as good; one of nobody's is not.
joins() { # NAME KEY-FILE EXIT
    as "$1" 1 "${INIT[@]}" --handle "$1" --product-key "$PRODUCT"
    run 0 sealmqctl token --key "$2" --relay-key "$RELAY/server.pub" --handle "$1" --account "$(grep -oE '[0-9a-f]{64}' "$DIR/err")" --expires 7d
    TOKEN="$(cat "$DIR/out")"
    as "$1" "$3" "${INIT[@]}" --handle "$1" --token "$TOKEN"
}
run 0 sealmqctl token --keygen "$DIR/nobody"
joins bob "$DIR/product" 0
joins carol "$DIR/other" 0
joins mallory "$DIR/nobody" 1;                              one_error; err_has "token_refused"
event_wait token_refused '"reason":"signature"'

# Who has the product's key believes handles with its token, and no others, whatever the relay says.
say bob alice "hello";                                      take alice "hello"
as bob 1 send carol "hello";                                one_error; err_has "token_refused"
as bob 0 --json outbox;                                     lines 0
as bob 0 register --product-key "$PRODUCT,$OTHER"
say bob carol "hello, carol";                               take carol "hello, carol"
say alice carol "from one who asks for no token";           take carol "from one who asks for no token"

# What is there stays there, with tokens that have expired, and over a restart; and open means open.
relay_stop
sed -i 's|mode = "token"|mode = "open"|' "$CONFIG"
: > "$DIR/sealmqd"
relay_start
grep -q "anybody" "$DIR/sealmqd" || fail "nobody is told that anybody may come"
event_wait registration_open
as dave 0 "${INIT[@]}" --handle dave
as bob 1 send dave "hello";                                 one_error; err_has "token_refused"
say alice dave "hello";                                     take dave "hello"
as bob 0 register --product-key none
say bob dave "now as the relay says";                       take dave "now as the relay says"
relay_stop
done_well
