"""Hostile servers, and the command line's client that is sent to them."""

import contextlib
import itertools
import os
import pty
import re
import subprocess
import time

from acceptor import Acceptor
from broker import PATIENCE, PROGRAMS
from wire import accept_key

SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
HANDSHAKE_TIMEOUT = 10
"""When the client gives up (s), unless it is told otherwise."""
SLACK = 5
"""What that may be late on a machine that is busy (s)."""


class Server(Acceptor):
    """Accepts connections, and gives each to `talk` with the head of the first request."""

    def __init__(self, talk):
        self._talk = talk
        self.heads = []
        super().__init__(self._serve)

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(65536)
                if not more:
                    return
                head += more
            self.heads.append(head.decode("latin-1"))
            self._talk(connection, head.decode("latin-1"))


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def cli(*arguments, memory=None, **environment):
    """The program to its end, which may take so much memory (MiB): how long it took, and what it said."""
    limit = ["prlimit", f"--data={memory << 20}"] if memory else []
    start = time.monotonic()
    run = subprocess.run(
        [*limit, PROGRAMS / "broker-cli", *map(str, arguments)], capture_output=True, encoding="utf-8",
        timeout=2 * PATIENCE, env={**ENVIRONMENT, **environment},
    )  # fmt: skip
    return time.monotonic() - start, run


def cli_on_a_terminal(*arguments):
    """What the program writes to a terminal, to its end."""
    terminal, output = pty.openpty()
    command = [PROGRAMS / "broker-cli", *map(str, arguments)]
    text = b""
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL, env=ENVIRONMENT
        ):
            os.close(output)
            # Nobody holds the other end any more: that is an error.
            with contextlib.suppress(OSError):
                while more := os.read(terminal, 65536):
                    text += more
    finally:
        os.close(terminal)
    return text.decode()


def publish(port, *arguments, **options):
    """The same with a publication."""
    return cli("--url", f"http://127.0.0.1:{port}/bayeux", "publish", "/a", "1", *arguments, **options)


def accepted(head, *fields):
    """The answer that a handshake wants, with more fields."""
    key = re.search(r"(?im)^sec-websocket-key: *(\S+)", head)[1]
    lines = [f"Sec-WebSocket-Accept: {accept_key(key)}", *fields, "", ""]
    return (SWITCHING + "\r\n".join(lines)).encode()


def drip(connection, drops):
    """Sends the drops for ever, a byte at a time, until the other side has enough of it."""
    for drop in itertools.cycle(drops):
        connection.sendall(bytes([drop]))
        # To be slow is the attack.
        time.sleep(0.05)


def dripping(beginning, drops):
    """Begins in a hurry, and goes on with drops."""

    def talk(connection, _):
        connection.sendall(beginning)
        drip(connection, drops)

    return talk


def peer_frame(first, payload=b"", length=None):
    """A frame as a server sends it; `length` is what it says of its length."""
    length = len(payload) if length is None else length
    if length < 126:
        return bytes([first, length]) + payload
    if length < 65536:
        return bytes([first, 126]) + length.to_bytes(2, "big") + payload
    return bytes([first, 127]) + length.to_bytes(8, "big") + payload
