#!/bin/sh
# Make the documentation of the libraries from the debug build, and fail if a link in it leads nowhere, or an excerpt in a
# guide is not in the program that it is from.
#
# The results are documentation archives in .build/docs. Nothing is built again: the symbols come from the modules.

set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
target=$(swift -print-target-info | sed -n 's/.*"unversionedTriple": "\(.*\)".*/\1/p')
rm -rf "$root/.build/docs"

# make MODULE NAME OPTIONS...
make_docs() {
    module=$1 name=$2
    shift 2
    symbols=$root/.build/docs-symbols/$module
    rm -rf "$symbols"
    mkdir -p "$symbols" "$root/.build/docs"
    swift symbolgraph-extract -module-name "$module" -minimum-access-level public -output-dir "$symbols" \
        -target "$target" -I "$root/.build/debug/Modules" \
        -I "$root/Sources/Driver/CZlib" -I "$root/Sources/Driver/CLibcrypto" "$@"
    docc convert "$root/Sources/$module/$module.docc" --additional-symbol-graph-dir "$symbols" \
        --fallback-display-name "$module" --fallback-bundle-identifier "fanfare.$name" \
        --output-path "$root/.build/docs/$name" --warnings-as-errors
}

# The C targets of the packages: their own module maps, or those that were made for them.
c_modules=$(
    find "$root/.build/checkouts" -path '*/include/module.modulemap' ! -path '*/Benchmarks/*' \
        -exec dirname {} \; | sed 's/^/-I /'
    find -L "$root/.build/debug" -maxdepth 2 -name module.modulemap | sed 's/^/-Xcc -fmodule-map-file=/'
)

make_docs Driver driver
# shellcheck disable=SC2086 # options, one after the other
make_docs FanfareClient client $c_modules
"$root/Tests/excerpts.py" "$root/Sources/FanfareClient/FanfareClient.docc/Guide.md" "$root/Examples/ClientGuide/main.swift"
"$root/Tests/excerpts.py" "$root/README.md" "$root/Examples/FirstSteps/main.swift"
