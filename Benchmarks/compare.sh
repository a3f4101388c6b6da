#!/bin/sh
# Compares the broker with others on this machine, side by side in one run, and prints Markdown tables, which it keeps
# in Benchmarks/results.
#
#   compare.sh [PEER...]          default: fanfare uws nats mosquitto nchan faye-ruby
#
# Environment: BENCH  the folder of wsload and of the scripts that start the peers
#              and what its run-all.sh understands (ROUNDS, CASES, MAX_SECONDS, …)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
bench=$(cd "${BENCH:?BENCH is the folder of wsload and its peers}" && pwd)
copy=$root/.build/bench
venv=$root/.build/bench-venv

# The folder may be read-only, and one peer is added to it.
rm -rf "$copy"
cp -r "$bench" "$copy"
chmod -R u+w "$copy"
cat >"$copy/peers/fanfare.sh" <<PEER
#!/bin/sh
# wsload: --proto bayeux --path /bayeux
. "\$(dirname "\$0")/common.sh"
exec "$root/.build/release/broker-server" serve --listen "127.0.0.1:\$PORT" --database "\$WORK/fanfare.db" \\
    --threads "\${FANFARE_THREADS:-1}" --log-level warning
PEER
chmod +x "$copy/peers/fanfare.sh"
make -s -C "$copy" wsload

if [ ! -x "$venv/bin/python" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet install socketify
fi
cd "$copy"
[ $# -gt 0 ] || set -- fanfare uws nats mosquitto nchan faye-ruby
results=$root/Benchmarks/results/$(date +%Y-%m-%d-%H%M).md
mkdir -p "$root/Benchmarks/results"
{
    echo "# $(date +%Y-%m-%d), $(git -C "$root" rev-parse --short HEAD)"
    echo
    echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores, Linux $(uname -r)," \
        "$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/Swift \1/p' | head -n 1)"
    echo
    PYTHON="$venv/bin/python" ./run-all.sh "$@"
} | tee "$results"
