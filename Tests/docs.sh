#!/bin/sh
# Make the driver's documentation from the debug build, and fail if a link in it leads nowhere.
#
# The result is .build/docs, a documentation archive. Nothing is built again: the symbols come from the module.

set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
symbols=$root/.build/docs-symbols
rm -rf "$symbols" "$root/.build/docs"
mkdir -p "$symbols"

swift symbolgraph-extract -module-name Driver -minimum-access-level public -output-dir "$symbols" \
    -target "$(swift -print-target-info | sed -n 's/.*"unversionedTriple": "\(.*\)".*/\1/p')" \
    -I "$root/.build/debug/Modules" -I "$root/Sources/Driver/CZlib" -I "$root/Sources/Driver/CLibcrypto"

docc convert "$root/Sources/Driver/Driver.docc" --additional-symbol-graph-dir "$symbols" \
    --fallback-display-name Driver --fallback-bundle-identifier fanfare.driver --output-path "$root/.build/docs" \
    --warnings-as-errors
