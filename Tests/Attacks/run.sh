#!/bin/sh
# Attack the broker in FANFARE_BIN (default: .build/debug of this repository) over real sockets, while a well-behaved
# client uses it.
#
#   run.sh [PYTEST-ARGUMENTS]      all attacks; `-m "not long"` leaves out those that take their time
#
# The Python packages and the browser are those of ../Interop.
#
# Environment: FANFARE_BIN     the folder of broker-server and broker-cli
#              ATTACK_SERVICE   how long the well-behaved may be without service (s): 1, and more for a build that is not
#                               optimized

set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

"$here/../Interop/run.sh" --version >/dev/null # makes the environment of Python's packages

if [ -n "${FANFARE_BIN:-}" ]; then
    FANFARE_BIN=$(cd "$FANFARE_BIN" && pwd) # may be relative to where the caller is
    export FANFARE_BIN
fi
cd "$here"
PYTHONDONTWRITEBYTECODE=1 exec "$root/.build/interop-venv/bin/python" -m pytest -q "$@"
