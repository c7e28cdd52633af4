#!/usr/bin/env bash
# A configuration that cannot be meant: each program names the entry, the file and what to do, in one line,
# and does not start. Ports in use, sockets that are taken and folders that are open to others, too.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
cp "$CONFIG" "$DIR/good.zpl"

# refused WORD...: every program that reads the file refuses, with these words.
refused() {
    local program word arguments
    for program in sealmqd sealmq-broker sealmq-storage sealmq-relay sealmq-fanout sealmqctl; do
        arguments=(--config "$CONFIG")
        [ "$program" = sealmqctl ] && arguments+=(status)
        run 2 "$program" "${arguments[@]}"
        one_error
        for word in "$@"; do err_has "$word"; done
    done
    cp "$DIR/good.zpl" "$CONFIG"
}

relay_set storage colour blue;                refused "storage.colour: unknown entry" "sealmq.zpl"
echo "cellar" >> "$CONFIG";                   refused "cellar: unknown section"
relay_set broker drain_ms 10; relay_set broker drain_ms 20; refused "broker.drain_ms: given twice"
relay_set storage mailbox_messages many;      refused "storage.mailbox_messages: \"many\"" "1 to 1000000"
relay_set storage backend floppy;             refused "storage.backend: \"floppy\"" "rocksdb or memory"
relay_set fanout webhook ftp://x;             refused "fanout.webhook" "http://"
sed -i "s|tcp://127.0.0.1:$PORT|tcp://127.0.0.1:0|" "$CONFIG"; refused "broker.client" "tcp://HOST:PORT"
sed -i '/client = /d' "$CONFIG";              refused "broker.client: missing"
relay_set relay run /nonexistent/run;         refused "relay.run" "/nonexistent/run"
relay_set broker admin "ipc://run/backend.ipc"; refused "broker.admin: the same socket"
rm "$CONFIG";                                 refused "no config file" "sealmqd --init"

# Open to others.
chmod 755 "$RELAY";         refused "relay.dir: others may use" "chmod go-rwx"; chmod 700 "$RELAY"
chmod 777 "$RELAY/keys";    refused "relay.keys: others may use" "chmod go-rwx"; chmod 700 "$RELAY/keys"
chmod 644 "$RELAY/keys/server.key"
run 2 sealmq-broker --config "$CONFIG";       one_error; err_has "server.key"; err_has "chmod go-rwx"
chmod 600 "$RELAY/keys/server.key"
chmod 666 "$CONFIG";        refused "sealmq.zpl" "others may"; chmod 600 "$CONFIG"

# Told apart: how to call them.
run 2 sealmqd;                                one_error
run 2 sealmqd --init "$DIR/x" --port 70000;   one_error
run 2 sealmqd --config "$CONFIG" --port 7400; one_error
run 2 sealmqctl --config "$CONFIG";           err_has "sealmqctl"
run 2 sealmq-broker --config;                 err_has "--config"
[ ! -e "$DIR/x" ] || fail "a refused --init left something"

# The port is in use: the broker says so; the relay that has it is not disturbed.
"$BIN/sealmqd" --config "$CONFIG" > "$DIR/first" 2>&1 &
SUPERVISOR=$!
wait_for "the relay serves" relay_serves
run 0 sealmqd --init "$DIR/other" --port "$PORT"
timeout -k 5 20 "$BIN/sealmq-broker" --config "$DIR/other/sealmq.zpl" > "$DIR/out" 2> "$DIR/err"
equal "$?" 1 "the exit status of a broker without its port"
one_error; err_has "127.0.0.1:$PORT"; err_has "in use"
device_make alice
relay_stop

# And the good one is good still.
relay_start
device_make alice
relay_stop

done_well
