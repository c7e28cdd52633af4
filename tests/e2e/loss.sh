#!/usr/bin/env bash
# An acknowledged loss: the disk forgets synced commits (the end of the write-ahead log is cut off).
# Storage recovers to a point in time and says so; the broker's witness makes the loss known and named;
# the sender's client sends what was lost again by itself, receipt attached; the recipient gets it once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
say alice bob "kept-before-the-loss"
KEPT="$REFERENCE"

# cut_from TEXT: kills storage while nobody can restart it, and cuts the log in the record that holds TEXT, which went
# unsealed so that it is found.
cut_from() {
    local pid wal at
    kill -STOP "$SUPERVISOR"
    pid="$(child storage)"
    kill -KILL "$pid"
    wait_for "storage is dead" is_dead "$pid"
    wal="$(printf '%s\n' "$RELAY"/store/*.log | tail -n 1)"
    at="$(grep -aobF -- "$1" "$wal" | tail -n 1 | cut -d: -f1)"
    [ -n "$at" ] || fail "the log does not hold $1"
    truncate -s "$((at + 3))" "$wal"
    kill -CONT "$SUPERVISOR"
    wait_for "storage is started again" child_is_new storage "$pid"
    wait_for "the relay serves" relay_serves
}

# The recipient is offline: the message is only on the relay, and then it is not.
say alice bob "lost-on-the-way" --opaque
LOST="$REFERENCE"; LOST_ID="$ID"
ctl 0 explain "$LOST";                            out_has "waiting_offline"
cut_from "lost-on-the-way"

# Engineering: recovered, and how many acknowledged commits are gone, from which one on. An alarm.
event_wait store_recovered_tail '"level":"warn","recovery":"point_in_time"'
event_wait store_loss '"level":"alarm","commits_lost":[1-9][0-9]*,"first_lost":[1-9][0-9]*'
# Support: what was before is there; the lost one is not, for now.
ctl 0 explain "$KEPT";                            out_has "waiting_offline"
ctl 1 explain "$LOST";                            out_has "never_accepted"

# User: any command of the sender repairs it; the same message, under the same id.
as alice 0 --json send bob "sent-after-the-loss"
wait_for "the sender has sent it again" explained "$LOST" waiting_offline
event_wait resent_after_loss '"count":1'
as alice 0 --json status "$LOST_ID";              out_has '"state":"accepted"'; out_has "\"reference\":\"$LOST\""
as bob 0 --json recv --count 3 --timeout 10
equal "$(sed 's/.*"text":"\([^"]*\)".*/\1/' "$DIR/out" | sort | tr '\n' ,)" \
    "kept-before-the-loss,lost-on-the-way,sent-after-the-loss," "what the recipient got"
take_none bob
wait_for "support sees it settled" explained "$LOST" settled

# Lost after the recipient had it: it is sent again, and not shown again.
say alice bob "lost-after-it-was-shown" --opaque
SHOWN_ID="$ID"; SHOWN="$REFERENCE"
take bob "lost-after-it-was-shown"
cut_from "lost-after-it-was-shown"
event_wait store_loss
as alice 0 --json send bob "the-last-one"
take bob "the-last-one"
take_none bob
wait_for "the sender's message is settled" state_is alice "$SHOWN_ID" '"state":"settled"'
ctl 0 explain "$SHOWN";                           out_has "settled"

# Nothing is asked of a sender whose messages were all settled, and a restart is no further loss.
LOSSES="$(grep -c '"event":"store_loss"' "$RELAY/log")"
child_end storage KILL
wait_for "the relay serves" relay_serves
equal "$(grep -c '"event":"store_loss"' "$RELAY/log")" "$LOSSES" "losses after a mere kill"
as alice 0 --json outbox --flush;                 lines 0

done_well
