#!/usr/bin/env bash
# The drill "recipient adds a new device in the middle of a conversation" (row 5): the sender's next message is refused once,
# repaired and sent to both devices under the same id; its user is told, once; support sees refusal and acceptance, engineering
# the refusal; and the new device reads what comes, and nothing of what was.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
NOTICE="bob has a new device"
refusals() { timeout 5 "$BIN/sealmqctl" --config "$CONFIG" --json events --limit 64 | grep -c '"event":"send_refused".*"stale_devices"'; }

say alice bob "one";   err_lacks "$NOTICE"; take bob "one"
say bob alice "two";   take alice "two"
say alice bob "three"; err_lacks "$NOTICE" # nobody has taken it when the device comes
BEFORE="$ID"; REFERENCE3="$REFERENCE"
equal "$(refusals)" 0 "refusals before"

TABLET="$("${SEALMQ_SECOND:?set SEALMQ_SECOND to the program that makes a second device}" "$DIR/bob" "$DIR/tablet")" || fail "no second device"
as tablet 0 --json devices;              out_has '"fresh":true'
as bob 0 --json devices;                 out_has "\"device\":\"$TABLET\""
FIRST="$(field device)"
# Engineering: whose, it does not say; what, it does.
event_wait log_appended '"operation":"add","number":1,"key_version":2'
as tablet 4 --json recv --timeout 1;     lines 0

# The user: one command, one message, one line that says what has changed. Nothing to be decided.
say alice bob "four"
err_has "$NOTICE"; lines 1
[ "$(wc -l < "$DIR/err")" = 1 ] || fail "told more than once"
ID4="$ID"; REFERENCE4="$REFERENCE"
as alice 0 --json status "$ID4";         out_has "$FIRST"; out_has "$TABLET"
as alice 0 --json log bob;               equal "$(field key_version)" 2 "what alice holds"
# Engineering and support: refused once, for this reason and this app; accepted then.
event_wait send_refused '"status":"stale_devices"'
equal "$(refusals)" 1 "refusals"
ctl 0 --json explain "$REFERENCE4";      out_has "$TABLET"; out_has "$FIRST"; out_lacks never_accepted
out_has '"key_version":2,"key_version_present":2'
ctl 0 --json explain "$REFERENCE3";      out_has '"key_version":1,"key_version_present":2'
ctl 0 explain "$REFERENCE3";             out_has "key version 1 of the recipient's devices; it has 2 now"

# Both have it. What was sent before is the old device's alone.
as bob 0 --json recv --count 2 --timeout 10; out_has '"text":"three"'; out_has '"text":"four"'
take tablet "four";                      out_has '"from":"alice"'; out_has '"sealed":true'; out_has '"missing":0'
as tablet 4 --json recv --timeout 1;     lines 0
as alice 0 --json status "$BEFORE";      out_lacks "$TABLET"
wait_for "support sees it settled" explained "$REFERENCE4" settled
wait_for "the sender sees it settled" state_is alice "$ID4" '"state":"settled"'

# The conversation goes on: no refusal, no line more, from and to both.
say alice bob "five";                    err_lacks "$NOTICE"
take bob "five"; take tablet "five"
say tablet alice "six"
take alice "six"
wait_for "its copy is accepted" state_is tablet "$ID" '"copy":{"state":"\(accepted\|settled\)"'
take bob "six";                          out_has '"to":"alice"'
say alice bob "seven";                   err_lacks "$NOTICE"
take bob "seven"; take tablet "seven"
equal "$(refusals)" 1 "refusals in the end"
ctl 0 --json events --limit 64;          out_lacks decrypt_failed
relay_stop

done_well
