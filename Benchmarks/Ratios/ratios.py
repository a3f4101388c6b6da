#!/usr/bin/env python3
"""What TLS, compression and growth cost the broker, as ratios; the table is kept in Benchmarks/results.

    ratios.py [--rounds N] [ROW…]      rows: deflate, tls, subscribers, subscriptions

The server runs on core 0, the load (bursts.py) on core 1. What counts is the server's CPU time. Each variant of a row
has a server that has just been started, and the variants take turns; `subscriptions` has one server, to which more and
more subscriptions come.
"""

import argparse
import collections
import contextlib
import datetime
import itertools
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Benchmarks"), str(ROOT / "Tests" / "Interop")]

from bursts import Client, Load  # noqa: E402
from certificates import self_signed  # noqa: E402
from compare import machine  # noqa: E402

# Taken out of the environment, for the broker knows no such variable, and says so.
BUILT = pathlib.Path(os.environ.pop("FANFARE_BIN", "") or ROOT / ".build" / "release")
SECONDS = 2
SUBSCRIPTIONS = (1_000, 10_000, 100_000, 1_000_000)

# `measure` yields for each variant its name, the microseconds of the server's CPU, and the bytes that each subscriber
# gets of a burst.
Row = collections.namedtuple("Row", "title unit goal measure")


@contextlib.contextmanager
def server(command, pattern, environment=None):
    """A server on core 0: its process id and the port that it prints."""
    command = ["taskset", "-c", "0", *map(str, command)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    try:
        port = next((int(found[1]) for line in process.stdout if (found := re.search(pattern, line))), None)
        yield process.pid, port or sys.exit(f"{command[3]} does not start")
    finally:
        process.terminate()
        process.wait()


def broker(tls=None, **settings):
    # Nothing comes in between: no ping, and no answer to a connect.
    settings = {"timeouts_connect": "1h", "timeouts_ping": "1h", **settings}
    if tls:
        settings |= {"tls_listen": "127.0.0.1:0", "tls_certificate": tls[0], "tls_key": tls[1]}
    environment = {f"FANFARE_{name.upper()}": str(value) for name, value in settings.items()}
    command = [BUILT / "broker-server", "serve", "--listen", "127.0.0.1:0", "--threads", 1, "--log-level", "error"]
    command += ["--database", f"{tempfile.mkdtemp(dir=os.environ['TMPDIR'])}/fanfare.db"]
    return server(command, r"https://127.0.0.1:(\d+)/" if tls else r"page +http://127.0.0.1:(\d+)/", environment)


def deflate(burst):
    """With and without permessage-deflate, which the publisher never asks for."""
    for name, deflate in (("plain", False), ("permessage-deflate", True)):
        with broker() as (pid, port):
            yield name, *Load(port, pid, 1000, size=1024, burst=burst, deflate=deflate).measure(SECONDS)


def tls():
    """The broker over TLS, and the reference with as many bytes."""
    files = self_signed(pathlib.Path(tempfile.mkdtemp(dir=os.environ["TMPDIR"])))
    with broker(files) as (pid, port):
        load = Load(port, pid, 1000, tls=True)
        cost, size = load.measure(SECONDS)
    with server([BUILT / "tls-reference", *files, size], r"https://127.0.0.1:(\d+)/") as (pid, port):
        yield "NIOSSL, one joined write", *Load(port, pid, 1000, tls=True, reference=size).measure(SECONDS)
    yield "wss", cost, size
    with broker() as (pid, port):
        yield "ws", *Load(port, pid, 1000).measure(SECONDS)


def subscribers():
    for count in (100, 1000, 15_000):
        with broker() as (pid, port):
            yield f"{count:,}", *Load(port, pid, count).measure(SECONDS)


def subscriptions():
    """Publications that go to nobody, while more and more subscriptions come: half of them patterns."""
    forms = ("/bursts/{}/part", "/bursts/{}/*", "/elsewhere/{}", "/bursts/{}/**")
    with broker(limits_subscriptions_per_session=SUBSCRIPTIONS[-1]) as (pid, port):
        others, made = [Client(port, "127.0.0.1") for _ in range(8)], 0
        for other in others:
            other.open()
        load = Load(port, pid, 0)
        new_channels = (f"/bursts/{n}" for n in itertools.count())
        for count in SUBSCRIPTIONS:
            while made < count:
                new = range(made, min(made + 500, count))
                others[made // 500 % len(others)].subscribe(*(forms[n % 4].format(n) for n in new))
                made = new.stop
            for kind, names in {"one channel": itertools.repeat("/bursts"), "new channels": new_channels}.items():
                load.names = names
                yield f"{count:,}, publications to {kind}", *load.measure(SECONDS)


DELIVERY, PUBLICATION = "µs / delivery", "µs / publication"
ROWS = {
    "deflate": [
        Row("1000 subscribers, JSON of 1 KiB, 32 messages at once", DELIVERY, "at most 1.30", lambda: deflate(32)),
        Row("1000 subscribers, JSON of 1 KiB, one message at once", DELIVERY, "at most 1.30", lambda: deflate(1)),
    ],
    "tls": [Row("1000 subscribers, 32 messages at once, over TLS", DELIVERY, "wss at most 1.25", tls)],
    "subscribers": [Row("Subscribers of one channel, 32 messages at once", DELIVERY, "within 15 %", subscribers)],
    "subscriptions": [Row("Subscriptions that do not match", PUBLICATION, "1.00", subscriptions)],
}


def table(row, results):
    first = statistics.median(cost for cost, _ in next(iter(results.values())))
    head = f"| | {row.unit} | spread | beside the first | bytes of a burst |"
    lines = [f"### {row.title}", "", head, "|---|--:|--:|--:|--:|"]
    for name, rounds in results.items():
        costs = [cost for cost, _ in rounds]
        cost, spread = statistics.median(costs), max(costs) / min(costs)
        lines.append(f"| {name} | {cost:.3f} | ×{spread:.2f} | {cost / first:.2f} | {rounds[-1][1]:,} |")
    return [*lines, "", f"Goal: {row.goal}.", ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("rows", nargs="*", metavar="ROW", default=list(ROWS))
    arguments = parser.parse_args()
    if unknown := set(arguments.rows) - set(ROWS):
        parser.error(f"there is no row {', '.join(unknown)}")
    os.sched_setaffinity(0, {1})
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    rows = [row for name in arguments.rows for row in ROWS[name]]
    results = [collections.defaultdict(list) for _ in rows]
    with tempfile.TemporaryDirectory() as work:
        os.environ["TMPDIR"] = tempfile.tempdir = work
        for _ in range(arguments.rounds):
            for row, kept in zip(rows, results):
                for name, *measured in row.measure():
                    kept[name].append(measured)
                    print(f"{row.title}: {name}: {measured[0]:.3f} {row.unit}", file=sys.stderr)

    now = datetime.datetime.now()
    lines = [f"# {now:%Y-%m-%d %H:%M}", "", f"{machine()}; medians of {arguments.rounds} interleaved rounds.", ""]
    for row, kept in zip(rows, results):
        lines += table(row, kept)
    text = "\n".join(lines).rstrip() + "\n"
    (ROOT / "Benchmarks" / "results" / f"{now:%Y-%m-%d-%H%M}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
