#!/usr/bin/env bash
# Whom an account lets write to it, from the command line: blocked while connected, taken back; a stranger's first message is a
# request, and nothing more until it is accepted; all devices of an account agree, and a killed relay forgets nothing.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob carol dave
SECOND="$("${SEALMQ_SECOND:?set SEALMQ_SECOND to the program that makes a second device}" "$DIR/bob" "$DIR/phone")" ||
    fail "no second device"
as phone 0 --json devices;                  out_has '"fresh":true'

# refused FROM TO TEXT: the relay takes none of it, and says no more than that.
refused() {
    as "$1" 1 --json send "$2" "$3"
    out_has '"state":"refused"'; out_has '"reason":"not_accepted"'; out_lacks blocked; err_lacks blocked
}

# Two who talk. Nothing was ever said.
say carol bob "hello bob"
take bob "hello bob"
as bob 0 --json block;                      lines 1; out_has '"accounts":[]'; out_has '"on":false'
as bob 0 --json requests;                   out_has '"requests":[]'; out_has '"on":false'; err_silent
as bob 0 block;                             lines 0; one_error; err_has "nobody is blocked or allowed"
as bob 0 requests;                          lines 0; one_error; err_has "no requests; requests are off"

# Bob blocks carol while she follows: she sees nothing of it but that he takes no more.
"$BIN/sealmq" --home "$DIR/carol" --json recv --follow > "$DIR/follow" 2> "$DIR/follow.err" &
FOLLOW=$!
say bob carol "before"
wait_for "carol follows" grep -q '"text":"before"' "$DIR/follow"
as bob 0 --json block carol;                lines 1; out_has '"name":"carol"'; out_has '"access":"blocked"'; err_silent
CAROL="$(field account)"
event_wait contact_blocked '"accounts":1'
refused carol bob "after the block"
event_wait request_refused
as bob 0 block;                             lines 1; out_has "$CAROL  blocked  carol"
as bob 0 --json block;                      out_has '"pending":false'; out_has '"fresh":true'
kill -TERM "$FOLLOW"; ended "$FOLLOW" || fail "recv --follow: $(cat "$DIR/follow.err")"
equal "$(grep -c . "$DIR/follow")" 1 "what carol was told"
err_silent

# His other device agrees; so does a relay whose storage was killed.
as phone 0 --json block;                    out_has "\"account\":\"$CAROL\""; out_has '"access":"blocked"'
child_end storage KILL
wait_for "the relay serves again" relay_serves
refused carol bob "after the kill"

# What was accepted before the block is not shown while it lasts, and after it not lost.
take_none bob
as phone 0 unblock carol;                   out_has unblocked
say carol bob "before the second block"
as bob 0 block "$CAROL";                    out_has "does not say why"
take_none bob 2
as phone 0 unblock carol
say carol bob "good again"
as bob 0 recv --timeout 10;                 out_has "before the second block"
out_has "(2 messages written before the next one have not come: they were not let in"
take bob "good again"
as bob 0 --json block;                      out_has '"accounts":[]'

# Requests: whom bob has written to goes on; a stranger has one message.
as bob 0 requests on;                       lines 2; out_has "requests are on"
as phone 0 --json requests;                 out_has '"on":true'
as phone 0 requests;                        lines 0; one_error; err_has "no requests; requests are on"
as bob 0 block;                             out_has "$CAROL  allowed  carol"
say carol bob "still allowed"
take bob "still allowed"; out_has '"request":false'
say dave bob "may I"
refused dave bob "once more"
as bob 0 recv --timeout 10;                 out_has "(request) "; out_has "may I"
as bob 0 --json requests;                   out_has '"access":"none"'; out_has '"asked":"'
DAVE="$(field account)"
as bob 0 requests;                          lines 1; out_has "$DAVE  asked "
refused dave bob "still a stranger"
as bob 0 --json requests accept "$DAVE";    out_has '"access":"allowed"'
as bob 0 --json requests;                   out_has '"requests":[]'
say dave bob "thank you"
take bob "thank you"; out_has '"request":false'

# Whom one writes to may answer, at once.
device_make erin frank
as bob 0 --json send erin "do you know me"; out_has '"state":"accepted"'
take erin "do you know me"
say erin bob "I do"
say erin bob "and again"
take bob "I do"; take bob "and again"

# Refused: as little as blocked.
say frank bob "buy this"
as bob 0 --json recv --timeout 10;          out_has '"request":true'
FRANK="$(field account)"
as phone 0 --json requests refuse "$FRANK"; out_has '"access":"blocked"'
refused frank bob "buy that"
as bob 0 requests off;                      out_has "requests are off"
refused frank bob "now"
say alice bob "hello"
take bob "hello"; out_has '"request":false'

# Whom another device of the account has written to is no stranger either: its copy says so.
has_copy() {
    timeout 15 "$BIN/sealmq" --home "$DIR/phone" --json recv --count 50 --timeout 2 > "$DIR/copies" 2> /dev/null
    grep -q "do you have time" "$DIR/copies"
}
device_make gina
say bob gina "do you have time"
as bob 0 outbox --flush
wait_for "the phone has the copy" has_copy
as phone 0 requests on
say gina bob "I have"
say gina bob "and tomorrow, too"
as phone 0 requests off
take bob "I have"; take bob "and tomorrow, too"

# Nothing is lost while the relay is away, and nothing is said twice.
relay_stop
as bob 3 block alice --timeout 1;           one_error; err_has "kept"
as bob 0 --json block --timeout 1;          out_has '"pending":true'; out_has '"fresh":false'
relay_start
is_told() {
    timeout 10 "$BIN/sealmq" --home "$DIR/bob" --json block --timeout 5 > "$DIR/out" 2> "$DIR/err"
    grep -q '"fresh":true' "$DIR/out" && ! grep -q '"pending":true' "$DIR/out"
}
wait_for "the relay was told" is_told
refused alice bob "too late"

# What cannot be.
as bob 1 block bob;                         one_error; err_has "this account itself"
as bob 1 block nobody;                      one_error; err_has "no account of the name"
as bob 2 block "two words";                 one_error
as bob 2 requests accept;                   one_error
as bob 2 requests on dave;                  one_error
as bob 2 requests maybe;                    one_error
as bob 2 unblock;                           one_error

done_well
