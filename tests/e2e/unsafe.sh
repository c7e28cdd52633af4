#!/usr/bin/env bash
# What makes a start unsafe (row 57): every program of a relay says in one line which setting it is and what to do, before
# it binds or makes anything; and beside each refusal, that the safe twin is not refused.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MACHINE="${SEALMQ_MACHINE:?set SEALMQ_MACHINE to the preloaded machine}"
RELAY="$DIR/above/relay" CONFIG="$DIR/above/relay/sealmq.zpl"
mkdir -m 755 "$DIR/above"
relay_make
cp "$CONFIG" "$DIR/good.zpl"

# refused EXIT WORD...: all of them, with these words, and nothing has been made.
refused() {
    local wanted="$1" program word
    shift
    for program in sealmqd sealmq-broker sealmq-storage sealmq-relay sealmq-fanout; do
        run "$wanted" "$program" --config "$CONFIG"
        one_error
        for word in "$@"; do err_has "$word"; done
    done
    [ -z "$(ls "$RELAY/run")" ] && [ ! -e "$RELAY/store" ] && [ ! -e "$RELAY/log" ] ||
        fail "a refused start left something: $*"
    ! listening || fail "a refused start listens: $*"
    cp "$DIR/good.zpl" "$CONFIG"
}

# loose MODE GOOD PATH WORD...: refused with this mode, and with the good one (below) not for this reason.
loose() {
    local mode="$1" good="$2" path="$3"
    shift 3
    chmod "$mode" "$path"
    refused 2 "$@"
    chmod "$good" "$path"
}

# Folders and files that others may use.
loose 750 700 "$RELAY" "relay.dir: others may use" "chmod go-rwx"
loose 770 700 "$RELAY/run" "relay.run: others may use" "chmod go-rwx"
loose 777 700 "$RELAY/keys" "relay.keys: others may use" "chmod go-rwx"
loose 777 755 "$DIR/above" "relay.dir: others may replace what is in $DIR/above" "chmod go-w"
loose 775 755 "$DIR/above" "relay.dir: others may replace what is in $DIR/above" "chmod go-w"
for KEY in server.key receipt.key stamp.key webhook.key mark.key; do
    loose 640 600 "$RELAY/keys/$KEY" "relay.keys: others may use" "$KEY" "chmod go-rwx"
done
loose 666 600 "$CONFIG" "--config: others may write $CONFIG" "chmod go-w"
mkdir "$DIR/logs" "$DIR/stores"
relay_set relay log "$DIR/logs/log"
relay_set storage data "$DIR/stores/one"
cp "$CONFIG" "$DIR/outside.zpl"
loose 1777 755 "$DIR/logs" "relay.log: others may write $DIR/logs" "chmod go-w"
cp "$DIR/outside.zpl" "$CONFIG"
loose 777 700 "$DIR/stores" "storage.data: others may replace what is in $DIR/stores" "chmod go-w"
if [ "$(id -u)" = 0 ]; then
    chown 4711 "$RELAY/keys/server.key"
    refused 2 "relay.keys: $RELAY/keys/server.key belongs to another user" "chown"
    chown 0 "$RELAY/keys/server.key"
fi

# Durability and bounds that somebody wants to be without.
relay_set storage sync no;                     refused 2 "storage.sync: there is no such choice" "storage.backend = memory"
relay_set storage mailbox_bytes 0;             refused 2 "storage.mailbox_bytes: \"0\" does not do" "a number from"
relay_set storage disk_min_percent 0;          refused 2 "storage.disk_min_percent: \"0\"" "1 to 50"
relay_set broker device_bytes_per_s unlimited; refused 2 "broker.device_bytes_per_s" "a number from"
relay_set broker address_requests_per_s 0;     refused 2 "broker.address_requests_per_s" "1 to 1000000"
sed -i '/dir = /d' "$CONFIG";                  refused 2 "relay.dir: missing"

# The machine.
machine_is() {
    export SEALMQ_MACHINE_IS="$1"
    shift
    LD_PRELOAD="$MACHINE" "$@"
}
machine_is "old" refused 2 "libzmq: 4.3.3 is too old" "4.3.4"
machine_is "bare" refused 2 "libzmq: built without CURVE"
machine_is "dead" refused 1 "libsodium does not start"
machine_is "swap unlocked" refused 2 "relay.allow_swap" "swapoff -a" "ulimit -l"

# The twins: a folder above that is sticky; a store and a log outside, in folders of their own; swap, but locked memory;
# no lock, but no swap; both, and a word that it shall be so.
works() {
    "$@"
    device_make "dev$SECONDS$RANDOM"
    relay_stop
}
chmod 1777 "$DIR/above";                       works relay_start; chmod 755 "$DIR/above"
cp "$DIR/outside.zpl" "$CONFIG";               works relay_start
[ -s "$DIR/logs/log" ] && [ -d "$DIR/stores/one" ] || fail "the log or the store is not where it was said"
cp "$DIR/good.zpl" "$CONFIG"
machine_is "swap" works relay_start
machine_is "unlocked" works relay_start
relay_set relay allow_swap yes
machine_is "swap unlocked" works relay_start
unset SEALMQ_MACHINE_IS

# Core files: none, in any process; but where they are allowed, as many as the shell allows.
cores() { sed -n 's/^Max core file size *\([0-9a-z]*\) *\([0-9a-z]*\).*/\1 \2/p' "/proc/$1/limits"; }
for ALLOWED in no yes; do
    relay_start
    for CHILD in broker storage fanout; do
        if [ "$ALLOWED" = no ]; then
            equal "$(cores "$(child "$CHILD")")" "0 0" "what a core file of sealmq-$CHILD may be"
        else
            equal "$(cores "$(child "$CHILD")")" "$(ulimit -Hc) $(ulimit -Hc)" "what a core file may be where it may"
        fi
    done
    relay_stop
    relay_set relay allow_core yes
done

done_well
