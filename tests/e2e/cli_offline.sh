#!/usr/bin/env bash
# sealmq without a relay: what is typed is kept, exits say what happened, and nothing takes long.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

HOME_A="$DIR/a"
KEY="$DIR/server.pub"
NOBODY="tcp://127.0.0.1:1" # a port on which nobody listens
MAX_TEXT=$((256 * 1024 - 66))
printf 'rq:rM>}U?@Lns47E1%%kR.o@n%%FcmmsL/@{H8]yf7\n' > "$KEY"

# cli EXIT ARGUMENTS...; run_home EXIT ARGUMENTS...: with the first device's home.
cli() { local wanted="$1"; shift; run "$wanted" sealmq "$@"; }
run_home() { as a "$@"; }
init() { run_home "$1" init --relay "$NOBODY" --server-key "$KEY" --handle "$2" --timeout 1; }

# Before init: refused, with what to do.
cli 2 send bob hello
run_home 1 send bob hello;                         one_error; err_has "init"
run_home 1 recv --timeout 0;                       one_error
[ ! -e "$HOME_A" ] || fail "a command other than init made the home"

# What init is told must make sense.
run_home 1 init --relay "http://x" --server-key "$KEY" --handle a;   one_error; err_has "tcp://"
run_home 1 init --relay "tcp://x:0" --server-key "$KEY" --handle a;  one_error; err_has "port"
run_home 1 init --relay "$NOBODY" --server-key "$DIR/none" --handle a; one_error
run_home 1 init --relay "$NOBODY" --server-key "$0" --handle a;      one_error; err_has "server.pub"
[ ! -e "$HOME_A" ] || fail "a refused init made the home"
run_home 1 init --relay "$NOBODY" --server-key "$KEY" --handle "a b"; one_error; err_has "handle"

# init without a relay keeps the keys, says so, and goes on with the same identity.
init 3 alice;                                      one_error; err_has "same init again"
init 3 alice
init 1 bob;                                        one_error; err_has "alice"
[ "$(stat -c %a "$HOME_A")" = 700 ] || fail "the home is open to others"
[ "$(stat -c %a "$HOME_A/state.db")" = 600 ] || fail "the state is open to others"

# send keeps the message.
run_home 3 send bob "first text" --timeout 1
out_has "drafted"; err_lacks "not sealed"; err_has "kept"
run_home 3 --json send bob "second text" --id double-tap --timeout 0
lines 1; out_has '"state":"drafted"'; out_has '"to":"bob"'; err_lacks "not sealed"
SECOND="$(field id)"
run_home 3 send bob "second text" --id double-tap --timeout 0 --json
[ "$(field id)" = "$SECOND" ] || fail "the same --id became another message"
run_home 1 send bob "other text" --id double-tap --timeout 0;        one_error; err_has "double-tap"
run_home 1 send carol "second text" --id double-tap --timeout 0;     one_error
run_home 1 send "b/b" "text" --timeout 0;          one_error

# Standard input: all of it, up to the limit.
head -c "$MAX_TEXT" /dev/urandom > "$DIR/max"
INPUT="$DIR/max" run_home 3 send bob - --timeout 0
head -c $((MAX_TEXT + 1)) /dev/urandom > "$DIR/over"
INPUT="$DIR/over" run_home 1 send bob - --timeout 0;                 one_error; err_has "longer"
: > "$DIR/empty"
INPUT="$DIR/empty" run_home 3 send bob - --timeout 0

# outbox and status answer from what is kept.
run_home 0 outbox --json
lines 4; out_has "\"id\":\"$SECOND\""; out_has '"state":"drafted"'; out_lacks "second text"
run_home 3 outbox --flush --timeout 1;             lines 4; one_error
run_home 0 status "$SECOND" --timeout 0 --json
lines 1; out_has '"state":"drafted"'; out_has '"fresh":false'
run_home 0 status double-tap --timeout 0;          out_has "drafted"; err_has "last known"
run_home 1 status no-such-message;                 one_error

# devices: what is known here, and said to be; a change is kept, what cannot be is not.
run_home 0 devices --timeout 0;                    lines 1; out_has "(this one)"; err_has "last known"
run_home 0 devices list --timeout 0 --json;        lines 1; json_lines; out_has '"standing":"active","own":true'; out_has '"fresh":false'
DEVICE="$(field device)"
run_home 2 devices nonsense;                       one_error
run_home 2 devices rename "$DEVICE" "a/b";         one_error
run_home 2 devices revoke "$DEVICE" --timeout 0;   one_error; err_has "--yes"
run_home 1 devices revoke "$DEVICE" --yes --timeout 0; one_error; err_has "--last"
run_home 1 devices resume "${DEVICE:0:8}" --timeout 0; one_error; err_has "already"
run_home 3 devices rename "${DEVICE:0:8}" "the desk" --timeout 0; one_error; err_has "kept"
run_home 3 devices rename "${DEVICE:0:8}" "the desk" --timeout 0 --json
run_home 1 devices rename "${DEVICE:0:8}" "the shelf" --timeout 0; one_error; err_has "on its way"
run_home 1 rotate --timeout 0;                     one_error; err_has "on its way"
# Nobody is verified of whom nothing is held.
run_home 3 verify bob --timeout 1;                 one_error; err_has "nothing is held of bob here"
run_home 3 --json verify bob --yes --timeout 0;    one_error; lines 0
run_home 2 verify bob --yes --scan x;              one_error

# recv gives up in time.
begun="$(date +%s)"
run_home 4 recv --timeout 1;                       one_error; err_has "no relay answers"
[ $(($(date +%s) - begun)) -le 10 ] || fail "recv --timeout 1 took too long"
run_home 2 recv --count 0
run_home 2 recv --timeout nonsense

# Several processes on one home at once.
PROCESSES=()
for i in 1 2 3 4; do
    timeout -k 5 20 "$BIN/sealmq" --home "$HOME_A" send bob "at once $i" --timeout 0 \
        > /dev/null 2> "$DIR/err.$i" &
    PROCESSES+=($!)
done
for pid in "${PROCESSES[@]}"; do ended "$pid"; equal "$?" 3 "the exit status of one of several"; done
run_home 0 outbox --json;                          lines 8

# What others may read is not used.
chmod 755 "$HOME_A"
run_home 1 outbox;                                 one_error; err_has "chmod 700"
chmod 700 "$HOME_A"
chmod 644 "$HOME_A/state.db"
run_home 1 outbox;                                 one_error; err_has "chmod 600"
chmod 600 "$HOME_A/state.db"

# A damaged home is named as one.
head -c 40000 /dev/urandom > "$DIR/noise"
rm -f "$HOME_A"/state.db-*
dd if="$DIR/noise" of="$HOME_A/state.db" conv=notrunc status=none
run_home 1 outbox;                                 one_error; err_has "damaged"

# Output that cannot be written is an error, not silence.
cli 3 --home "$DIR/b" init --relay "$NOBODY" --server-key "$KEY" --handle bob --timeout 0
cli 3 --home "$DIR/b" send alice x --timeout 0
timeout 20 "$BIN/sealmq" --home "$DIR/b" outbox --json > /dev/full 2> "$DIR/err"
[ $? = 1 ] || fail "a full standard output was not noticed"

done_well
