#!/bin/sh
# Run the tests with real peers against the broker in FANFARE_BIN (default: .build/debug of this repository).
#
#   run.sh [PYTEST-ARGUMENTS]
#
# From Debian: python3-venv, curl, ruby-faye, chromium, chromium-driver. The Python packages are installed
# into .build/interop-venv, again only when requirements.txt has changed.
#
# Environment: PYTHON       the interpreter (default python3, 3.11 or later)
#              FANFARE_BIN  the folder of broker-server and broker-cli
#              SCREENSHOTS  a folder for pictures of the page (default: .build/artifacts)

set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/.build/interop-venv
stamp=$venv/requirements.txt

if ! cmp -s "$here/requirements.txt" "$stamp"; then
    "${PYTHON:-python3}" -m venv --clear "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet install -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$stamp"
fi

if [ -n "${FANFARE_BIN:-}" ]; then
    FANFARE_BIN=$(cd "$FANFARE_BIN" && pwd) # may be relative to where the caller is
    export FANFARE_BIN
fi
cd "$here"
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" -m pytest -q "$@"
