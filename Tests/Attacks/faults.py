"""What `load.py` plays: one way each to take the broker's time, memory or descriptors, and how the broker counts it.

    faults.py NAME PORT TLS-PORT PID ADDRESSES END      plays one, until END by the clock that only goes forward
"""

import contextlib
import dataclasses
import itertools
import os
import resource
import ssl
import sys
import time
from collections.abc import Callable

from attack import Attack
from wire import HANDSHAKE, UPGRADE, batch, deflated, frame, request

DEADLINES = "timeouts: {handshake: 3s, request: 3s, message: 3s, write: 3s, close: 2s, pong: 5s}\n"
"""So short that what stalls is ended within a turn, and begins anew."""
READERS = 6
"""How many take nothing: what they ask for has to fill buffers first, of the time that the broker gives one address."""
SLEEPERS, SLEEP = 50, 7
"""How many take no messages, and for how long (s): until so much waits that they are cut for it."""
MIB = 1 << 20


@dataclasses.dataclass
class Fault:
    """A fault, the counters of /metrics that grow while it is played, and how long it takes until they do (s)."""

    play: Callable[[Attack], object]
    counters: tuple[str, ...]
    lead: int

    def counted(self, broker):
        """What the broker has counted of it."""
        wanted = [counter.split(" ") for counter in self.counters]
        return sum(
            value
            for sample, value in broker.samples().items()
            if any(all(part in sample for part in parts) for parts in wanted)
        )


FAULTS = {}
"""By name, in the order in which they are played."""


def fault(*counters, lead=0):
    """Enters a function into the table. A counter is a name and, perhaps, one of its labels."""

    def enter(play):
        FAULTS[play.__name__] = Fault(play, counters, lead)
        return play

    return enter


def closed(reason):
    return f'fanfare_connections_closed_total reason="{reason}"'


def rejected(reason):
    return f'fanfare_connections_rejected_total reason="{reason}"'


def limited(limit):
    return f'fanfare_rate_limited_total limit="{limit}"'


def answered(code):
    return f'fanfare_http_requests_total code="{code}"'


@fault(rejected("handshake"), closed("timeout"))
def slowloris(attack):
    attack.stall(lambda: attack.wire("GET / HTTP/1.1\r\nX: "), drip="x")


@fault(rejected("handshake"), closed("timeout"))
def tls_handshakes_that_stall(attack):
    """Before the hello, within it, and behind it, when the broker has signed its answer."""
    outgoing = ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    hello = outgoing.read()
    beginnings = itertools.cycle([b"", hello[:100], hello])
    attack.stall(lambda: attack.wire(next(beginnings), attack.tls_port))


@fault(rejected("handshake"), closed("timeout"))
def handshakes_that_stall(attack):
    attack.stall(lambda: attack.wire(UPGRADE))


@fault(answered(408))
def bodies_that_stall(attack):
    attack.stall(lambda: attack.wire(request("POST", "/channels/stalled", "Content-Length: 1000") + "1"))


@fault(closed("timeout"))
def messages_that_drip(attack):
    attack.stall(lambda: attack.websocket(frame(1, length=1 << 19)), drip=" ")


@fault(closed("violation"))
def closing_handshakes_that_do_not_end(attack):
    """A frame that the broker does not take, and no answer to its closing frame."""
    attack.stall(lambda: attack.websocket(frame(2, b"binary")))


@fault(closed("pong"), lead=28)
def pongs_that_do_not_come(attack):
    attack.stall(attack.websocket)


@fault(closed("slow"), limited("work"))
def answers_that_are_not_taken(attack):
    requests = request("GET", "/fanfare.js").encode() * 500
    attack.pour(lambda: (attack.wire(window=4096), requests), READERS, takes=False)


@fault(closed("slow"), limited("work"))
def pongs_that_are_not_taken(attack):
    pings = frame(9, b"x" * 125) * 5000
    attack.pour(lambda: (attack.websocket(window=4096), pings), READERS, takes=False)


@fault(closed("slow"), lead=5)
def messages_that_are_not_taken(attack):
    """Small ones, as many as there may be, for some who are cut at the same time."""
    message = {"channel": "/untaken", "data": "x" * 450}
    while attack.goes_on:
        with contextlib.suppress(AssertionError, OSError), contextlib.ExitStack() as stack:
            for _ in range(SLEEPERS):
                stack.enter_context(attack.websocket(window=4096)).listen(message["channel"])
            publisher = stack.enter_context(attack.websocket())
            # The first megabytes for each are with the system, and who takes nothing does not notice the end.
            end = min(time.monotonic() + SLEEP, attack.end)
            with contextlib.suppress(AssertionError):
                while time.monotonic() < end:
                    publisher.call(**message)
            # The rate is used up.
            time.sleep(max(end - time.monotonic(), 0))


@fault(answered(400))
def ambiguous_requests(attack):
    """Each with another one behind it, which one reader would see and another would not."""
    inner = request("POST", "/channels/smuggled", body="1")
    fields = [
        ["Content-Length: 1", "Transfer-Encoding: chunked"], ["Content-Length: 1", f"Content-Length: {len(inner)}"],
        ["Content-Length: +1"], ["Transfer-Encoding: cow"], ["Content-Length : 1"], ["X: a\r\n b"],
    ]  # fmt: skip
    attack.once(attack.wire, [(request("POST", "/channels/outer", *some) + inner).encode() for some in fields])


@fault(rejected("handshake"), answered(431))
def head_bombs(attack):
    heads = [
        "GET / HTTP/1.1\r\n" + "X: y\r\n" * 10_000, "GET / HTTP/1.1\r\nX: " + "y" * 60_000,
        UPGRADE + "Sec-WebSocket-Extensions: a" + ", a; b; c" * 7000,
    ]  # fmt: skip
    attack.once(attack.wire, [head.encode() for head in heads])


@fault(closed("violation"))
def frame_bombs(attack):
    """Lengths that nobody can keep, and a message of a byte in each of a million fragments."""
    fragments = frame(1, b" ", final=False) + frame(0, b" ", final=False) * MIB
    lengths = [frame(2, b"x", length=length) for length in (1 << 63, 1 << 62, 1 << 32, MIB + 1)]
    attack.once(attack.websocket, [*lengths, fragments])


@fault("fanfare_ignored_texts_total")
def json_bombs(attack):
    """Deep, wide, and wrong at their very end: as long as a text may be."""
    texts = ["[" * MIB, "[" + "0," * (MIB // 2 - 2) + "]", '[{"channel":"/a","data":' + "9" * (MIB - 100) + "x}]"]
    bombs = b"".join(frame(1, text.encode()) for text in texts)
    attack.pour(lambda: (attack.websocket(), bombs))


@fault(limited("work"))
def compressed_bombs(attack):
    """Each a megabyte in a kilobyte, which is allowed."""
    bombs = frame(1, deflated(b" " * (MIB - 2)), bits=0x40) * 20
    attack.pour(lambda: (attack.websocket(b"", "Sec-WebSocket-Extensions: permessage-deflate"), bombs))


@fault("fanfare_ignored_texts_total")
def batch_bombs(attack):
    """Of as many messages as a text can hold, and of as many as a batch may."""
    bombs = frame(1, b"[" + b"{}," * (MIB // 3 - 2) + b"{}]") + batch(*[{"channel": "/meta/connect"}] * 1024)
    attack.pour(lambda: (attack.websocket(), bombs))


@fault(rejected("rate"))
def connects(attack):
    while attack.goes_on:
        with contextlib.suppress(OSError):
            for wire in [attack.wire() for _ in range(100)]:
                wire.socket.close()


@fault(limited("handshakes"), limited("work"))
def sessions(attack):
    attack.pour(lambda: (attack.websocket(), batch(*[HANDSHAKE] * 100)))


def in_session(attack, messages):
    """A WebSocket with a session of its own, and a batch of these messages for it."""
    wire = attack.websocket()
    client = wire.shake_hands()
    return wire, batch(*({**message, "clientId": client} for message in messages))


@fault(limited("subscribe"))
def subscriptions(attack):
    messages = [
        {"channel": f"/meta/{verb}", "subscription": f"/churn/{number}/**"}
        for number in range(50)
        for verb in ("subscribe", "unsubscribe")
    ]
    attack.pour(lambda: in_session(attack, messages))


@fault(limited("work"))
def connects_of_a_session(attack):
    """Each takes the place of the one that is held."""
    messages = [{"channel": "/meta/connect", "connectionType": "websocket"}] * 100
    attack.pour(lambda: in_session(attack, messages))


@fault(limited("publish"))
def publications(attack):
    attack.pour(lambda: (attack.websocket(), batch(*[{"channel": "/flood", "data": 1}] * 50)))


@fault('fanfare_connections_opened_total transport="websocket"')
def no_descriptors(attack):
    """The broker may open a few more than it has, and WebSockets take all of them."""

    def opened():
        return len(os.listdir(f"/proc/{attack.broker}/fd"))

    soft, hard = resource.prlimit(attack.broker, resource.RLIMIT_NOFILE)
    limit = opened() + 50
    resource.prlimit(attack.broker, resource.RLIMIT_NOFILE, (limit, hard))
    try:
        wires = attack.stall(lambda: attack.wire(UPGRADE + "\r\n"))
        assert len(wires) > 50 and limit - 5 <= opened() <= limit, "there are descriptors left"
    finally:
        resource.prlimit(attack.broker, resource.RLIMIT_NOFILE, (soft, hard))


def main():
    # Only in the time that the well-behaved, and whoever measures them, leave.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    name, *numbers, end = sys.argv[1:]
    FAULTS[name].play(Attack(*map(int, numbers), end=float(end)))


if __name__ == "__main__":
    main()
