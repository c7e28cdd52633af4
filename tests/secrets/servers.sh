#!/usr/bin/env bash
# servers: no program of the relay has a symbol of clients/seal: it could not open a message if it wanted to.
#   servers.sh SEAL-LIBRARY CLIENT-LIBRARY SERVER-PROGRAM...
# The client library must have them, or nothing would be looked for.
set -euo pipefail

library=$1 client=$2
shift 2
defined() { nm --defined-only "$1" 2>/dev/null | awk '$2 ~ /^[Tt]$/ { print $3 }' | sort -u; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
nm --defined-only --extern-only "$library" | awk '$2 == "T" { print $3 }' | sort -u > "$tmp/seal"
[[ $(wc -l < "$tmp/seal") -ge 15 ]] || { echo "servers: $library has hardly any symbols" >&2; exit 1; }
# has FILE: the symbols of seal in it.
has() { defined "$1" > "$tmp/program"; comm -12 "$tmp/seal" "$tmp/program"; }

[[ $(has "$client" | wc -l) -ge 15 ]] || { echo "servers: $client does not have them: is it stripped?" >&2; exit 1; }
bad=0
for program in "$@"; do
    found=$(has "$program")
    [[ $(wc -l < "$tmp/program") -ge 100 ]] || { echo "servers: $program has no symbols to look at" >&2; exit 1; }
    [[ -z $found ]] || { echo "servers: $program has: $found" >&2; bad=1; }
done
exit $bad
