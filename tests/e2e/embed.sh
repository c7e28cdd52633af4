#!/usr/bin/env bash
# The library as a product gets it: an installed tree, found by pkg-config and by CMake's find_package; nothing exported but
# its headers, nothing of a process touched; the example answers, and goes on where a killed one stopped.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
TREE="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PREFIX="$DIR/prefix"
for component in library programs; do
    cmake --install "$BIN/.." --prefix "$PREFIX" --component "$component" > "$DIR/out" 2> "$DIR/err" || fail "cmake --install"
done
SO="$(find "$PREFIX" -name libsealmq.so.0)"
PKG="$(dirname "$(find "$PREFIX" -name sealmq.pc)")"
MAN="$(find "$PREFIX" -name sealmq.3)"
[ -e "$SO" ] && [ -s "$MAN" ] || fail "the library or its page is not installed"

# The header alone, in C and in C++.
flags=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$PREFIX/include")
echo '#include <sealmq.h>' > "$DIR/alone.c"
printf '#include <sealmq_contacts.h>\n#include <sealmq_copies.h>\n#include <sealmq_link.h>\n#include <sealmq_recovery.h>\n#include <sealmq_verify.h>\nstruct sealmq_event made() { struct sealmq_event e = SEALMQ_INIT(struct sealmq_event); return e; }\n' > "$DIR/alone.cc"
cc -std=c99 "${flags[@]}" "$DIR/alone.c" 2> "$DIR/err" || fail "the header alone in C"
for part in contacts copies link recovery registration verify; do
    echo "#include <sealmq_$part.h>" > "$DIR/alone.c"
    cc -std=c99 "${flags[@]}" "$DIR/alone.c" 2> "$DIR/err" || fail "sealmq_$part.h alone in C"
done
CXX="$(command -v g++ || command -v clang++)" || fail "no C++ compiler: broker/packages --tests"
"$CXX" -std=c++11 "${flags[@]}" "$DIR/alone.cc" 2> "$DIR/err" || fail "the header alone in C++"

# Exported is what the header declares, and each of it is on the page; wanted from libc is nothing that a library leaves alone.
declared="$(sed -n 's/.*\<\(sealmq_[a-z_]*\)(.*/\1/p' "$PREFIX"/include/sealmq*.h | grep -v init_of | sort -u)"
nm -D --defined-only "$SO" | awk '$3 ~ /^SEALMQ_0/ { next } { sub(/@.*/, "", $3); print $3 }' | sort -u > "$DIR/exported"
equal "$(cat "$DIR/exported")" "$declared" "what the library exports"
[ "$(wc -l < "$DIR/exported")" -gt 40 ] || fail "too little is exported"
while read -r name; do grep -q -- "$name" "$MAN" || fail "sealmq.3 lacks $name"; done < "$DIR/exported"
nm -D --undefined-only "$SO" | awk '{ sub(/@.*/, "", $2); print $2 }' > "$DIR/wanted"
! grep -xE 'signal|sigaction|signalfd|pthread_create|pthread_sigmask|fork|srand|setrlimit|prctl|mallopt|atexit|exit|printf|puts|putchar' \
    "$DIR/wanted" || fail "the library touches the process"
grep -qx zmq_send "$DIR/wanted" || fail "no imports are seen"

# Built both ways.
cc -std=c11 -Wall -Wextra -Werror -o "$DIR/echo-pc" "$PREFIX"/share/doc/*/examples/echo.c $(PKG_CONFIG_PATH="$PKG" pkg-config --cflags --libs sealmq) \
    -Wl,-rpath,"$(dirname "$SO")" 2> "$DIR/err" || fail "pkg-config"
mkdir "$DIR/product"
cat > "$DIR/product/CMakeLists.txt" << END
cmake_minimum_required(VERSION 3.25)
project(product C)
find_package(SealMQ 0.1 REQUIRED)
add_executable(echo $(echo "$PREFIX"/share/doc/*/examples/echo.c))
add_executable(embed $TREE/tests/e2e/embed.c)
target_link_libraries(echo PRIVATE SealMQ::sealmq)
target_link_libraries(embed PRIVATE SealMQ::sealmq)
END
{ cmake -S "$DIR/product" -B "$DIR/product/build" -DCMAKE_PREFIX_PATH="$PREFIX" && cmake --build "$DIR/product/build"; } \
    > "$DIR/out" 2> "$DIR/err" || fail "find_package"

# Against a relay, with the installed programs.
BIN="$PREFIX/bin"
relay_make
relay_start
bot_start() {
    "$1" "$DIR/bot" bot "tcp://127.0.0.1:$PORT" "$RELAY/server.pub" > "$DIR/bot.out" 2> "$DIR/bot.err" &
    BOT=$!
}
bot_says() { grep -q "$1" "$DIR/bot.err"; }
bot_start "$DIR/echo-pc"
wait_for "the bot is registered" bot_says registered
bot_says "No recovery key is set" || fail "the bot was not prompted"
device_make alice
say alice bot "say it again"
as alice 0 --json recv --count 1 --timeout 10; out_has '"text":"say it again"'
kill -KILL "$BOT"; ended "$BOT" 2> /dev/null
say alice bot "while you were away"
bot_start "$DIR/product/build/echo"
as alice 0 --json recv --count 1 --timeout 10; out_has '"text":"while you were away"'
# Nobody answers at its first endpoint: the library moves on by itself.
timeout -k 5 60 "$DIR/product/build/embed" "$DIR/embed" "tcp://127.0.0.1:1,tcp://127.0.0.1:$PORT" "$RELAY/server.pub" bot \
    > "$DIR/out" 2> "$DIR/err" || fail "embed"
# Its exit status is 0 only where it was told that it has left.
kill -TERM "$BOT"; ended "$BOT" || fail "the bot did not leave cleanly: $(cat "$DIR/bot.err")"
[ ! -s "$DIR/bot.out" ] || fail "the library prints"
relay_stop

done_well
