#!/usr/bin/env bash
# Drill: the recipient is on an old version of the app, which cannot open what a later one seals. Nothing is lost: it waits at the relay until
# the app is updated. The sender sees that, support which app it is, engineering the cause by version.
# Needs SEALMQ_LATER, an app of later years.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
later() { # DEVICE EXIT ARGUMENTS...
    local device="$1" wanted="$2" got
    shift 2
    timeout -k 5 20 "$SEALMQ_LATER" --home "$DIR/$device" "$@" > "$DIR/out" 2> "$DIR/err"
    got=$?
    [ "$got" = "$wanted" ] || fail "the later app: $* ended with $got, not $wanted"
}

# Both on the old app: they know each other.
say alice bob "hello"; take bob "hello"
say bob alice "hello too"; take alice "hello too"

# Alice has updated, bob has not.
later alice 0 --json send bob "sealed by a later app"
ID="$(field id)" REFERENCE="$(field reference)"
as bob 4 --json recv --timeout 2;              lines 0

# What the user sees. The sender: not yet delivered, it waits for an update; nothing failed for good.
wait_for "the sender hears that it waits" state_is alice "$ID" '"state":"failed"[^}]*"reason":"held"'
out_has '"state":"accepted"'
as alice 0 status "$ID";                       out_has "update"
# What support sees: fetched, why it could not be opened, by which app.
wait_for "support sees why" explained "$REFERENCE" failed_held
out_has '"reason":"held"'; out_has '"cause":"version"'; out_has '"client_version":"0.1.0"'
ctl 0 explain "$REFERENCE";                    out_has "update"
# What engineering sees: failures by cause and version; and no resend, which would not help.
event_wait decrypt_failed '"cause":"version"'
event_wait delivery_failed '"reason":"held"'
! has_event resent || fail "it was sent again to an app that cannot open it"

# It waits, whatever comes; what the old app can open is shown.
as bob 4 --json recv --timeout 1;              lines 0
child_end storage KILL
wait_for "the relay serves" relay_serves
wait_for "it is not forgotten" explained "$REFERENCE" failed_held

# Bob updates: it comes by itself.
later bob 0 --json recv --count 1 --timeout 10; out_has '"text":"sealed by a later app"'
wait_for "it is settled" state_is alice "$ID" '"state":"settled"'
explained "$REFERENCE" settled || fail "support: it arrived"
done_well
