#!/bin/sh
# Test the WebSocket driver, as a server and as a client, with the Autobahn test suite.
#
#   run.sh [server | client]      one role only; the default is both
#
# The examples echo-server and echo-client stand for the driver. The suite is installed into .build/autobahn-venv, the
# reports go to .build/autobahn/server and .build/autobahn/client (index.html, index.json).
#
# Environment: FANFARE_BIN       the folder of echo-server and echo-client (default .build/debug of this repository)
#              CASES             patterns of cases, '-' leaves out (default '*,-9.*,-12.*,-13.*': not the long ones)
#              AUTOBAHN_TIMEOUT  limit for each role, in seconds (default 1800)
#              PYTHON            an interpreter with venv and lib2to3, 3.8 to 3.12 (default python3)
#
# Exits 0 if every case is OK (or informational) in both roles. Anything less counts: FAILED, UNCLEAN, WRONG CODE,
# NON-STRICT, UNIMPLEMENTED.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$(cd "${FANFARE_BIN:-$root/.build/debug}" && pwd)
cases=${CASES:-*,-9.*,-12.*,-13.*}
roles=${1:-server client}
out=$root/.build/autobahn
export AUTOBAHN_VENV="$root/.build/autobahn-venv"
export AUTOBAHN_TIMEOUT="${AUTOBAHN_TIMEOUT:-1800}"
export SUMMARIZE_FLAGS="--strict"
python=$AUTOBAHN_VENV/bin/python

# The one process that runs in the background: echo-server, or the suite's server.
child=
stop() {
    [ -z "$child" ] || { kill "$child" 2>/dev/null && wait "$child" || :; }
    child=
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

free_port() {
    "$python" -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

# started COMMAND...: run it in the background as the one child, and read its first line into $line.
started() {
    rm -f "$out/said"
    mkfifo "$out/said"
    "$@" >"$out/said" &
    child=$!
    # The pipe stays open for what else it says; it ends with the child.
    exec 3<"$out/said"
    read -r line <&3
}

# strict FOLDER: summarize.py takes NON-STRICT for fine, this does not.
strict() {
    "$python" - "$1/index.json" <<'PYTHON'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    agents = json.load(file)
bad = [
    f"{case}: {result['behavior']}, close {result['behaviorClose']}"
    for cases in agents.values()
    for case, result in cases.items()
    if not {result["behavior"], result["behaviorClose"]} <= {"OK", "INFORMATIONAL"}
]
sys.exit("not strict:\n  " + "\n  ".join(bad) if bad else 0)
PYTHON
}

as_server() {
    started "$bin/echo-server" 0 2>"$out/echo-server.log" || { cat "$out/echo-server.log" >&2; return 2; }
    status=0
    "$here/run-server-tests.sh" "${line#listening on }" fanfare "$out/server" "$cases" || status=$?
    stop
    exec 3<&-
    [ "$status" -eq 0 ] && strict "$out/server"
}

as_client() {
    port=$(free_port)
    started "$here/run-client-tests.sh" "$port" "$out/client" "$cases" && [ "$line" = ready ] || return 2
    status=0
    timeout "$AUTOBAHN_TIMEOUT" "$bin/echo-client" "ws://127.0.0.1:$port" fanfare >"$out/echo-client.log" 2>&1 ||
        status=$?
    [ "$status" -eq 0 ] || echo "echo-client: exit status $status; see $out/echo-client.log" >&2
    kill "$child"
    # The summary.
    cat <&3
    wait "$child" || status=$?
    child=
    exec 3<&-
    [ "$status" -eq 0 ] && strict "$out/client"
}

mkdir -p "$out"
"$here/setup-autobahn.sh" "$AUTOBAHN_VENV"

failed=
for role in $roles; do
    echo "== $role"
    case $role in
    server) as_server || failed=1 ;;
    client) as_client || failed=1 ;;
    *) echo "usage: $0 [server | client]" >&2; exit 2 ;;
    esac
    stop
done
[ -z "$failed" ] || { echo "autobahn: not passed; see $out" >&2; exit 1; }
