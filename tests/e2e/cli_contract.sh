#!/usr/bin/env bash
# The command line's contract against a real relay: every command with and without --json, every exit
# status, and that what was typed arrives as it was typed, once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start

# init: the keys stay, the handle is one's own.
INIT=(init --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub")
as alice 0 --json "${INIT[@]}" --handle alice
lines 1; json_lines; out_has '"state":"registered"'; out_has '"handle":"alice"'; out_has '"sealed":true'; out_has '"recovery":false'
ALICE="$(field account)"
as alice 0 --json "${INIT[@]}" --handle alice;    equal "$(field account)" "$ALICE" "init again"
as bob 0 "${INIT[@]}" --handle bob;               out_has "bob"
as mallory 1 "${INIT[@]}" --handle alice;         one_error; err_has "handle_taken"
as mallory 0 "${INIT[@]}" --handle mallory

# A home with a passphrase: opens with it and with no other, and says which of the two it has.
printf 'correct horse\n' > "$DIR/phrase"; printf 'battery staple\n' > "$DIR/wrong"; chmod 600 "$DIR/phrase" "$DIR/wrong"
WITH=(--passphrase-file "$DIR/phrase")
as paul 0 --json "${INIT[@]}" --handle paul "${WITH[@]}"; json_lines
[ ! -e "$DIR/paul/key" ] || fail "a home with a passphrase has a key file"
[ "$(stat -c %a "$DIR/alice/key")" = 600 ] || fail "the key file is open to others"
as paul 0 --json send bob "said under a passphrase" "${WITH[@]}"
as bob 0 recv --timeout 10;                       equal "$(cat "$DIR/out")" "paul: said under a passphrase" "recv"
as paul 1 outbox;                                 one_error; err_has "--passphrase-file"
as paul 1 outbox --passphrase-file "$DIR/wrong";  one_error; err_has "not the one of this home"
as paul 1 outbox --passphrase-file "$DIR/none";   one_error
as alice 1 outbox "${WITH[@]}";                   one_error; err_has "has a key file"
chmod 644 "$DIR/phrase"
as paul 1 outbox "${WITH[@]}";                    one_error; err_has "chmod"
chmod 600 "$DIR/phrase"
as paul 0 outbox "${WITH[@]}"
mv "$DIR/alice/key" "$DIR/kept"
as alice 1 outbox;                                one_error; err_has "is missing"
mv "$DIR/kept" "$DIR/alice/key"
as alice 0 outbox

# send: accepted, synced, with what support will ask for.
as alice 0 --json send bob "hello"
lines 1; json_lines; err_silent
out_has '"state":"accepted"'; out_has '"level":"synced"'; out_has '"to":"bob"'; out_has '"sealed":true'
HELLO="$(field id)"
[ -n "$(field reference)" ] && [ -n "$(field mac)" ] || fail "no reference or no receipt"
as alice 0 send bob "hello again"
out_has "accepted"; err_silent
as alice 0 send bob "for all to read" --opaque
out_has "accepted"; err_has "not sealed: the relay has this text"

# recv: oldest first, who it is from.
as bob 0 --json recv --count 1 --timeout 10
lines 1; json_lines; err_silent
out_has '"from":"alice"'; out_has '"text":"hello"'; out_has '"state":"received"'
equal "$(field id)" "$HELLO" "the id of the received message"
as bob 0 recv --timeout 10;                       equal "$(cat "$DIR/out")" "alice: hello again" "recv"
as bob 0 recv --timeout 10;                       equal "$(cat "$DIR/out")" "(not sealed) alice: for all to read" "recv"
as bob 4 recv --timeout 0;                        one_error; lines 0
as bob 4 --json recv --timeout 1;                 one_error; err_has "no message came"

# status and outbox: settled, and so no longer listed.
as alice 0 --json status "$HELLO"
lines 1; json_lines; out_has '"state":"settled"'; out_has '"outcome":"settled"'; out_has '"fresh":true'
as alice 0 status "$HELLO";                       out_has "settled"; out_has "reference"
as alice 1 status 01890000-0000-7000-8000-000000000000; one_error
as alice 0 --json outbox;                         lines 0
say alice bob "one more"
as alice 0 --json outbox;                         lines 1; json_lines; out_has "\"id\":\"$ID\""
as alice 0 outbox;                                lines 1; out_has "accepted"
as alice 0 --json outbox --flush;                 lines 1
take bob "one more"
as alice 0 --json status "$ID";                   out_has '"state":"settled"'
as alice 0 outbox;                                lines 0; err_has "nothing waits"

# devices: listed with what the relay says of them, and changed.
as alice 0 devices;                               lines 1; out_has "(this one)"; err_silent
as alice 0 --json devices;                        lines 1; json_lines; out_has '"standing":"active"'; out_has '"fresh":true'
DEVICE="$(field device)"
as alice 0 --json devices rename "$DEVICE" "the desk"; lines 1; json_lines; out_has '"state":"renamed"'; out_has '"name":"the desk"'
as alice 0 devices rename "the desk" "the shelf"; lines 1; out_has "the shelf"; err_silent
as alice 0 --json devices list;                   out_has '"name":"the shelf"'
as alice 1 devices resume "the shelf";            one_error; err_has "already"
as alice 1 --json devices resume "the desk";      one_error; lines 0
as alice 2 devices revoke "the shelf";            one_error; err_has "--yes"
as alice 1 devices revoke "the shelf" --yes;      one_error; err_has "--last"
as alice 2 devices list all;                      one_error
as alice 2 devices rename "the shelf" "a b" c
as alice 0 --json register;                       lines 1; json_lines; out_has '"state":"registered"'; equal "$(field account)" "$ALICE" "register"
as alice 1 register --token nonsense;             one_error; err_has "no registration token"
as alice 1 register --product-key nonsense;       one_error; err_has "64 hexadecimal"
# verify: what to compare, and the user's word. (e2e/verify.sh has the rest.)
as alice 0 --json verify bob
lines 1; json_lines; err_silent; out_has '"name":"bob"'; out_has '"verified":false'; [ -n "$(field number)" ] || fail "no number"
as alice 0 verify bob --yes;                      lines 1; out_has "bob is verified"
as alice 0 --json verify bob --clear;             lines 1; json_lines; out_has '"verified":false'
as alice 1 --json verify nobody-of-that-name;     one_error; lines 0
as alice 2 verify bob --scan x --yes;             one_error

# block, unblock, requests: whom bob lets write to him. (e2e/contact.sh has the rest.)
as bob 0 --json block;                            lines 1; json_lines; err_silent; out_has '"accounts":[]'; out_has '"fresh":true'
as bob 0 block alice;                             lines 2; out_has "$ALICE  blocked  alice"; err_silent
as bob 0 --json block "$ALICE";                   lines 1; json_lines; out_has '"access":"blocked"'; err_silent
as alice 1 --json send bob "not now";             lines 1; json_lines; out_has '"reason":"not_accepted"'
as alice 1 send bob "not now";                    err_has "does not take it"
as bob 0 --json unblock alice;                    lines 1; json_lines; out_has '"access":"none"'
as bob 0 --json requests;                         lines 1; json_lines; out_has '"requests":[]'; out_has '"on":false'
as bob 0 requests;                                lines 0; err_has "requests are off"
as bob 0 --json requests on;                      lines 1; json_lines; out_has '"requests":true'
as bob 0 --json requests accept alice;            lines 1; json_lines; out_has '"access":"allowed"'
as bob 0 requests refuse mallory;                 lines 2; out_has "blocked"
as bob 0 block;                                   lines 2; out_has "allowed"; err_silent
as bob 0 requests off;                            lines 2; out_has "requests are off"
as bob 0 unblock alice;                           lines 1
say alice bob "welcome back"
as bob 0 --json recv --timeout 10;                out_has '"missing":2'; out_has '"request":false'
as bob 2 requests accept;                         one_error
as bob 2 requests nonsense;                       one_error
as bob 1 unblock nobody-of-that-name;             one_error

# Refusals: one line, exit 1, nothing stays behind.
as alice 1 send nobody-of-that-name "x";          one_error; err_has "nobody-of-that-name"
as alice 1 --json send nobody-of-that-name "x"
as alice 0 --json outbox;                         lines 0
as alice 2 send bob
as alice 2 send bob x --ttl never
as alice 2 nonsense

# Texts arrive byte for byte.
TEXT="$(printf 'two lines,\n\ttab, "quotes", back\\slash, \xc3\xa4\xe2\x82\xac\xf0\x9f\x92\x8c')"
say alice bob "$TEXT"
as bob 0 recv --timeout 10
equal "$(cat "$DIR/out")" "alice: $TEXT" "a text of two lines"
say alice bob "$TEXT"
as bob 0 --json recv --timeout 10
lines 1; out_has 'two lines,\n\ttab, \"quotes\", back\\slash, '"$(printf '\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\x8c')"
head -c 100000 /dev/urandom > "$DIR/bytes"
INPUT="$DIR/bytes" say alice bob -
as bob 0 recv --timeout 10
cmp -s <(printf 'alice: '; cat "$DIR/bytes"; echo) "$DIR/out" || fail "bytes from standard input changed"
INPUT="$DIR/bytes" say alice bob -
as bob 0 --json recv --timeout 10
out_has '"encoding":"base64"'
cmp -s "$DIR/bytes" <(field base64 | base64 -d) || fail "bytes changed in base64"
: > "$DIR/empty"
INPUT="$DIR/empty" say alice bob -
as bob 0 --json recv --timeout 10;                out_has '"text":""'

# Help, without a home.
run 0 sealmq --help;                              out_has "send"; out_has "--home"
run 0 sealmqctl --help;                           out_has "explain"; out_has "token"
CTL=(sealmqctl --config "$CONFIG")
run 0 "${CTL[@]}" --json devices alice;            lines 1; json_lines; out_has "\"account\":\"$ALICE\""
run 0 "${CTL[@]}" devices alice;                   out_has "active"; err_silent
run 0 "${CTL[@]}" --json hold bob --reason abuse;  lines 1; json_lines; out_has '"state":"held"'
run 0 "${CTL[@]}" --json holds;                    lines 1; json_lines
run 0 "${CTL[@]}" holds;                           lines 1; err_silent
run 0 "${CTL[@]}" --json release bob;              lines 1; json_lines; out_has '"state":"released"'
run 0 "${CTL[@]}" release bob;                     lines 1; out_has "was not on hold"

# recv --follow: shows what comes, in order, until it is stopped; then exit 0.
"$BIN/sealmq" --home "$DIR/bob" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!
for i in 1 2 3 4 5; do say alice bob "number $i"; done
shown() { [ "$(wc -l < "$DIR/follow")" = "$1" ]; }
wait_for "five messages are shown" shown 5
kill -TERM "$FOLLOW"
ended "$FOLLOW" || fail "recv --follow ended with $? after SIGTERM"
equal "$(sed 's/.*"text":"\([^"]*\)".*/\1/' "$DIR/follow" | tr '\n' ,)" \
    "number 1,number 2,number 3,number 4,number 5," "the order"
take_none bob 0

done_well
