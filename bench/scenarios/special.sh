# shellcheck shell=bash disable=SC2154,SC2034
# special: the scenarios that are more than runs of a generator: they watch the relay's processes beside it, hold
# devices, or kill. What they find goes into the generator's result line by `sealmq-bench note`. Sourced by bench/run.

holders=() # process ids: generators that hold idle devices, and the sampler of soak

holders_stop() {
    local pid
    for pid in "${holders[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${holders[@]}"; do wait "$pid" 2>/dev/null || true; done
    holders=()
}

note() { "$bin/sealmq-bench" note "$out/results.jsonl" "$@" || failures=$((failures + 1)); }
labelled() { echo "${label:+$label, }$1"; }

rss_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/$1/status" 2>/dev/null || echo 0; }
relay_rss_kib() {
    local name total=0
    for name in $(children_names); do total=$((total + $(rss_kib "$(child "$name")"))); done
    echo "$total"
}
cpu_ms() { # of a process so far
    awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 1000 / tick) }' "/proc/$1/stat"
}
now_ms() { date +%s%3N; }
divide() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b ? a / b : 0 }'; }

# ---- connections ----

connections_check() {
    local need=$(($(pick '10000|1000') + 1000))
    ulimit -Sn "$(ulimit -Hn)" 2>/dev/null || true
    [[ $(ulimit -n) == unlimited ]] || (($(ulimit -n) >= need)) ||
        fail "connections needs $need open files and the limit is $(ulimit -Hn): raise it (ulimit -Hn), or give --quick"
}

attached() {
    relay_serves || true
    grep -o '"attached":[0-9]*' "$scratch/overview" | cut -d: -f2
}
attached_none() { (("$(attached)" == 0)); }
attached_all() {
    if [[ -t 2 ]]; then printf '\r    %s of %s devices attached ' "$(attached)" "$1" >&2; fi
    (("$(attached)" >= $1))
}

# idle_hold COUNT: so many devices, in four processes, attached and silent.
idle_hold() {
    local part=$(($1 / 4)) i
    for i in 1 2 3 4; do
        limit=90000 generator --idle "$((part - 1))" --mailboxes 1 --senders 1 --size 64 --rate 0.1 --duration 86400 \
            --timeout 3600 >/dev/null 2>>"$out/log" &
        holders+=($!)
    done
    until_holds 180 attached_all "$((part * 4))" || fail "only $(attached) of $1 devices could be attached: see $out/log" 1
    if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
}

scenario_connections() {
    local round idle holding rss broker_rss cpu start load
    idle=$(pick '10000|1000')
    load=(--size 1024 --mailboxes 64 --rate 5000 --duration "$(pick '20|3')")
    for ((round = 1; round <= rounds; round++)); do
        system=curve
        system_start
        measure connections "$round" "${load[@]}" --label "$(labelled alone)"
        until_holds 60 attached_none || fail "the relay does not let go of devices that left: see $out/log" 1
        rss=$(relay_rss_kib) broker_rss=$(rss_kib "$(child broker)") cpu=$(cpu_ms "$(child broker)") start=$(now_ms)
        idle_hold "$idle" && holding=$(attached)
        cpu=$(($(cpu_ms "$(child broker)") - cpu)) start=$(($(now_ms) - start))
        rss=$(($(relay_rss_kib) - rss)) broker_rss=$(($(rss_kib "$(child broker)") - broker_rss))
        measure connections "$round" "${load[@]}" --label "$(labelled "beside $idle idle")"
        note "idle_attached=$holding" \
            "relay_kib_per_idle_session=$(divide "$rss" "$idle")" \
            "broker_kib_per_idle_session=$(divide "$broker_rss" "$idle")" \
            "attaches_per_second=$(divide $((idle * 1000)) "$start")" \
            "broker_cpu_ms_per_attach=$(divide "$cpu" "$idle")"
        holders_stop
        system_stop
    done
}

# ---- soak ----

# The median rate of the only line in a result file.
rate_of() {
    "$bin/sealmq-bench" report --json "$1" | sed -n 's/.*"throughput, msg\/s":{"median":\([0-9]*\).*/\1/p'
}

# rss_sample SECONDS: what each process has resident, every so many seconds, after a tenth for warming up.
rss_sample() {
    local name start=$SECONDS
    sleep $((soak_seconds / 10))
    while :; do
        for name in $(children_names); do
            echo "$((SECONDS - start)) $(rss_kib "$(child "$name")")" >>"$scratch/rss.$name"
        done
        sleep "$1"
    done
}

scenario_soak() {
    local round rate name every=$((soak_seconds / 200 + 1))
    for ((round = 1; round <= rounds; round++)); do
        system=curve
        system_start
        rm -f "$scratch"/rss.* "$scratch/probe"
        job_run "$scratch/said" generator --window 1024 --duration "$(pick '10|2')" --json "$scratch/probe" ||
            fail "the rate for soak could not be found" 1
        rate=$(($(rate_of "$scratch/probe") / 2))
        rss_sample "$every" &
        holders+=($!)
        limit=$((soak_seconds + 300)) measure soak "$round" --size 1024 --mailboxes 64 --rate "$rate" --duration "$soak_seconds"
        holders_stop
        for name in $(children_names); do
            note --slope "rss_${name}_kib_per_hour=$scratch/rss.$name"
        done
        system_stop
    done
}

# ---- restart ----

# The load goes on through the kill: the longest time any of its messages waited to be accepted is how long the relay
# was away for its clients.
restart_kill() {
    local victim=$1 round=$2 killed survivors=(broker storage fanout)
    # shellcheck disable=SC2206 # words without the victim's
    survivors=(${survivors[*]/#$victim/})
    pids_find "${survivors[@]}"
    # shellcheck disable=SC2046 # one process id
    { sleep 4 && kill -KILL $(child "$victim"); } &
    killed=$!
    holders+=("$killed")
    measure restart "$round" --size 1024 --mailboxes 64 --rate 1000 --duration "$(pick '20|10')" --timeout 120 \
        --label "$(labelled "$victim killed")"
    wait "$killed" || failures=$((failures + 1))
    holders=()
    note "queued=$queued" "first_accept_ms=$(accept_max)"
    until_holds 60 relay_serves || fail "the relay did not come back after its $victim was killed: see $out/log" 1
    pids_find
}
accept_max() { tail -n 1 "$out/results.jsonl" | sed -n 's/.*"accept_us":{[^}]*"max":\([0-9]*\).*/\1/p' | awk '{ print $1 / 1000 }'; }

scenario_restart() {
    local round queued
    queued=$(pick '1000000|50000')
    for ((round = 1; round <= rounds; round++)); do
        system=curve
        system_start
        say "restart: queueing $queued messages" >&2
        job_run "$scratch/said" generator --size 1024 --mailboxes 64 --offline 100 --window 1024 \
            --count "$queued" || fail "the messages for restart could not be queued: see $out/log" 1
        restart_kill storage "$round"
        restart_kill broker "$round"
        system_stop
    done
}

# ---- growth ----

# The server's CPU per message of the last result, all processes together.
cpu_of_last() {
    tail -n 1 "$out/results.jsonl" | grep -o '"cpu_us_per_message":[0-9.e+-]*' | cut -d: -f2 |
        awk '{ sum += $1 } END { printf "%.3f", sum }'
}
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
results_count() { wc -l 2>/dev/null <"$out/results.jsonl" || echo 0; }

# growth_state ROUND LABEL: the steady load some times on the relay as it is now. The first state of a round, empty, is
# what the others are compared with.
growth_state() {
    local i before times cpu=()
    times=$(pick '3|1')
    for ((i = 1; i <= times; i++)); do
        before=$(results_count)
        measure growth "$((($1 - 1) * times + i))" --size 1024 --mailboxes 64 --window 1024 \
            --duration "$(pick '10|2')" --label "$(labelled "$2")"
        (($(results_count) > before)) || continue
        cpu+=("$(cpu_of_last)")
        note "server_cpu_us_per_message=${cpu[-1]}"
        [[ -z $empty_cpu ]] || note "cpu_ratio_to_empty=$(divide "${cpu[-1]}" "$empty_cpu")"
    done
    : "${empty_cpu:=$(median "${cpu[@]}")}"
    [[ -n $empty_cpu ]] || fail "growth has no figure for the empty relay: see $out/log" 1
}

# growth_fill COUNT: so many messages, small ones, accepted, delivered and settled: their claims stay.
growth_fill() {
    local left=$1 part
    while ((left > 0)); do
        part=$((left < 1000000 ? left : 1000000))
        job_run "$scratch/said" generator --size 64 --mailboxes 64 --window 4096 --count "$part" ||
            fail "the claims for growth could not be made: see $out/log" 1
        left=$((left - part))
        say "growth: $(($1 - left)) of $1 claims are stored" >&2
    done
}

# Filling leaves work to RocksDB's compaction: it belongs to the messages that caused it, not to the next ones.
storage_rests() {
    local before
    before=$(cpu_ms "$(child storage)")
    sleep 1
    (($(cpu_ms "$(child storage)") - before <= 20))
}

# Half of the partitions to a second sealmq-storage, on a store of its own, with a config of its own. sealmqd keeps one
# storage worker: this one is started here, and ends with the holders.
second_storage_start() {
    local second=$scratch/server/second.zpl
    sed 's|^    partitions = .*|    partitions = "2048-4095"\n    data = "store2"|
        s|^relay$|&\n    log = "log2"|' "$scratch/server/sealmq.zpl" >"$second"
    "$bin/sealmq-storage" --config "$second" >>"$out/log" 2>&1 </dev/null &
    holders+=($!)
    until_holds 20 both_serve || fail "the second storage worker does not serve: see $out/log" 1
    pid_options+=(--pid "storage2=${holders[-1]}")
    ours_make
}
both_serve() {
    relay_serves && (($(grep -o '"role":"storage","state":"serving"' "$scratch/overview" | wc -l) == 2))
}

growth_two_stores() {
    local settings=("${relay_settings[@]}")
    relay_settings+=('storage partitions 0-2047')
    system_start
    second_storage_start
    growth_state "$1" "two stores"
    holders_stop
    system_stop
    relay_settings=("${settings[@]}")
}

scenario_growth() {
    local round queued claims empty_cpu
    queued=$(pick '100000|10000') claims=$(pick '10000000|200000')
    for ((round = 1; round <= rounds; round++)); do
        system=plain empty_cpu=''
        system_start
        growth_state "$round" empty
        job_run "$scratch/said" generator --size 1024 --mailboxes 1 --offline 100 --window 1024 --count "$queued" ||
            fail "the messages for growth could not be queued: see $out/log" 1
        growth_state "$round" "$queued queued for one absent"
        say "growth: storing $claims claims: some minutes, with 10,000,000 of them" >&2
        growth_fill "$claims"
        until_holds 300 storage_rests || say "growth: storage still works on what it was filled with" >&2
        growth_state "$round" "$claims claims"
        system_stop
        growth_two_stores "$round"
        system_start # whether the machine is still the same
        growth_state "$round" "empty, at the end"
        system_stop
    done
}

# ---- crash ----

# kills_do COUNT: storage and broker by turns, each once it is back, at no particular point of its work. The times go to
# a file, for the caller cannot see what is counted here.
kills_do() {
    local i victim pid
    for ((i = 0; i < $1; i++)); do
        sleep "1.$((RANDOM % 900 + 100))"
        victim=storage
        if ((i % 2)); then victim=broker; fi
        until_holds 20 child_is "$victim" || return 1
        pid=$(child "$victim")
        kill -KILL "$pid"
        echo "$victim" >>"$scratch/kills"
        until_holds 20 child_is_not "$victim" "$pid" || return 1
    done
}
child_is() { [[ -n $(child "$1") ]]; }
child_is_not() { [[ $(child "$1") != "$2" ]]; }

scenario_crash() {
    local round kills killer settings=("${relay_settings[@]}")
    kills=$(pick '10|4')
    relay_settings+=('relay restart_ms 200') # the pause after many deaths is the supervisor's, and is not the question
    for ((round = 1; round <= rounds; round++)); do
        for system in plain curve; do
            system_start
            pid_options=() # who dies on the way has no figures
            ours_make
            rm -f "$scratch/kills"
            kills_do "$kills" &
            killer=$!
            holders+=("$killer")
            measure crash "$round" --size 1024 --mailboxes 64 --window 1024 --duration "$((kills * 2 + 2))" --timeout 60
            wait "$killer" || { failures=$((failures + 1)) && say "bench/run: crash: what was killed did not come back" >&2; }
            holders=()
            note "kills=$(wc -l <"$scratch/kills")"
            until_holds 60 relay_serves || fail "the relay did not come back after the kills: see $out/log" 1
            system_stop
        done
    done
    relay_settings=("${settings[@]}")
}

# ---- limits ----

scenario_limits() {
    local round
    for ((round = 1; round <= rounds; round++)); do
        printf '%-12s round %s/%s\n' limits "$round" "$rounds" >&2
        job_run "$scratch/said" "$bin/sealmq-bench-limits" --dir "$scratch" --round "$round" \
            --json "$out/results.jsonl" || { failures=$((failures + 1)) && say "bench/run: limits failed" >&2; }
        tee -a "$out/log" <"$scratch/said" | sed 's/^/    /' >&2
    done
}
