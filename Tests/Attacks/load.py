#!/usr/bin/env python3
"""Thousands of well-behaved clients, steady publishing, and one fault after the other: how late are their messages?

    load.py [--connections 15000] [--rate 20] [--seconds 10] [--fault NAME]...

Each channel has a hundred subscribers; RATE messages a second are published. The 99th percentile of the time from
publishing to delivery is taken without a fault first, and then with each. It fails when one more than doubles it (or
makes it more than FLOOR, if it was less than half of that: below, the machine's own noise decides). Run by
`make attack-load`, which builds for release; not a part of the tests, for it wants the machine for itself.
"""

import argparse
import asyncio
import contextlib
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "Interop")]

from conftest import Victim, resident
from wire import UPGRADE, Wire, deflated, frame, request

GROUP = 100
FLOOR = 0.010
HANDSHAKE = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]}


class Crowd:
    """The well-behaved."""

    def __init__(self, port):
        self._port = port
        self._gate = asyncio.Semaphore(64)
        self.latencies = []
        self.lost = 0

    async def join(self, number):
        """One more subscriber, which listens from now on."""
        async with self._gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write((UPGRADE + "\r\n").encode())
            await reader.readuntil(b"\r\n\r\n")
            (hello,) = await self._call(reader, writer, HANDSHAKE)
            client = hello["clientId"]
            replies = await self._call(
                reader, writer,
                {"channel": "/meta/subscribe", "clientId": client, "subscription": f"/load/{number // GROUP}"},
                {"channel": "/meta/connect", "clientId": client, "connectionType": "websocket"},
            )  # fmt: skip
            assert all(reply["successful"] for reply in replies), replies
        return asyncio.create_task(self._listen(reader, writer, client))

    async def _call(self, reader, writer, *messages):
        writer.write(frame(1, json.dumps(messages).encode()))
        replies = []
        while len(replies) < len(messages):
            replies += json.loads((await self._frame(reader))[1])
        return replies

    async def _frame(self, reader):
        first, second = await reader.readexactly(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
        return first & 0x0F, await reader.readexactly(length)

    async def _listen(self, reader, writer, client):
        connect = {"channel": "/meta/connect", "clientId": client, "connectionType": "websocket"}
        writer.write(frame(1, json.dumps([connect]).encode()))
        with contextlib.suppress(asyncio.CancelledError):
            try:
                while True:
                    opcode, payload = await self._frame(reader)
                    if opcode == 9:
                        writer.write(frame(10, payload))
                        continue
                    for message in json.loads(payload):
                        if "data" in message:
                            self.latencies.append(time.monotonic() - message["data"])
                        elif message["channel"] == "/meta/connect":
                            writer.write(frame(1, json.dumps([connect]).encode()))
            except (asyncio.IncompleteReadError, ConnectionError):
                self.lost += 1
        writer.close()

    async def publish(self, groups, rate):
        """Steadily, to one channel after the other."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write((UPGRADE + "\r\n").encode())
        await reader.readuntil(b"\r\n\r\n")
        number, start = 0, time.monotonic()
        while True:
            message = {"channel": f"/load/{number % groups}", "data": time.monotonic()}
            await self._call(reader, writer, message)
            number += 1
            await asyncio.sleep(max(start + number / rate - time.monotonic(), 0))


def drained(wire):
    def read():
        with contextlib.suppress(OSError):
            while wire.socket.recv(1 << 20):
                pass

    threading.Thread(target=read, daemon=True).start()
    return wire


def slowloris(port, seconds):
    wires = [Wire(port) for _ in range(500)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for wire in wires:
            wire.send("GET / HTTP/1.1\r\nX: " if time.monotonic() > end - seconds + 1 else "x")
        time.sleep(0.2)


def answers_that_are_not_taken(port, seconds):
    Wire(port, window=4096).flood(request("GET", "/fanfare.js").encode() * 500, seconds)


def pongs_that_are_not_taken(port, seconds):
    Wire(port, window=4096).upgrade().flood(frame(9, b"x" * 125) * 5000, seconds)


def compressed_bombs(port, seconds):
    wire = drained(Wire(port).upgrade("Sec-WebSocket-Extensions: permessage-deflate"))
    wire.flood(frame(1, deflated(b" " * ((1 << 20) - 2)), bits=0x40) * 20, seconds)


def publications(port, seconds):
    batch = json.dumps([{"channel": "/flood", "data": 1}] * 50).encode()
    drained(Wire(port).upgrade()).flood(frame(1, batch), seconds)


def subscriptions(port, seconds):
    wire = Wire(port).upgrade()
    wire.send(frame(1, json.dumps([HANDSHAKE]).encode()))
    client = json.loads(wire.frame()[1])[0]["clientId"]
    batch = [
        {"channel": f"/meta/{verb}", "clientId": client, "subscription": f"/churn/{number}/**"}
        for number in range(50)
        for verb in ("subscribe", "unsubscribe")
    ]
    drained(wire).flood(frame(1, json.dumps(batch).encode()), seconds)


def connects(port, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for wire in [Wire(port) for _ in range(100)]:
            wire.socket.close()


FAULTS = {
    fault.__name__: fault
    for fault in (slowloris, answers_that_are_not_taken, pongs_that_are_not_taken, compressed_bombs, publications,
                  subscriptions, connects)
}  # fmt: skip


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


async def play(broker, options):
    crowd = Crowd(broker.port)
    start = time.monotonic()
    members = await asyncio.gather(*(crowd.join(number) for number in range(options.connections)))
    seconds = time.monotonic() - start
    print(f"{len(members)} connections after {seconds:.0f} s, {resident(broker.pid):.0f} MiB", flush=True)
    publisher = asyncio.create_task(crowd.publish(max(options.connections // GROUP, 1), options.rate))
    usual, failed = None, []
    print("| fault | messages | p50 ms | p99 ms | times | MiB |\n|---|--:|--:|--:|--:|--:|")
    for name in [None, *options.fault]:
        child = None
        if name:
            command = [sys.executable, __file__, "--play", name, str(broker.port), str(options.seconds)]
            child = subprocess.Popen(command)
        await asyncio.sleep(1)
        crowd.latencies.clear()
        await asyncio.sleep(options.seconds - 1)
        taken, crowd.latencies = crowd.latencies, []
        if child:
            child.wait()
        middle, late = percentile(taken, 0.5), percentile(taken, 0.99)
        usual = usual or late
        times = late / usual
        memory = resident(broker.pid)
        figures = f"{len(taken)} | {middle * 1e3:.1f} | {late * 1e3:.1f} | {times:.2f} | {memory:.0f}"
        print(f"| {name or 'none'} | {figures} |", flush=True)
        if late > max(2 * usual, FLOOR):
            failed.append(name)
    publisher.cancel()
    for member in members:
        member.cancel()
    await asyncio.gather(*members, publisher, return_exceptions=True)
    return failed, crowd.lost


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=15_000)
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    parser.add_argument("--play", nargs=3)
    options = parser.parse_args()
    if options.play:
        name, port, seconds = options.play
        return FAULTS[name](int(port), int(seconds))
    options.fault = options.fault or list(FAULTS)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        broker = Victim(pathlib.Path(folder)).start()
        try:
            failed, lost = asyncio.run(play(broker, options))
            broker.stop()
        finally:
            broker.kill()
    if failed or lost:
        sys.exit(f"too late with {', '.join(failed) or 'nothing'}; {lost} connections were lost")
    return None


if __name__ == "__main__":
    main()
