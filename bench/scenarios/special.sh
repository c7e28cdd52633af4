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
    for name in broker storage fanout; do total=$((total + $(rss_kib "$(child "$name")"))); done
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
        for name in broker storage fanout; do
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
        for name in broker storage fanout; do
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
