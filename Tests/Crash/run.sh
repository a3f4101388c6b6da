#!/bin/sh
# Kill the broker again and again under load, and check after each restart that nothing it promised is lost.
#
#   run.sh [ROUNDS] [SEED] [--config FILE]
#
# With PLAY=cli_crash.py broker-cli is killed as well, which must not lose anything of its outbox and its position.
# With PLAY=drain.py it is stopped by SIGTERM instead.
#
# The seed is printed first; with the same one the same faults come after the same waits. The broker is the one in
# FANFARE_BIN, and the Python packages are those of the tests with real peers (see ../Interop/run.sh).

set -eu

here=$(cd "$(dirname "$0")" && pwd)
interop=$here/../Interop

if [ -n "${FANFARE_BIN:-}" ]; then
    FANFARE_BIN=$(cd "$FANFARE_BIN" && pwd) # may be relative to where the caller is
    export FANFARE_BIN
fi
"$interop/run.sh" --version >/dev/null # it installs the packages, if they are not there
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$interop exec "$here/../../.build/interop-venv/bin/python" "$here/${PLAY:-crash.py}" "$@"
