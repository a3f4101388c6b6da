#!/usr/bin/env python3
"""Thousands of well-behaved clients, steady publishing, and one fault after the other: how late are their messages?

    load.py [--connections 15000] [--rate 100] [--seconds 7] [--rounds 5] [--addresses 1] [--fault NAME]...

Each channel has twenty subscribers; RATE messages a second are published. The 99th percentile of the time from
publishing to delivery is taken with each fault and without it, in turns of so many SECONDS, ROUNDS times; of the rounds
the medians count, for what else the machine does falls into one or the other. "Own p99" is how late the well-behaved
were by themselves, who share a core with the attackers: a timer beside the messages tells it. It fails when a fault
more than doubles the lateness (or makes it more than FLOOR ms, if it was less than half of that), when a well-behaved
client is lost, and when the broker has not counted what a fault does: then it was not played. All faults (`faults.py`
has them) take 27 minutes. Run by `make attack-load`, which builds for release; not a part of the tests, for it wants
the machine for itself.

All of them are strangers to the broker, whose default limits hold for each address, with deadlines of a few seconds:
the well-behaved come from one for each NEIGHBOURS, the attackers from ADDRESSES others. Where there are two cores the
broker has one, and on the other the attackers yield to the well-behaved, as if on machines of their own.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import math
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Interop")]

from certificates import self_signed
from conftest import Victim, resident
from faults import DEADLINES, FAULTS
from wire import HANDSHAKE, UPGRADE, batch, frame

GROUP = 20
NEIGHBOURS = 900
FLOOR = 5
TICK = 0.005
LEAST = 5
"""What the broker has to count of a fault in each round."""


class Crowd:
    """The well-behaved: they connect, listen, and keep how long each message was under way."""

    def __init__(self, port):
        self._port = port
        self._gate = asyncio.Semaphore(64)
        self.latencies = []
        self.lags = []
        self.lost = 0

    async def join(self, number):
        """One more subscriber, which listens from now on."""
        async with self._gate:
            reader, writer = await self._open(f"127.0.1.{number // NEIGHBOURS + 1}")
            (hello,) = await self._call(reader, writer, HANDSHAKE)
            client = hello["clientId"]
            replies = await self._call(
                reader, writer,
                {"channel": "/meta/subscribe", "clientId": client, "subscription": f"/load/{number // GROUP}"},
                {"channel": "/meta/connect", "clientId": client, "connectionType": "websocket"},
            )  # fmt: skip
            assert all(reply["successful"] for reply in replies), replies
        return asyncio.create_task(self._listen(reader, writer, client))

    async def _open(self, address):
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
        writer.write((UPGRADE + "\r\n").encode())
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer

    async def _call(self, reader, writer, *messages):
        writer.write(batch(*messages))
        replies = []
        while len(replies) < len(messages):
            replies += json.loads(await self._text(reader, writer))
        return replies

    async def _text(self, reader, writer):
        """The next text; pings before it are answered."""
        while True:
            opcode, payload = await self._frame(reader)
            if opcode == 1:
                return payload
            if opcode == 8:
                raise ConnectionError(f"the broker has closed a connection: {payload}")
            if opcode == 9:
                writer.write(frame(10, payload))

    async def _frame(self, reader):
        first, second = await reader.readexactly(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
        return first & 0x0F, await reader.readexactly(length)

    async def _listen(self, reader, writer, client):
        connect = {"channel": "/meta/connect", "clientId": client, "connectionType": "websocket"}
        writer.write(batch(connect))
        with contextlib.suppress(asyncio.CancelledError):
            try:
                while True:
                    for message in json.loads(await self._text(reader, writer)):
                        if "data" in message:
                            self.latencies.append(time.monotonic() - message["data"])
                        elif message["channel"] == "/meta/connect":
                            writer.write(batch(connect))
            except (asyncio.IncompleteReadError, ConnectionError):
                self.lost += 1
        writer.close()

    async def publish(self, groups, rate):
        """Steadily, to one channel after the other."""
        reader, writer = await self._open("127.0.1.250")
        number, start = 0, time.monotonic()
        while True:
            message = {"channel": f"/load/{number % groups}", "data": time.monotonic()}
            await self._call(reader, writer, message)
            number += 1
            # The rate is the load: the next one is due when its time has come, not when the last one was taken.
            await asyncio.sleep(max(start + number / rate - time.monotonic(), 0))

    async def tick(self):
        """A timer, and how late it is."""
        while True:
            due = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            self.lags.append(time.monotonic() - due)


class Turn:
    """What was delivered in one turn: how much, and how late (ms); `lag` is how late the timer was."""

    def __init__(self, latencies, lags):
        self.count = len(latencies)
        self.p50, self.p99, self.lag = percentile(latencies, 0.5), percentile(latencies, 0.99), percentile(lags, 0.99)


def percentile(seconds, share):
    """In ms; without end when nothing came at all."""
    return sorted(seconds)[int(len(seconds) * share)] * 1e3 if seconds else math.inf


def median(turns, figure):
    return statistics.median(getattr(turn, figure) for turn in turns)


async def watch(crowd, seconds):
    """How late the messages of so many seconds are, but for the first one, in which a fault begins.

    What happens meanwhile is measured elsewhere: here only the time passes.
    """
    await asyncio.sleep(1)
    crowd.latencies.clear()
    crowd.lags.clear()
    await asyncio.sleep(seconds - 1)
    latencies, crowd.latencies = crowd.latencies, []
    return Turn(latencies, crowd.lags)


async def play(broker, options):
    crowd = Crowd(broker.port)
    start = time.monotonic()
    members = await asyncio.gather(*(crowd.join(number) for number in range(options.connections)))
    seconds = time.monotonic() - start
    # Its passes through what so many clients are made of would be taken for lateness.
    gc.disable()
    print(f"{len(members)} connections after {seconds:.0f} s, {resident(broker.pid):.0f} MiB", flush=True)
    publisher = asyncio.create_task(crowd.publish(max(options.connections // GROUP, 1), options.rate))
    ticking = asyncio.create_task(crowd.tick())
    failed, idle = [], []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:2])}
    columns = ["counted", "messages", "p50 ms", "p99 ms", "worst", "own p99"]
    columns += ["without p50", "p99", "worst", "own p99", "times", "MiB"]
    print("| fault |", " | ".join(columns), "|\n|---|" + "--:|" * len(columns))
    for name in options.fault:
        fault, usual, found = FAULTS[name], [], []
        first, works = fault.counted(broker), True
        for _ in range(options.rounds):
            usual.append(await watch(crowd, options.seconds))
            end = time.monotonic() + fault.lead + options.seconds
            attack = [name, broker.port, broker.tls_port, broker.pid, options.addresses, end]
            child = subprocess.Popen([sys.executable, HERE / "faults.py", *map(str, attack)], env=environment)
            await asyncio.sleep(fault.lead)
            found.append(await watch(crowd, options.seconds))
            works = await asyncio.to_thread(child.wait) == 0 and works
        count = fault.counted(broker) - first
        if not works or count < LEAST * options.rounds:
            idle.append(name)
        late, before = median(found, "p99"), median(usual, "p99")
        assert before < math.inf, "nothing was delivered, without any fault"
        cells = [f"{count:.0f}", str(sum(turn.count for turn in found))]
        for turns in (found, usual):
            worst = max(turn.p99 for turn in turns)
            figures = median(turns, "p50"), median(turns, "p99"), worst, median(turns, "lag")
            cells += [f"{milliseconds:.1f}" for milliseconds in figures]
        cells += [f"{late / before:.2f}", f"{resident(broker.pid):.0f}"]
        print("|", " | ".join([name, *cells]), "|", flush=True)
        if late > max(2 * before, FLOOR):
            failed.append(name)
    tasks = [*members, publisher, ticking]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return failed, idle, crowd.lost


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=15_000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    parser.add_argument("--addresses", type=int, default=1)
    options = parser.parse_args()
    options.fault = options.fault or list(FAULTS)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, cores[:1])
        certificate, key = self_signed(pathlib.Path(folder))
        tls = f"tls: {{listen: '127.0.0.1:0', certificate: {certificate}, key: {key}}}\n"
        broker = Victim(pathlib.Path(folder), "rates: {loopback: true}\n" + DEADLINES + tls).start()
        broker.tls_port = broker.told_port("https")
        os.sched_setaffinity(0, cores[1:] or cores)
        try:
            failed, idle, lost = asyncio.run(play(broker, options))
            broker.stop()
        finally:
            broker.kill()
    if failed or idle or lost:
        sys.exit(
            f"too late with {', '.join(failed) or 'nothing'}; {lost} connections were lost; "
            f"not played: {', '.join(idle) or 'none'}"
        )


if __name__ == "__main__":
    main()
