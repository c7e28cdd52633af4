# shellcheck shell=bash disable=SC2154
# systems: starting and stopping what is measured, one at a time, and calling the generator that fits. Sourced by
# bench/run. A system is plain or curve (a relay of ours by its edge), joined or joined-curve (the same with broker and
# storage in one process), sealed or opaque (full clients at one), or a peer of bench/peers/server.
# State: system (chosen by bench/run), pid arguments and endpoint of the one that runs.

system='' supervisor='' endpoint='' pid_options=() skipped=' '

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# systems_of SCENARIO: in the order of their turns.
systems_of() {
    local row name systems
    for row in "${scenarios[@]}"; do
        read -r name systems _ <<<"$row"
        [[ $name == "$1" ]] || continue
        for name in ${systems//,/ }; do
            if [[ $name != peers ]]; then
                echo "$name"
            elif $peers; then
                peers_list
            fi
        done | if [[ -n $only ]]; then grep -xF "${only//,/$'\n'}" || true; else cat; fi
        return
    done
}

ours_list() { printf '%s\n' plain curve joined joined-curve sealed opaque; }
is_ours() { ours_list | grep -qxF -- "$1"; }

# What --systems names; a peer among them means --peers.
systems_check() {
    local name
    for name in ${only//,/ }; do
        if is_ours "$name"; then continue; fi
        peers_list | grep -qxF -- "$name" ||
            fail "--systems names $name: there are $(ours_list | xargs) $(peers_list | xargs)"
        peers=true
    done
}

# By driver: redis, redis-batch, redis-nodedup and redis-devices are four ways to use one server, named before the dash.
peers_list() { printf '%s\n' redis redis-batch redis-nodedup redis-devices postgres rabbitmq nats; }

system_start() {
    rm -rf "$scratch/server"
    if is_ours "$system"; then relay_start; else peer_start; fi
}

system_stop() {
    if [[ -n $supervisor ]]; then
        relay_stop
    elif [[ -n $endpoint ]]; then
        bench/peers/server stop "${system%%-*}" "$scratch/server" || true
    fi
    endpoint=''
}

# generator ARGUMENT...: the load, at the system that runs. It gives up when nothing happens any more; limit, in seconds,
# is for a server that trickles.
generator() {
    local bounded=(timeout -k 10 "${limit:-600}")
    case $system in
    plain | joined) exec "${bounded[@]}" "$bin/sealmq-bench" run --plain "${ours[@]}" "$@" ;;
    curve | joined-curve) exec "${bounded[@]}" "$bin/sealmq-bench" run --server-key "$scratch/server/server.pub" "${ours[@]}" "$@" ;;
    sealed | opaque)
        exec "${bounded[@]}" "$bin/sealmq-bench" run "--$system" --server-key "$scratch/server/server.pub" \
            --scratch "$scratch" "${ours[@]}" "$@"
        ;;
    *)
        exec "${bounded[@]}" "$bin/sealmq-bench-peers" "$system" --endpoint "$endpoint" "${pid_options[@]}" \
            --disk "$scratch" "$@"
        ;;
    esac
}

# ---- ours ----

port_find() {
    local port
    for _ in {1..100}; do
        port=$((7500 + RANDOM % 500))
        listening "$port" || { echo "$port" && return; }
    done
    fail "no port is free from 7500 to 7999"
}

relay_set() { sed -i "s|^$1\$|&\n    $2 = \"$3\"|" "$scratch/server/sealmq.zpl"; }

relay_configure() {
    local setting port
    port=$(port_find)
    endpoint=tcp://127.0.0.1:$port
    "$bin/sealmqd" --init "$scratch/server" --port "$port" >>"$out/log" || fail "the relay cannot be configured" 1
    for setting in "${relay_settings[@]}"; do
        # shellcheck disable=SC2086 # three words
        relay_set $setting
    done
    case $system in plain | joined) relay_set broker plain bench ;; esac
    case $system in joined*) relay_set relay joined yes ;; esac
}

relay_serves() {
    timeout 5 "$bin/sealmqctl" --config "$scratch/server/sealmq.zpl" --json status >"$scratch/overview" 2>/dev/null &&
        grep -q '"role":"storage","state":"serving"' "$scratch/overview"
}

# until_holds SECONDS COMMAND...: polls.
until_holds() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

relay_start() {
    relay_configure
    setsid "$bin/sealmqd" --config "$scratch/server/sealmq.zpl" >>"$out/log" 2>&1 </dev/null &
    supervisor=$!
    until_holds 20 relay_serves || fail "the relay does not start: see $out/log" 1
    pids_find
}

# The names of the relay's processes beside sealmqd.
children_names() { case $system in joined*) echo relay fanout ;; *) echo broker storage fanout ;; esac; }

# child NAME: the process id of the relay's sealmq-NAME; nothing = there is none.
child() {
    local pid
    for pid in $(cat "/proc/$supervisor/task/$supervisor/children" 2>/dev/null); do
        [[ $(cat "/proc/$pid/comm" 2>/dev/null) != "sealmq-$1" ]] || echo "$pid"
    done
}

# pids_find [NAME...]: what the generator measures: all processes of the relay together are what it costs. A process
# that is to be killed is left out: of it nothing can be said in the end.
pids_find() {
    local name
    pid_options=(--pid "sealmqd=$supervisor")
    # shellcheck disable=SC2046 # words
    (($#)) || set -- $(children_names)
    for name; do
        pid_options+=(--pid "$name=$(child "$name")")
    done
    ours_make
}
ours_make() {
    local said=$label
    case $system in joined*) said=$(labelled "one process") ;; esac
    ours=(--endpoint "$endpoint" "${pid_options[@]}" --disk "$scratch")
    if [[ -n $said ]]; then ours+=(--label "$said"); fi
    if [[ -t 2 ]]; then ours+=(--progress); fi
}

# Drained if it will, killed if it will not: its data is thrown away.
relay_stop() {
    local pids
    pids="$supervisor $(cat "/proc/$supervisor/task/$supervisor/children" 2>/dev/null)"
    kill -TERM "$supervisor" 2>/dev/null || true
    if ! until_holds 20 relay_gone; then
        # shellcheck disable=SC2086 # process ids
        kill -KILL $pids 2>/dev/null || true
    fi
    wait "$supervisor" 2>/dev/null || true
    supervisor=''
}
relay_gone() { ! kill -0 "$supervisor" 2>/dev/null || grep -q '^State:.*Z' "/proc/$supervisor/status" 2>/dev/null; }

# ---- the others ----

# Exit 3 of the driver: not built in. (It is asked for what it refuses: nothing is connected to.)
peer_built() {
    local status=0
    "$bin/sealmq-bench-peers" "$system" --endpoint none --size 0 >/dev/null 2>&1 || status=$?
    ((status == 2))
}

peer_skip() {
    skipped+="$system "
    echo "$system is skipped: $1" | tee -a "$out/peers.txt" "$out/log" >&2
}

# Skipped and named, once, when it can't be had.
peer_start() {
    local word value more
    [[ $skipped != *" $system "* ]] || return 1
    peer_built || { peer_skip "its driver was not built, as its client library is not there" && return 1; }
    if ! bench/peers/server start "${system%%-*}" "$scratch/server" >"$scratch/about" 2>"$scratch/said"; then
        peer_skip "$(tail -n 1 "$scratch/said")" && return 1
    fi
    pid_options=()
    while read -r word value more; do
        case $word in
        endpoint) endpoint=$value ;;
        pid) pid_options+=(--pid "$value=$more") ;;
        esac
    done <"$scratch/about"
    if ! grep -qsF "system $system" "$out/peers.txt"; then
        grep -v '^pid\|^endpoint' "$scratch/about" | tee -a "$out/peers.txt" "$out/log" | sed 's/^/    /' >&2
    fi
}
