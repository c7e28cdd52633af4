#!/usr/bin/env bash
# A device's home that was set back to an older copy, and one that is in use in two places: what the user is told, that
# both go on, and what support and engineering see.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob
WARNING="warning: This device was set back to an older copy"
say alice bob "one"; take bob "one"; err_lacks "$WARNING"
say bob alice "two"; take alice "two"

# Set back: the next command of that home says so, once; its messages and those to it come.
cp -r "$DIR/bob" "$DIR/older"
say alice bob "three"; take bob "three"; err_lacks "$WARNING"
say bob alice "four"; take alice "four"
mv "$DIR/bob" "$DIR/newer"; mv "$DIR/older" "$DIR/bob"
say bob alice "from the older copy"; err_has "$WARNING"
take alice "from the older copy"
event_wait device_copied
ctl 0 --json devices alice; out_lacks '"copied'
ctl 0 --json devices bob; out_has '"copied":1'; out_has '"copied_at":"20'
ctl 0 devices bob; out_has "copied      its home was set back, or is in use in two places: said 1 times"
as bob 0 outbox --flush --timeout 20; err_lacks "$WARNING"
say alice bob "to the older copy"
ctl 0 --json explain "$REFERENCE"; out_has '"copied_at":"20'
ctl 0 explain "$REFERENCE"; out_has "copied      its home was set back"
wait_for "it arrives" sh -c "$BIN/sealmq --home $DIR/alice outbox --flush --timeout 2 > /dev/null 2>&1; \
    $BIN/sealmq --home $DIR/bob --json recv --timeout 1 > $DIR/out 2> $DIR/err; grep -q 'to the older copy' $DIR/out"
err_lacks "$WARNING"

# The other copy comes back: it notices as well, and so does the first one then. Nobody else does.
mv "$DIR/bob" "$DIR/older"; mv "$DIR/newer" "$DIR/bob"
say bob alice "from the newer copy"; err_has "$WARNING"
take alice "from the newer copy"; err_lacks "$WARNING"
say bob alice "again"; err_lacks "$WARNING"; take alice "again"
mv "$DIR/bob" "$DIR/newer"; mv "$DIR/older" "$DIR/bob"
say bob alice "from the older copy again"; err_has "$WARNING"
take alice "from the older copy again"

# Who could not be told is told later: the message goes out all the same.
mv "$DIR/bob" "$DIR/older"; mv "$DIR/newer" "$DIR/bob"
"$BIN/sealmq" --home "$DIR/bob" send alice "nobody looks" > "$DIR/out" 2> /dev/full
take alice "nobody looks"
say bob alice "somebody does"; err_has "$WARNING"
take alice "somebody does"

# A kill is no copy.
for i in $(seq 8); do
    "$BIN/sealmq" --home "$DIR/bob" recv --follow > /dev/null 2> "$DIR/killed" &
    victim=$!
    sleep "$(printf '0.%03d' $((i * 15)))" # spreads the deaths; nothing rests on it
    kill -KILL "$victim" 2> /dev/null
    { wait "$victim"; } 2> /dev/null
    as bob 0 outbox --flush --timeout 20; err_lacks "$WARNING"
done
relay_stop
done_well
