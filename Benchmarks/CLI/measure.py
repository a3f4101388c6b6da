#!/usr/bin/env python3
"""How much CPU time broker-cli takes for what goes through it, and whether that is little enough.

    measure.py [PROGRAMS]

100,000 documents through `publish -` have to take less than 2 s of its own CPU time, and `subscribe` has to keep up with
200,000 messages per second of its CPU time. Measured on the programs in PROGRAMS (.build/release), with a broker beside
them; the figures are those of `wait4`, the start of the program included, the best of three.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

DOCUMENTS = 100_000
MESSAGES = 500_000
MOST_SECONDS = 2.0
LEAST_PER_SECOND = 200_000
ATTEMPTS = 3
DOCUMENT = '{{"n":{},"text":"A hundred bytes or so, as a log has them on each of its lines, and then some more"}}\n'


def cpu_seconds(process):
    """Wait for the end of a process; the CPU time that it took."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{process.args} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def publish(programs, url, lines, channel):
    with open(lines, "rb") as source:
        return cpu_seconds(subprocess.Popen([programs / "broker-cli", "--url", url, "publish", channel, "-"], stdin=source))


def subscribe(programs, base, url, lines, channel):
    """The CPU time of a subscriber that prints what another process publishes."""
    with subprocess.Popen(
        [programs / "broker-cli", "--url", url, "subscribe", channel, "--count", str(MESSAGES + 1)],
        stdout=subprocess.PIPE,
    ) as subscriber:
        reader = subprocess.Popen(["cat"], stdin=subscriber.stdout, stdout=subprocess.DEVNULL)
        subscriber.stdout.close()
        while b'"matched":0' in urllib.request.urlopen(f"{base}channels{channel}", b"0").read():
            pass
        publish(programs, url, lines, channel)
        seconds = cpu_seconds(subscriber)
        reader.wait()
    return seconds


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    programs = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else root / ".build" / "release").absolute()
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "lines"
        lines.write_text("".join(DOCUMENT.format(number) for number in range(MESSAGES)), encoding="utf-8")
        few = pathlib.Path(folder) / "few"
        few.write_text("".join(DOCUMENT.format(number) for number in range(DOCUMENTS)), encoding="utf-8")
        broker = subprocess.Popen(
            [programs / "broker-server", "serve", "--listen", "127.0.0.1:0", "--database", ":memory:"],
            stdout=subprocess.PIPE, text=True,
        )
        try:
            base = next(match[0] for line in broker.stdout if (match := re.search(r"http://127\.0\.0\.1:\d+/", line)))
            url = base + "bayeux"
            publishing = min(publish(programs, url, few, f"/publish/{attempt}") for attempt in range(ATTEMPTS))
            receiving = min(subscribe(programs, base, url, lines, f"/subscribe/{n}") for n in range(ATTEMPTS))
        finally:
            broker.terminate()
            broker.wait()
    rate = MESSAGES / receiving
    print(f"publish -   {DOCUMENTS} documents in {publishing:.2f} s of CPU time (less than {MOST_SECONDS} s is wanted)")
    print(f"subscribe   {rate:,.0f} messages per second of CPU time ({LEAST_PER_SECOND:,} are wanted)")
    sys.exit(0 if publishing < MOST_SECONDS and rate >= LEAST_PER_SECOND else 1)


if __name__ == "__main__":
    main()
