# shellcheck shell=bash disable=SC2034
# table: the scenarios: what --help says of them, and what the generators are told. Sourced by bench/run.

about=(
    'steady       1 KiB to 64 mailboxes, windows of 64, 256 and 1024: throughput and what it costs'
    'sizes        256 B, 1 KiB, 16 KiB, 256 KiB: throughput by size'
    'latency      5,000 and 20,000 a second whatever the server does: latency from the scheduled time'
    'offline      90 % of the recipients away; then they come and get theirs'
    'backlog      100,000 waiting for one device: catch-up rate, time to the first delivery'
    'connections  10,000 devices attached and silent: memory of each, handshakes, what others notice'
    'soak         an hour at half of the rate that was found: slope of memory, drift of p99'
    'restart      kill -9 of storage and of the broker with a million queued: time to the next accept'
    'growth       CPU per message with 100,000 queued, with ten million claims, with two stores, against empty'
    'crash        storage and broker killed ten times with SIGKILL at full speed: nothing lost, doubled, damaged'
    'sealed       full clients with homes on disk: sealed payloads against opaque ones in the same clients'
    'limits       what disk, RocksDB and ZeroMQ can do on this machine without SealMQ'
)

# NAME SYSTEMS OPTIONS. SYSTEMS: plain and curve are ours by edge, joined and joined-curve in one process; sealed and opaque full clients; peers is all others, with --peers. In OPTIONS
# a/b/c is a run of each, x|y is y with --quick. A name may have several rows; scenarios that are more than
# runs of a generator are functions in special.sh.
scenarios=(
    'steady  plain,curve,joined,joined-curve,peers --size 1024 --mailboxes 64 --window 64/256/1024 --duration 10|2'
    'sizes   plain,curve,joined,peers --size 256/1024/16384 --mailboxes 64 --window 1024 --duration 10|2'
    'sizes   plain,curve,joined,peers --size 262144 --mailboxes 64 --window 64 --duration 10|2'
    'latency plain,curve,joined,joined-curve,peers --size 1024 --mailboxes 64 --rate 5000/20000 --duration 20|3'
    'offline plain,curve       --size 1024 --mailboxes 1000|100 --window 1024 --count 400000|20000 --offline 90 --catch-up'
    'backlog plain,curve       --size 1024 --window 1024 --backlog 100000|10000'
    'sealed  sealed,opaque     --size 256/1024/16384 --window 64 --duration 10|2'
)

# What a relay under measurement is configured with beyond its defaults: SECTION KEY VALUE. A backlog is as long as
# the scenarios make it, not as the default limits allow, and thousands of devices come from one address.
relay_settings=(
    'storage mailbox_messages 1000000'
    'storage mailbox_bytes 17179869184'
    'storage disk_min_percent 1'
    'broker address_requests_per_s 1000000'
    'broker device_requests_per_s 1000000'
    'broker device_bytes_per_s 17179869184'
)
