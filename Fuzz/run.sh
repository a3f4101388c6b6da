#!/usr/bin/env bash
# Looks for inputs that break the parsers, with libFuzzer and AddressSanitizer.
#
#   Fuzz/run.sh [SECONDS] [TARGET...]
#
# Builds, and runs each target for SECONDS (60) from the kept corpus: all targets, or those named, such as FuzzHead.
# JOBS (2) run at a time. Prints a line per target. An input that breaks one is kept, its path and the log from there on
# are printed, and the exit code is 1. What is found on the way is thrown away by the next run; keep.sh keeps it.
set -euo pipefail
cd "$(dirname "$0")"

seconds=60
if [[ "${1:-}" =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
fi
targets=("$@")
[ ${#targets[@]} -gt 0 ] || for folder in Corpus/*/; do targets+=("$(basename "$folder")"); done
jobs=${JOBS:-2}

# Swift's own report of a crash reads memory that AddressSanitizer guards.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=quarantine_size_mb=64
build=(swift build -c release)
for target in "${targets[@]}"; do
    [ -d "Corpus/$target" ] || { echo "There is no target $target" >&2; exit 2; }
done
"${build[@]}" --quiet
programs=$("${build[@]}" --show-bin-path)
mkdir -p .build/findings .build/logs

run() {
    local target=$1 log=.build/logs/$1.log options=()
    if [ -f "Dictionaries/$target.dict" ]; then options+=("-dict=Dictionaries/$target.dict"); fi
    rm -rf ".build/corpus/$target"
    mkdir -p ".build/corpus/$target"
    if "$programs/$target" -max_total_time="$seconds" -max_len=1024 -timeout=10 -rss_limit_mb=1024 \
        -malloc_limit_mb=64 -print_final_stats=1 -artifact_prefix=".build/findings/$target-" "${options[@]}" \
        ".build/corpus/$target" "Corpus/$target" >"$log" 2>&1
    then
        awk -v target="$target" '
            /cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") coverage = $(i + 1) }
            /^stat::number_of_executed_units:/ { executions = $2 }
            END { printf "%-22s %9d executions, coverage %d\n", target, executions, coverage }' "$log"
    else
        {
            echo "== $target: found something"
            # From the finding on: AddressSanitizer ends with a map of the memory.
            awk '/Fatal error|ERROR: / { found = 1 } found && ++lines <= 60' "$log"
            sed -n 's/.*Test unit written to \(.*\)/== The input: Fuzz\/\1/p' "$log"
        } >&2
        return 1
    fi
}

status=0
running=0
for target in "${targets[@]}"; do
    if [ "$running" -ge "$jobs" ]; then
        wait -n || status=1
        running=$((running - 1))
    fi
    run "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || status=1
    running=$((running - 1))
done
exit "$status"
