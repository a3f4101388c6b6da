#!/usr/bin/env bash
# Keeps what fuzzing found: adds to Corpus/TARGET those inputs of a folder that reach code which no kept input reaches.
#
#   Fuzz/keep.sh TARGET [FOLDER]
#
# FOLDER is where the last run of run.sh left its inputs, unless told otherwise. The names of what is added are hashes.
# Inputs that failed once belong there too, under a name that says why: every run begins with all of them.
set -euo pipefail
cd "$(dirname "$0")"

target=$1
folder=${2:-.build/corpus/$target}
export SWIFT_BACKTRACE=enable=no
program=$(swift build -c release --show-bin-path)/$target
merged=$(mktemp -d)
trap 'rm -rf "$merged"' EXIT
cp "Corpus/$target"/* "$merged"
# Edges only, not how often each was taken: hundreds of inputs fewer.
"$program" -merge=1 -use_counters=0 -max_len=1024 "$merged" "$folder" >.build/merge.log 2>&1 ||
    { tail -n 20 .build/merge.log >&2; exit 1; }
before=$(ls "Corpus/$target" | wc -l)
cp -n "$merged"/* "Corpus/$target"
echo "$target: $before inputs kept so far, $(ls "Corpus/$target" | wc -l) now"
