#!/bin/sh
# Checks with the load generator that every subscriber gets every message once, whole and in order.
#
# Environment: BENCH        the folder of wsload (its source and Makefile)
#              FANFARE_BIN  the folder of broker-server (default .build/release)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
bench=$(cd "${BENCH:?BENCH is the folder of wsload}" && pwd)
bin=$(cd "${FANFARE_BIN:-$root/.build/release}" && pwd)
unset FANFARE_BIN # the broker knows no such variable, and says so
work=$root/.build/wsload
mkdir -p "$work"
[ "$work/wsload" -nt "$bench/wsload.c" ] || gcc -std=c11 -O3 -o "$work/wsload" "$bench/wsload.c"
ulimit -n "$(ulimit -Hn)"

broker=
stop() {
    [ -z "$broker" ] || { kill "$broker" && wait "$broker" || :; }
    broker=
}
trap stop EXIT

# check THREADS WSLOAD-ARGUMENTS
check() {
    threads=$1
    shift
    rm -f "$work/banner"
    mkfifo "$work/banner"
    "$bin/broker-server" serve --listen 127.0.0.1:0 --database "$work/verify.db" --threads "$threads" \
        --log-level warning >"$work/banner" &
    broker=$!
    exec 3<"$work/banner"
    port=
    while [ -z "$port" ]; do
        read -r line <&3 || { echo "the broker did not start" >&2; exit 1; }
        port=$(echo "$line" | sed -n 's|.*http://127.0.0.1:\([0-9]*\)/$|\1|p')
    done
    echo "== $threads event loop(s)${FANFARE_HOLD_MICROSECONDS:+, held for $FANFARE_HOLD_MICROSECONDS µs}: wsload $*"
    timeout 120 "$work/wsload" "$@" --proto bayeux --path /bayeux --port "$port" --pid "$broker"
    stop
    exec 3<&-
    rm -f "$work"/verify.db*
}

for threads in 1 2; do
    check "$threads" fanout --subs 1000 --channels 1 --window 32 --duration-max 2 --drain-max 10
    check "$threads" fanout --subs 1000 --channels 100 --publishers 4 --window 256 --duration-max 2 --drain-max 10
done
# Two event loops hold by default: once without.
export FANFARE_HOLD_MICROSECONDS=0
check 2 fanout --subs 1000 --channels 100 --publishers 4 --window 256 --duration-max 2 --drain-max 10
