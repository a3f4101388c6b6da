#!/usr/bin/env python3
"""Check that the excerpts in a guide are lines of a program, which the compiler has seen.

    excerpts.py GUIDE PROGRAM...

Every ```swift block has to occur in one of the programs, its lines together, whatever their indentation.
"""

import pathlib
import re
import sys


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def main():
    guide, *programs = map(pathlib.Path, sys.argv[1:])
    sources = ["\n".join(lines(program.read_text(encoding="utf-8"))) for program in programs]
    blocks = re.findall(r"```swift\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    if not blocks:
        sys.exit(f"{guide}: there is no excerpt")
    missing = [block for block in blocks if not any("\n".join(lines(block)) in source for source in sources)]
    for block in missing:
        print(f"{guide}: no program has these lines:\n{block}", file=sys.stderr)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
