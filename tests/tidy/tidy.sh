#!/bin/sh
# The tree's own rules, over what git tracks: names at the top, who may include what, lengths.
#   tests/tidy/tidy.sh [ROOT [git ls-files options]]     (-co --exclude-standard: new files too)
# Prints what is wrong and exits 1; 77 = not a git tree, nothing checked.
set -eu
cd "${1:-.}"
[ $# -gt 0 ] && shift
git rev-parse --git-dir >/dev/null 2>&1 || { echo "tidy: not a git tree"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

git ls-files "$@" | while read -r file; do [ ! -f "$file" ] || echo "$file"; done >"$tmp/files"
grep -E '\.[ch]$' "$tmp/files" >"$tmp/sources" || true

# complain TITLE: when standard input has lines, shows them and fails in the end.
complain() {
    grep . >"$tmp/lines" || return 0
    echo "FAIL $1"
    sed 's/^/  /' "$tmp/lines"
    touch "$tmp/failed"
}
among() { grep -E "$1" "$tmp/sources" || true; }
# search PATTERN: where it stands, in the files named on standard input.
search() { xargs -r grep -nE -- "$1" /dev/null || true; }

top='CMakeLists\.txt|README\.md|LICENSE|broker|storage|workers|clients|tests|bench|docs'
cut -d/ -f1 "$tmp/files" | sort -u | { grep -vE "^(($top)|\..*)$" || true; } |
    complain "top-level name that is not in the design"

# The operating system and other people's libraries are met in glue only; cores get time, randomness
# and bytes as arguments.
glue='^(broker/host/.*|broker/(net|zap|edge|probe|serve|main)\.c|storage/backends/(rocksdb[a-z_]*|value_log)\.[ch]|workers/(link|storage/(committer|worker))\.c'
glue="$glue|workers/[a-z]+/main\.c|workers/fanout/webhook\.c|workers/supervisor/processes\.[ch]"
glue="$glue|clients/(transport|api_(home|guest))\.c|clients/state/sqlite[a-z_]*\.[ch]"
glue="$glue|clients/(cli|ctl|examples)/.*|tests/.*|bench/.*)\$"
system='zmq|czmq|rocksdb/c|sqlite3|time|unistd|fcntl|poll|pthread|signal|sys/[a-z]+|curl/[a-z]+'
{ grep -vE "$glue" "$tmp/sources" || true; } |
    search "^ *# *include *[<\"]($system)\.h[>\"]" |
    complain "a core includes the operating system, or a library that belongs in glue"

among '^(broker|storage|workers)/' | search '^ *# *include *"clients/' |
    complain "a server includes the clients' code"
among '^(broker|storage|workers|bench)/' | search '^ *# *include *["<](.*/)?seal/' |
    complain "something besides the clients includes seal"

# What the command line does, any product can do: it stands on sealmq.h, beside host and the byte cursor.
among '^clients/(cli|examples)/' |
    search '^ *# *include *"(clients|storage|workers|broker)/' |
    { grep -vE '#include "(clients/sealmq(_[a-z]+)?\.h|clients/cli/[a-z]+\.h|broker/host/[a-z]+\.h|broker/wire/bytes\.h)"' || true; } |
    complain "the command line includes more of SealMQ than its public header"
among '^clients/examples/' | search '^ *# *include *"' |
    complain "an example includes something of this tree; <sealmq.h> is what an installed one has"

# State is the first argument: nothing that changes stands at file scope.
among '^(broker|storage|workers|clients)/.*\.c$' |
    search '^(static |_Thread_local )*[a-z_][a-z0-9_ ]* \**[a-z0-9_]+(\[[^]]*\])*( =.*|;)$' |
    { grep -vE '\.[ch]:[0-9]+:((typedef|extern|return|struct|enum|union) [a-z0-9_]+;|typedef |extern |.*\<const\>)' || true; } |
    complain "a global that can change"

# No machine's own path. (The brackets keep this line from finding itself.)
search '(^|[^A-Za-z0-9_.*-])/([r]oot|[w]ork|[h]ome/[a-z]+)/' <"$tmp/files" |
    complain "an absolute path of somebody's machine"

# Two end-to-end tests at once would meet at one port: tests/e2e.cmake gives each its own.
grep -E '^tests/e2e/.*\.sh$' "$tmp/files" | search '(relay_make|port_choose)  *"?[0-9$]' |
    complain "an end-to-end test chooses its own ports"

# Lengths. A function reaches from the line before its '{' in column 0 to its '}'.
grep '\.c$' "$tmp/sources" | xargs -r awk '
    /^{$/ { start = FNR; name = line }
    /^}$/ && start { print FNR - start + 2, FILENAME ": " name; start = 0 }
    { line = $0 }' | sort -n >"$tmp/functions"
xargs -r wc -l <"$tmp/sources" | awk '$2 != "total" { print $1, $2 }' | sort -n >"$tmp/lengths"
report() { # TITLE FILE
    awk -v what="$1" '{ n[NR] = $1; last = $0 }
        END { if (NR) printf "%s: %d, median %d, p90 %d, longest %s\n", what, NR,
              n[int((NR + 1) / 2)], n[int(NR * 0.9 + 0.5)], last }' "$2"
}
report functions "$tmp/functions"
report files "$tmp/lengths"
awk '$1 > 70' "$tmp/functions" | complain "a function longer than 70 lines"
awk '$1 > 600' "$tmp/lengths" | complain "a file longer than 600 lines"
[ ! -e "$tmp/failed" ]
