"""The transports of the tests with real peers, which also lose their connections, and one over TLS."""

import contextlib
import queue
import socket
import ssl
import struct
import time

from websockets.sync.client import connect

from broker import PATIENCE
from transports import CallbackPolling, CrossOriginLongPolling, EventSource, LongPolling, WebSocket

TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname, TRUSTING.verify_mode = False, ssl.CERT_NONE
WAYS = ["fin", "rst"]


def linger(sock):
    """Closing this socket will reset the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Line:
    """Of all transports."""

    def poll(self, seconds):
        """What comes within so many seconds; tells the broker that the last answer was read."""
        assert (reply := self.connect(timeout=int(seconds * 1000)))["successful"], reply
        return self.drain()

    def drain(self):
        taken, self.inbox = self.inbox, []
        return taken


class CompressedWebSocket(Line, WebSocket):
    """With permessage-deflate, as the library does it."""

    options = {}

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        options = dict(max_size=None, open_timeout=PATIENCE, close_timeout=5, ping_interval=None, proxy=None)
        # Without a bound on its queue: a reader that is late must not look like one that has stalled.
        self.socket = self._stack.enter_context(connect(self.address(), max_queue=None, **options, **self.options))
        return self

    def address(self):
        return self.broker.url("/bayeux", "ws")

    def lose(self, way):
        """The connection ends without a word."""
        with contextlib.suppress(OSError):
            if way == "rst":
                linger(self.socket.socket)
                # The thread that reads wakes up, and closes it.
                self.socket.socket.shutdown(socket.SHUT_RD)
            else:
                self.socket.socket.shutdown(socket.SHUT_RDWR)
        self.close()


class PlainWebSocket(CompressedWebSocket):
    options = {"compression": None}


class SecureWebSocket(CompressedWebSocket):
    options = {"ssl": TRUSTING}

    def address(self):
        return f"wss://127.0.0.1:{self.broker.tls_port}/bayeux"


class Polled(Line):
    """Of transports that poll."""

    def lose(self, way):
        if self.http.sock and way == "rst":
            linger(self.http.sock)
        self.close()


class Polling(Polled, LongPolling):
    pass


class CrossOriginPolling(Polled, CrossOriginLongPolling):
    pass


class ScriptPolling(Polled, CallbackPolling):
    pass


class Events(Polled, EventSource):
    """Its connects are answered at once: what it hears comes over the stream."""

    def poll(self, seconds):
        assert (reply := self.connect())["successful"], reply
        taken, end = self.drain(), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                message = self.events.get(timeout=left)
                if "successful" not in message:
                    taken.append(message)
        return taken

    def lose(self, way):
        if way == "rst":
            for connection in (self.http, self.stream):
                if connection and connection.sock:
                    linger(connection.sock)
        self.close()
        self.stream = None
        # What was not read yet is lost with it: the broker does not know that it came, and sends it again.
        self.events = queue.Queue()


SOCKETS = [CompressedWebSocket, PlainWebSocket, SecureWebSocket]
ALL = [*SOCKETS, Polling, CrossOriginPolling, ScriptPolling, Events]
