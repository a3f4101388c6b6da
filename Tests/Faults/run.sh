#!/bin/sh
# Run the tests with failing disks, full disks, lost power and wrong clocks against the broker in FANFARE_BIN (default:
# .build/debug of this repository).
#
#   run.sh [PYTEST-ARGUMENTS]
#
# Linux only: a C compiler, and for some tests mount namespaces (unshare and nsenter of util-linux; by root, or by
# others where the system allows user namespaces). The Python packages are those of ../Interop.
#
# Environment: CC           the compiler (default cc)
#              FANFARE_BIN  the folder of broker-server
#              FAULT_SEEDS  how many seeds the lost power and the storms have (default 10)

set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/.build/faults

"$here/../Interop/run.sh" --version >/dev/null # makes the environment of Python's packages

mkdir -p "$build"
"${CC:-cc}" -std=gnu11 -O1 -g -Wall -Wextra -Werror -fPIC -shared -o "$build/shim.so" "$here"/shim/*.c -ldl -lpthread

if [ -n "${FANFARE_BIN:-}" ]; then
    FANFARE_BIN=$(cd "$FANFARE_BIN" && pwd) # may be relative to where the caller is
    export FANFARE_BIN
fi
cd "$here"
SHIM_LIBRARY=$build/shim.so PYTHONDONTWRITEBYTECODE=1 exec "$root/.build/interop-venv/bin/python" -m pytest -q "$@"
