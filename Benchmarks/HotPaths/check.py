#!/usr/bin/env python3
"""Counts the instructions and allocations of the hot paths, which do not depend on how busy the machine is.

    check.py            compares with thresholds.json; fails when something takes 10 % more, or asks for memory more often
    check.py --write    writes what it finds there

What strangers send is read in sizes of SIZE, twice and four times that: twice as much takes less than GROWTH times the
steps. (Without that a head, a frame or a batch could keep a core busy for long.)

Needs valgrind. A thing is done COUNT times and twice as often: the difference is what it takes, without the start.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
COUNT = 300
SIZE = 2000
GROWTH = 2.5
# Compilers and C libraries differ a little.
TOLERANCE = 1.1


def build():
    subprocess.run(["swift", "build", "-c", "release", "--package-path", FOLDER, "--quiet"], check=True)
    show = ["swift", "build", "-c", "release", "--package-path", FOLDER, "--show-bin-path"]
    return pathlib.Path(subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip()) / "hot-paths"


def instructions(program, *arguments):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, *map(str, arguments)]
    environment = {**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1"}
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(re.search(r"Collected : ([0-9]+)", result.stderr)[1])


def names(*command):
    return list(enumerate(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()))


def measure(program, stripped):
    for number, name in names(program):
        once, twice = (instructions(stripped, number, count) for count in (COUNT, 2 * COUNT))
        allocations = subprocess.run([program, str(number), "1000"], check=True, capture_output=True, text=True)
        yield name, {"instructions": round((twice - once) / COUNT), "allocations": float(allocations.stdout)}


def growth(stripped):
    """How many times the steps twice the size takes; the start of the program, and what is small, taken off."""
    for number, name in names(stripped, "growth"):
        small, middle, large = (instructions(stripped, "growth", number, SIZE * times) for times in (1, 2, 4))
        yield name, (large - middle) / (middle - small)


def main():
    program = build()
    # valgrind does not read Swift's debugging information.
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder) / "hot-paths"
        subprocess.run(["strip", "-g", "-o", stripped, program], check=True)
        found = dict(measure(program, stripped))
        grown = {} if "--write" in sys.argv else dict(growth(stripped))
    path = FOLDER / "thresholds.json"
    if "--write" in sys.argv:
        path.write_text(json.dumps(found, indent=2) + "\n")
    thresholds = json.loads(path.read_text())
    failed = False
    print("| what | instructions | kept | allocations | kept |\n|---|--:|--:|--:|--:|")
    for name, costs in found.items():
        kept = thresholds.get(name, {"instructions": 0, "allocations": 0})
        print(f"| {name} | {costs['instructions']} | {kept['instructions']} | {costs['allocations']} | {kept['allocations']} |")
        failed |= costs["instructions"] > kept["instructions"] * TOLERANCE
        failed |= costs["allocations"] > kept["allocations"] + 0.01
    if grown:
        print("\n| twice as much of | times the steps |\n|---|--:|")
    for name, times in grown.items():
        print(f"| {name} | {times:.2f} |")
    if steep := [name for name, times in grown.items() if not times < GROWTH]:
        sys.exit(f"Grows faster than its input: {', '.join(steep)}")
    if failed:
        sys.exit("More than is kept in thresholds.json. If there is a reason for that: check.py --write")


main()
