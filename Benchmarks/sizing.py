#!/usr/bin/env python3
"""What connections cost while nothing happens, and what TLS adds; the tables are kept in Benchmarks/results.

    sizing.py [--rounds N] [--connections N] [--seconds N]

The broker runs on core 0 with one event loop and the default times, this program on core 1. The idle connections are
WebSockets with a session each, twenty to a channel; all that they do is what the broker wants of them: a pong when it
pings, and another connect when one was answered. For the handshakes connections come one by one, each with one request.
"""

import argparse
import collections
import datetime
import os
import pathlib
import re
import resource
import selectors
import socket
import ssl
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "Benchmarks" / "Ratios"), str(ROOT / "Tests" / "Interop")]

from bursts import SOURCES, Client, cpu_seconds, masked  # noqa: E402
from certificates import NAMES, openssl, self_signed  # noqa: E402
from compare import machine  # noqa: E402
from ratios import broker  # noqa: E402

# Those of the broker by default, which the brokers of ratios.py do not have.
TIMES = {"timeouts_connect": "1m", "timeouts_ping": "25s"}
CONNECT = {"channel": "/meta/connect", "connectionType": "websocket"}
REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HANDSHAKES = 2000
# Seconds for which the broker is looked at before anybody comes.
ALONE = 10

IDLE = [
    ("memory of the broker, KiB for each connection", "{:.1f}"),
    ("memory of the kernel, KiB for each connection at one end", "{:.1f}"),
    ("CPU time of an idle connection, µs each second", "{:.2f}"),
    ("connects with subscription, each second of CPU", "{:,.0f}"),
]


def new_source():
    """127.x.0.1, so that runs in a row do not meet each other's TIME_WAIT."""
    return f"127.{1 + next(SOURCES) % 250}.0.1"


def resident(pid):
    """The memory of a process, in KiB."""
    return int(re.search(r"^VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def kernel():
    """The memory of the kernel's objects and of what waits in sockets, in KiB; all of the machine's."""
    slab = int(re.search(r"^Slab:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)[1])
    pages = int(re.search(r"^TCP:.* mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text(), re.M)[1])
    return slab + pages * os.sysconf("SC_PAGE_SIZE") // 1024


class Guests:
    """Connections that do no more than they must."""

    def __init__(self, port, tls):
        self._port, self._tls, self._source = port, tls, new_source()
        self._selector = selectors.DefaultSelector()

    def come(self, count):
        """Lets so many connect and subscribe; those who are there already are served meanwhile."""
        for number in range(count):
            guest = Client(self._port, self._source, self._tls)
            guest.open()
            guest.subscribe(f"/sizing/{number // 20}")
            guest.connect()
            guest.socket.setblocking(False)
            guest.unread = bytearray()
            self._selector.register(guest.socket, selectors.EVENT_READ, guest)
            if number % 100 == 0:
                self.serve(0)

    def serve(self, seconds):
        end = time.monotonic() + seconds
        while True:
            for key, _ in self._selector.select(max(0, end - time.monotonic())):
                self._answer(key.data)
            if time.monotonic() >= end:
                return

    def leave(self):
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    @staticmethod
    def _answer(guest):
        """Pings with pongs, and the answer to a connect with the next one."""
        data = guest.unread
        try:
            while True:
                data += guest.receive()
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        while len(data) >= 2:
            start, length = (2, data[1]) if data[1] < 126 else (4, int.from_bytes(data[2:4], "big"))
            if len(data) < start + length:
                break
            kind, payload = data[0], bytes(data[start : start + length])
            if kind == 0x89:
                guest.socket.sendall(b"\x8a" + masked(payload)[1:])
            elif kind == 0x81 and b'"/meta/connect"' in payload:
                guest.send(CONNECT)
            else:
                raise RuntimeError(f"an idle connection has got {kind:#x} {payload!r}")
            del data[: start + length]


def idle(files, count, seconds):
    """One figure for each of IDLE; over TLS, if there are files of a certificate and its key."""
    with broker(files, **TIMES) as (pid, port):
        start = cpu_seconds(pid)
        time.sleep(ALONE)
        alone = (cpu_seconds(pid) - start) / ALONE
        memory, objects = resident(pid), kernel()
        guests = Guests(port, bool(files))
        try:
            start = cpu_seconds(pid)
            guests.come(count)
            connecting = cpu_seconds(pid) - start
            start, began = cpu_seconds(pid), time.monotonic()
            guests.serve(seconds)
            waiting = (cpu_seconds(pid) - start) / (time.monotonic() - began) - alone
            # Both ends are on this machine.
            sizes = (resident(pid) - memory) / count, (kernel() - objects) / count / 2
            return *sizes, waiting / count * 1e6, count / connecting
        finally:
            guests.leave()


def visit(port, source, context=None, session=None):
    """One connection with one request, until the broker ends it: whether its session was resumed, and its session."""
    with socket.create_connection(("127.0.0.1", port), 30, (source, 0)) as way:
        if context:
            way = context.wrap_socket(way, session=session)
        with way:
            way.sendall(REQUEST)
            answer = b""
            while part := way.recv(65536):
                answer += part
            if b" 200 " not in answer[:20]:
                raise RuntimeError(f"the request was answered with {answer!r}")
            return context and (way.session_reused, way.session)


def visits(port, pid, version=None, resumes=False):
    """The microseconds of the broker's CPU that a connection takes, and how many of them have resumed a session."""
    context = session = None
    if version:
        context = ssl._create_unverified_context()
        context.minimum_version = context.maximum_version = version
    source, resumed = new_source(), 0
    last = visit(port, source, context)
    start = cpu_seconds(pid)
    for _ in range(HANDSHAKES):
        if resumes:
            session = last[1]
        last = visit(port, source, context, session)
        resumed += bool(last and last[0])
    return (cpu_seconds(pid) - start) / HANDSHAKES * 1e6, resumed


def handshakes(certificates):
    """Names of rows, with the microseconds for each; the first one is without TLS."""
    with broker(**TIMES) as (pid, port):
        yield "without TLS", visits(port, pid)[0]
    for kind, files in certificates.items():
        with broker(files, **TIMES) as (pid, port):
            yield f"TLS 1.3, {kind}", visits(port, pid, ssl.TLSVersion.TLSv1_3)[0]
            yield f"TLS 1.2, {kind}", visits(port, pid, ssl.TLSVersion.TLSv1_2)[0]
            cost, resumed = visits(port, pid, ssl.TLSVersion.TLSv1_3, resumes=True)
            # A broker that resumes none of them says so by this.
            yield f"TLS 1.3, {kind}, sessions resumed: {100 * resumed // HANDSHAKES} %", cost


def make_certificates(folder):
    """Pairs of files, by the kind of the key."""
    rsa = folder / "rsa.pem", folder / "rsa.key"
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", NAMES,
        "-keyout", rsa[1], "-out", rsa[0],
    )  # fmt: skip
    return {"P-256": self_signed(folder), "RSA 2048": rsa}


def tables(plain, secure, costs):
    """The lines of both tables, of the figures of all rounds."""
    lines = ["| idle WebSockets | ws | wss |", "|---|--:|--:|"]
    for (name, form), first, second in zip(IDLE, zip(*plain), zip(*secure)):
        lines.append(f"| {name} | {form.format(statistics.median(first))} | {form.format(statistics.median(second))} |")
    lines += ["", "| connections with one request | each second of CPU | µs | more than without TLS, µs |"]
    lines += ["|---|--:|--:|--:|"]
    medians = {name: statistics.median(found) for name, found in costs.items()}
    least = medians["without TLS"]
    for name, cost in medians.items():
        lines.append(f"| {name} | {1e6 / cost:,.0f} | {cost:.0f} | {cost - least:.0f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--connections", type=int, default=5000, help="idle ones; over TLS each takes 50 KiB here")
    parser.add_argument("--seconds", type=int, default=120, help="for which they are idle; a connect is held for 60")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {1})
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    plain, secure, costs = [], [], collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as work:
        os.environ["TMPDIR"] = tempfile.tempdir = work
        certificates = make_certificates(pathlib.Path(work))
        for _ in range(arguments.rounds):
            for files, kept in ((None, plain), (certificates["P-256"], secure)):
                kept.append(idle(files, arguments.connections, arguments.seconds))
                print("wss" if files else "ws", *map("{:.2f}".format, kept[-1]), file=sys.stderr)
            for name, cost in handshakes(certificates):
                costs[name].append(cost)
                print(f"{name}: {cost:.0f} µs", file=sys.stderr)

    now = datetime.datetime.now()
    lines = [f"# {now:%Y-%m-%d %H:%M}", "", f"{machine()}; medians of {arguments.rounds} rounds,"]
    lines += [f"{arguments.connections:,} connections, idle for {arguments.seconds} s.", ""]
    text = "\n".join(lines + tables(plain, secure, costs)) + "\n"
    (ROOT / "Benchmarks" / "results" / f"{now:%Y-%m-%d-%H%M}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
