#!/bin/sh
# Build the broker with sanitizers, and let clients come and go for an hour with each: see soak.py.
#
#   run.sh [MINUTES] [SEED]      60 minutes after some of warming up; all kinds at the same time
#
# Environment: KINDS   of address, thread and release; all of them, unless told otherwise
#              RATE    visitors a second, with each (1.5): how busy the machine may be
#
# From a sanitizer's build come its reports; what memory the broker takes tells best the one for release. The Python
# packages are those of the tests with real peers (see ../Interop/run.sh).

set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
minutes=${1:-60}
seed=${2:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}

"$here/../Interop/run.sh" --version >/dev/null # it installs the packages, if they are not there
cd "$root"
for kind in ${KINDS:=address thread release}; do
    echo "== Building for $kind"
    case $kind in
        # Debug builds: all of Swift's own checks hold as well.
        address | thread) options="--sanitize=$kind --scratch-path .build/soak-$kind" ;;
        release) options="-c release" ;;
        *) echo "There is no kind $kind" >&2 && exit 2 ;;
    esac
    # shellcheck disable=SC2086
    swift build --quiet $options --product broker-server ${SWIFT_FLAGS:-}
    if [ "$kind" = thread ]; then clang -O2 -shared -fPIC -o ".build/soak-$kind/debug/tsan.so" "$here/tsan.c"; fi
done

echo "== $minutes minutes each: $KINDS"
pids=
for kind in $KINDS; do
    case $kind in
        release) programs=.build/release ;;
        *) programs=.build/soak-$kind/debug ;;
    esac
    FANFARE_BIN=$root/$programs PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here:$here/../Attacks:$here/../Interop \
        .build/interop-venv/bin/python "$here/soak.py" \
        --kind "$kind" --minutes "$minutes" --seed "$seed" --rate "${RATE:-1.5}" &
    pids="$pids $!"
done
status=0
for pid in $pids; do
    wait "$pid" || status=1
done
exit $status
