#!/usr/bin/env bash
# A device that is away, and whose one-time prekeys strangers have used up: what the user who writes to it reads, what support
# and engineering see, and that all of it is over once the device has been online and answered.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
COMMANDS="${SEALMQ_COMMANDS:?set SEALMQ_COMMANDS to the program of commands.c}"
WEAK="A device of this contact has no one-time keys left at the relay"

relay_make
relay_start
device_make alice bob carol
take_none bob
ctl 0 --json devices bob; out_has '"prekeys":100,"last_resort":true'
ACCOUNT="$(field account)"
DEVICE="$(field device)"
ctl 0 devices bob; out_has "prekeys     100 one-time, and the last resort"; out_lacks "less security"
say carol bob "in time"; err_lacks "$WEAK"
ctl 0 --json devices bob; out_has '"prekeys":99'

timeout 60 "$COMMANDS" "tcp://127.0.0.1:$PORT" "$RELAY/server.pub" empty "$ACCOUNT" "$DEVICE" 2> "$DIR/said" ||
    fail "$(cat "$DIR/said")"
log_wait prekeys_drained '"last_resort":1'
ctl 0 --json devices bob; out_has '"prekeys":0,"last_resort":true'
ctl 0 devices bob; out_has "prekeys     0 one-time, and the last resort: until it has been online, new sessions with it begin with less security"

# The user reads it once, with the message that goes so; carol's session is from before, and she reads nothing.
say alice bob "with the last resort"
err_has "$WEAK"; err_has "until it has been online and answered, its first messages are less well protected"
say alice bob "and again"; err_lacks "$WEAK"
say carol bob "as before"; err_lacks "$WEAK"

# Online again: all of it is read, and there are prekeys.
as bob 0 --json recv --count 4 --timeout 10; out_has '"text":"with the last resort"'; out_has '"text":"and again"'
ctl 0 --json devices bob; out_lacks '"prekeys":0'; out_has '"prekeys":100'
say bob alice "an answer"; take alice "an answer"
say alice bob "answered"; err_lacks "$WEAK"; take bob "answered"
done_well
