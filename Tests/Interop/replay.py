"""Drivers without I/O as processes that answer line by line: ours (`driver-replay -`) and Ruby's (driver_peer.rb)."""

import pathlib
import random
import subprocess

from broker import PROGRAMS

HERE = pathlib.Path(__file__).parent


class Driver:
    """One driver; `begin` makes it anew. What it wrote gathers in `output`, what it told in `events`."""

    def __init__(self, command):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.output = b""
        self.events = []

    @classmethod
    def ours(cls):
        return cls([PROGRAMS / "driver-replay", "-"])

    @classmethod
    def ruby(cls):
        return cls(["ruby", HERE / "driver_peer.rb"])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def line(self, line):
        """Send a line; read what came of it."""
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        while result := self._process.stdout.readline().rstrip(b"\n"):
            kind, _, value = result.partition(b" ")
            if kind == b">":
                self.output += bytes.fromhex(value.decode())
            else:
                self.events.append(value.decode())
        assert self._process.poll() is None, f"the driver ended after {line[:200]}"

    def begin(self, role, *options):
        self.output = b""
        self.events = []
        self.line(f"role {role}")
        for option in options:
            self.line(f"option {option}")

    def receive(self, data):
        self.line("< " + data.hex())

    def call(self, call):
        self.line("! " + call)

    def take_output(self):
        output, self.output = self.output, b""
        return output

    def take_events(self, *kinds):
        """The events so far, or those of certain kinds, which stay in order."""
        events, self.events = self.events, []
        return [event for event in events if not kinds or event.split()[0] in kinds]


def quoted(text):
    escapes = {'"': '\\"', "\\": "\\\\", "\r": "\\r", "\n": "\\n"}
    return '"' + "".join(
        escapes.get(c) or (f"\\x{ord(c):02x}" if ord(c) < 0x20 or ord(c) == 0x7F else c) for c in text
    ) + '"'


def carry(sender, receiver, rng):
    """Bring what one has written to the other, in pieces; whether there was anything."""
    data = sender.take_output()
    position = 0
    while position < len(data):
        size = rng.choice([1, 2, 7, 100, len(data)])
        receiver.receive(data[position : position + size])
        position += size
    return bool(data)


def exchange(left, right, rng):
    """Carry in both directions until nobody has anything left to say."""
    while carry(left, right, rng) | carry(right, left, rng):
        pass


LENGTHS = [0, 1, 2, 124, 125, 126, 127, 1000, 65535, 65536]
LETTERS = ["a", " ", '"', "\\", "\n", "\x7f", "é", "€", "😀"]


def random_text(rng):
    length = rng.choice(LENGTHS if rng.random() < 0.3 else LENGTHS[:8])
    if length > 1000:
        return rng.choice("ab") * length
    return "".join(rng.choice(LETTERS) for _ in range(length))


def random_bytes(rng):
    return rng.randbytes(rng.choice(LENGTHS[:8]))


def generator(*seed):
    return random.Random(" ".join(map(str, seed)))
