"""Bytes over a socket, with no library between that would not let them: what attackers send, and the merely wrong."""

import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import struct
import threading
import time
import zlib

from broker import PATIENCE

UPGRADE = (
    "GET /bayeux HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
"""The head of a handshake, without its end."""
HANDSHAKE = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]}


class Wire:
    """A TCP connection; leaving the `with` block closes it."""

    def __init__(self, port, window=None, address=None):
        self.socket = socket.socket()
        if address:
            self.socket.bind((address, 0))
        if window:
            # Before the connection is made: the window is agreed upon then.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self._unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Send bytes, or a text; whether the other side still took them."""
        try:
            self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def flood(self, data, seconds, idle=False):
        """Send the same bytes again and again, for so long or until the other side ends; how many were taken.

        With `idle` the time counts from when some of them were taken last.
        """
        end = time.monotonic() + seconds
        sent = 0
        self.socket.settimeout(0.2)
        try:
            while time.monotonic() < end:
                try:
                    sent += self.socket.send(data)
                    if idle:
                        end = time.monotonic() + seconds
                except TimeoutError:
                    continue
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.socket.settimeout(PATIENCE)
        return sent

    def drip(self, data, pause, seconds):
        """Send a byte at a time, from the beginning again at the end, until the other side ends; after how long."""
        start = time.monotonic()
        self.socket.settimeout(pause)
        number = 0
        while time.monotonic() - start < seconds:
            if not self.send(data[number % len(data) :][:1]):
                return time.monotonic() - start
            number += 1
            try:
                if not (more := self.socket.recv(65536)):
                    return time.monotonic() - start
                self._unread += more
            except TimeoutError:
                pass
            except ConnectionResetError:
                return time.monotonic() - start
        raise AssertionError(f"still open after {seconds} s")

    def drain(self):
        """From now on take, and throw away, what comes, so that nothing holds a flood up; the thread that does it."""

        def read():
            with contextlib.suppress(OSError):
                while self.socket.recv(1 << 20):
                    pass

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def read_to_end(self, seconds=PATIENCE):
        """All that comes until the other side ends the connection, which it has to."""
        self.socket.settimeout(seconds)
        data, self._unread = self._unread, b""
        try:
            while more := self.socket.recv(1 << 20):
                data += more
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise AssertionError(f"still open after {seconds} s, and {data[:200]!r}") from None
        return data

    def read(self, count):
        """So many bytes."""
        while len(self._unread) < count:
            more = self.socket.recv(1 << 20)
            assert more, f"the connection ended after {self._unread!r}"
            self._unread += more
        data, self._unread = self._unread[:count], self._unread[count:]
        return data

    def read_until(self, mark):
        """What comes up to and with `mark`."""
        deadline = time.monotonic() + PATIENCE
        while mark not in self._unread:
            # What comes may be heartbeats.
            assert time.monotonic() < deadline, f"no {mark!r} within {PATIENCE} s after {self._unread[-200:]!r}"
            more = self.socket.recv(1 << 20)
            assert more, f"the connection ended after {self._unread!r}"
            self._unread += more
        return self.read(self._unread.index(mark) + len(mark))

    def answer(self):
        """The next response: its status and its body."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        length = re.search(r"(?i)^content-length: *(\d+)", head, re.M)
        return int(head.split()[1]), self.read(int(length[1]) if length else 0)

    def ask(self, request):
        """Send a request, and return the status of its answer."""
        self.send(request)
        return self.answer()[0]

    def upgrade(self, *fields):
        """Make it a WebSocket."""
        self.send(UPGRADE + "".join(field + "\r\n" for field in fields) + "\r\n")
        head = self.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return self

    def frame(self):
        """The next frame from the broker: its opcode and its payload."""
        first, second = self.read(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(self.read(2 if length == 126 else 8), "big")
        return first & 0x0F, self.read(length)

    def close_code(self):
        """The code of the closing frame that has to come, whatever comes before it."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    def call(self, **message):
        """Send one message of Bayeux over what is a WebSocket; its reply, which has to be good."""
        self.send(batch(message))
        while True:
            opcode, payload = self.frame()
            for reply in json.loads(payload) if opcode == 1 else []:
                if reply["channel"] == message["channel"] and "successful" in reply:
                    assert reply["successful"], reply
                    return reply

    def shake_hands(self):
        """Begin a session; its client id."""
        return self.call(**HANDSHAKE)["clientId"]

    def listen(self, channel):
        """Begin a session that is subscribed, and bound to this connection; its client id."""
        client = self.shake_hands()
        self.call(channel="/meta/subscribe", clientId=client, subscription=channel)
        self.call(channel="/meta/connect", clientId=client, connectionType="websocket")
        return client


def request(method, target, *fields, body=""):
    """A request of HTTP/1.1."""
    head = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *fields]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head) + "\r\n\r\n" + body


def frame(opcode, payload=b"", final=True, bits=0, length=None):
    """A frame as a client sends it, with a mask of zeros; `length` is what it says of its length."""
    length = len(payload) if length is None else length
    head = bytes([(0x80 if final else 0) | bits | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", length)
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", length)
    return head + bytes(4) + payload


def batch(*messages):
    """A frame with messages of Bayeux."""
    return frame(1, json.dumps(messages).encode())


def deflated(data):
    """As permessage-deflate sends it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def bomb(size):
    """The compressed form of so many bytes, which nobody has to hold at once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(1 << 20)
    return b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush(zlib.Z_SYNC_FLUSH)[:-4]


def accept_key(key):
    """What a server answers to a handshake's key."""
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest).decode()


def noise(count):
    """So many bytes that nobody can foresee."""
    return os.urandom(count)
