#!/usr/bin/env bash
# The bench suite, small: a real relay with each edge, a few thousand messages, through full clients too, every one checked, also while what
# carries them is killed; then what is told about them. No time is asserted, only that it works and that nothing was lost, doubled or damaged.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RUN="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/bench/run"
RESULTS="$DIR/results.jsonl"

# bench EDGE ARGUMENTS...: one clean run at the relay, with its result as a line.
bench() {
    local edge="$1"
    shift
    case "$edge" in
    plain) set -- --plain "$@" ;;
    curve) set -- --server-key "$RELAY/server.pub" "$@" ;;
    esac
    run 0 sealmq-bench run --endpoint "tcp://127.0.0.1:$PORT" --pid "broker=$(child broker)" \
        --pid "storage=$(child storage)" --scenario smoke --json "$RESULTS" "$@"
    out_has "lost 0, duplicated 0, corrupted 0, refused 0"
}

relay_make
relay_start

# What a generator cannot do, it says before it connects.
run 2 sealmq-bench run --endpoint "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --window 8 --rate 100
one_error
run 2 sealmq-bench run --endpoint "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --mailboxes 0
one_error

for ROUND in 1 2; do
    bench curve --count 2000 --mailboxes 8 --window 64 --round "$ROUND"
done
bench curve --rate 2000 --duration 0.5 --mailboxes 8 --duplicates 10
bench curve --backlog 500 --window 64

# Full clients: homes in a folder that is gone afterwards, also on Ctrl-C.
homes_there() { compgen -G "$DIR/clients.*/*-6" > /dev/null; }
homes_gone() { ! compgen -G "$DIR/clients.*" > "$DIR/homes" || fail "homes were left: $(cat "$DIR/homes")"; }
for KIND in sealed opaque; do
    bench curve "--$KIND" --scratch "$DIR" --count 150 --mailboxes 3 --senders 2 --window 16
    homes_gone
done
bench curve --sealed --scratch "$DIR" --rate 100 --duration 1 --mailboxes 2 --senders 1 --sizes 16:1,20000:1
for WRONG in "--sealed --idle 1" "--opaque --backlog 5" "--sealed --plain" "--sealed --opaque" "--scratch $DIR"; do
    # shellcheck disable=SC2086 # words
    run 2 sealmq-bench run --endpoint "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" $WRONG
    one_error
done
"$BIN/sealmq-bench" run --endpoint "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --sealed --scratch "$DIR" \
    --mailboxes 3 --duration 60 > "$DIR/out" 2> "$DIR/err" < /dev/null &
CLIENTS=$!
wait_for "the homes" homes_there
kill -INT "$CLIENTS"
ended "$CLIENTS"
equal "$?" 130 "the exit status after Ctrl-C"
homes_gone

# Full speed, and SIGKILL: what was accepted comes, once.
(for VICTIM in storage broker storage; do sleep 0.7 && child_end "$VICTIM" KILL; done) &
KILLER=$!
run 0 sealmq-bench run --endpoint "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --window 1024 \
    --duration 5 --timeout 15
out_has "lost 0, duplicated 0, corrupted 0, refused 0"
ended "$KILLER" || fail "what was killed did not come back"
relay_stop
relay_set broker plain bench
relay_start
for ROUND in 1 2; do
    bench plain --count 2000 --mailboxes 8 --window 64 --round "$ROUND"
done
relay_stop

# The report, and the page.
equal "$(wc -l < "$RESULTS")" 9 "the number of results"
run 0 sealmq-bench report "$RESULTS" --html "$DIR/page.html" --hgrm "$DIR/h"
out_has "W=64"; out_has "synced"; out_has "0 / 0 / 0 / 0"; out_has "catch_up_rate"; out_lacks "!!"
grep -q '<svg' "$DIR/page.html" || fail "the page has no chart"
! grep -qE '<script|href=|src=|https?:' "$DIR/page.html" || fail "the page refers to something outside"
grep -q 'Total count' "$DIR"/h-smoke-*-accept.hgrm || fail "there is no .hgrm"
run 0 sealmq-bench --json report "$RESULTS";       lines 7; out_lacks '"clean":false'

# Against itself nothing differs.
run 0 sealmq-bench compare "$RESULTS" "$RESULTS"
out_has "no difference beyond noise"; out_lacks "slower"; out_has "noise unknown"

# Bad input: one line, and nothing is said.
head -c 100 "$RESULTS" > "$DIR/cut.jsonl"
run 2 sealmq-bench report "$DIR/cut.jsonl";        one_error; lines 0
grep '"plain"' "$RESULTS" > "$DIR/plain.jsonl"
grep '"curve"' "$RESULTS" > "$DIR/curve.jsonl"
run 2 sealmq-bench compare "$DIR/plain.jsonl" "$DIR/curve.jsonl"; one_error; lines 0

# The script, up to where it would start to build.
for WRONG in nonsense "--rounds 0" "steady --peers --rounds 2" "steady --soak-seconds 20" "steady --systems mysql" "--out" "--sideways"; do
    # shellcheck disable=SC2086 # words
    timeout 20 "$RUN" $WRONG > "$DIR/out" 2> "$DIR/err" < /dev/null
    equal "$?" 2 "the exit status of bench/run $WRONG"
    one_error; lines 0
done

done_well
