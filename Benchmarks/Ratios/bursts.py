"""A load of bursts: so many publications at once, and the next burst when every subscriber has got them all.

Every burst has the server do the same, whatever it speaks, and the CPU time that this takes does not depend on how fast
this program is. What the first subscriber gets is unpacked and compared with what was published; the others must get
the very same bytes.
"""

import base64
import itertools
import json
import os
import random
import socket
import ssl
import time
import zlib

CONTEXT = ssl._create_unverified_context()
SOURCES = itertools.count(os.getpid())
MEMORY = bytearray(1 << 18)
KEY = base64.b64encode(bytes(16)).decode()


def cpu_seconds(pid):
    """The CPU time of another process; its clock has the number that clock_getcpuclockid(3) gives."""
    return time.clock_gettime(~pid << 3 | 2)


def masked(text):
    """A client's text frame, with a masking key of zeros."""
    length = len(text)
    size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + text


def unframed(data):
    """The payloads of the whole frames that a server's bytes begin with, and how many of them were compressed."""
    texts, compressed, position = [], 0, 0
    while position + 2 <= len(data):
        start, length = position + 2, data[position + 1]
        if length > 125:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[position + 2 : start], "big")
        if start + length > len(data):
            break
        text = bytes(data[start : start + length])
        if data[position] == 0xC1:
            # By itself: there is no context that an earlier message has left.
            text = zlib.decompressobj(-15).decompress(text + b"\0\0\xff\xff")
            compressed += 1
        elif data[position] != 0x81:
            raise RuntimeError(f"a frame that begins with {data[position]:#x}")
        texts.append(text)
        position = start + length
    return texts, compressed


class Client:
    """A connection: to the reference server, or a WebSocket with a Bayeux session."""

    def __init__(self, port, source, tls=False):
        self.socket = socket.socket()
        self.socket.settimeout(30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        if tls:
            self.socket = CONTEXT.wrap_socket(self.socket)
        self.id = None

    def receive(self):
        """What has arrived, until the next call for any connection."""
        count = self.socket.recv_into(MEMORY)
        if count == 0:
            raise RuntimeError("the server has closed a connection")
        return memoryview(MEMORY)[:count]

    def open(self, deflate=False):
        offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" if deflate else ""
        request = "GET /bayeux HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        request += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{offer}\r\n"
        self.socket.sendall(request.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.receive()
        if b" 101 " not in head or deflate != (b"permessage-deflate" in head):
            raise RuntimeError(f"the handshake was answered with {head.decode(errors='replace')}")
        hello = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]}
        self.id = self.ask(hello)["clientId"]

    def ask(self, message):
        """Sends one message, and awaits its reply."""
        self.send(message)
        data = b""
        while True:
            data += self.receive()
            for reply in itertools.chain.from_iterable(map(json.loads, unframed(data)[0])):
                if reply["channel"] == message["channel"]:
                    if not reply["successful"]:
                        raise RuntimeError(f"refused: {reply}")
                    return reply

    def send(self, message):
        self.socket.sendall(masked(json.dumps([{**message, "clientId": self.id}]).encode()))

    def subscribe(self, *subscriptions):
        self.ask({"channel": "/meta/subscribe", "subscription": list(subscriptions)})

    def connect(self):
        """From now on messages come; the first connect is answered at once, the next one when its time is up."""
        connect = {"channel": "/meta/connect", "connectionType": "websocket"}
        self.ask(connect)
        self.send(connect)


class Payloads:
    """JSON such as a market sends, of exactly so many bytes, each with a number of its own."""

    def __init__(self, size):
        self.size, self.numbers, self.random = size, itertools.count(1), random.Random(size)

    def __next__(self):
        symbols, letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz "
        rows = f'{{"number":{next(self.numbers)},"rows":['
        while len(rows) < self.size - 100:
            rows += '{"symbol":"%s","price":%.2f,"change":%.2f,"volume":%d},' % (
                "".join(self.random.choices(symbols, k=4)), self.random.uniform(1, 900),
                self.random.uniform(-5, 5), self.random.randrange(1 << 20),
            )  # fmt: skip
        rows = rows.rstrip(",") + '],"note":"'
        return rows + "".join(self.random.choices(letters, k=self.size - len(rows) - 2)) + '"}'


class Load:
    """Subscribers of one channel and a publisher, all of whom have come."""

    def __init__(self, port, pid, subscribers, size=128, burst=32, tls=False, deflate=False, reference=0):
        """`reference` is what the reference server answers a burst with, in bytes; 0 for a broker."""
        # 127.x.0.1, so that runs in a row do not meet each other's TIME_WAIT.
        source = f"127.{1 + next(SOURCES) % 250}.0.1"
        self.pid, self.burst, self.deflate, self.reference = pid, burst, deflate, reference
        self.payloads, self.names = Payloads(size), itertools.repeat("/bursts")
        self.publisher, self.members = Client(port, source, tls), []
        if not reference:
            self.publisher.open()
        for _ in range(subscribers):
            member = Client(port, source, tls)
            self.members.append(member)
            if not reference:
                member.open(deflate)
                member.subscribe("/bursts")
                member.connect()

    def turn(self):
        """One burst, until everybody has got it; the bytes that each has got."""
        payloads = [next(self.payloads) for _ in range(self.burst)]
        messages = (
            f'[{{"channel":"{next(self.names)}","clientId":"{self.publisher.id}","id":"{number}","data":{payload}}}]'
            for number, payload in enumerate(payloads)
        )
        self.publisher.socket.sendall(b"".join(masked(message.encode()) for message in messages))
        expected = self.first_gets(payloads)
        for member in self.members[1:]:
            got = member.receive()
            if len(got) < len(expected):
                got = bytearray(got)
                while len(got) < len(expected):
                    got += member.receive()
            if got != expected:
                raise RuntimeError("a subscriber has got something else than the first one")
        return len(expected)

    def first_gets(self, payloads):
        """What the first subscriber gets, checked, after the publisher has got its acknowledgements."""
        if self.reference:
            return self.gets(self.members[0], lambda got: len(got) == self.reference)
        acknowledged = self.gets(self.publisher, lambda got: got.count(b'"successful":true') == len(payloads))
        if not self.members:
            return acknowledged
        got = self.gets(self.members[0], lambda got: len(unframed(got)[0]) == len(payloads))
        texts, compressed = unframed(got)
        data = [message["data"] for text in texts for message in json.loads(text)]
        if data != [json.loads(payload) for payload in payloads] or compressed != (self.deflate and len(payloads)):
            raise RuntimeError("the first subscriber has got something else than what was published")
        return got

    def gets(self, client, is_all):
        got = bytearray()
        while not is_all(got):
            got += client.receive()
        return got

    def measure(self, seconds, warmup=0.5):
        """The server's CPU time, in microseconds, for each delivery (or publication, if nobody is subscribed)."""
        end = time.monotonic() + warmup
        while time.monotonic() < end:
            self.turn()
        before, count, end = cpu_seconds(self.pid), 0, time.monotonic() + seconds
        while time.monotonic() < end:
            bytes_each = self.turn()
            count += self.burst * (len(self.members) or 1)
        return (cpu_seconds(self.pid) - before) / count * 1e6, bytes_each
