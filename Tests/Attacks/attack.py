"""An attacker who goes on for a while: over connections that stall, that are flooded, or that are used once."""

import contextlib
import dataclasses
import itertools
import selectors
import time

from wire import Wire

CROWD = 500
"""How many connections stall at the same time."""
FEW = 20
"""How many at the same time are used for something else, if one does not do."""
PACE = 0.1
"""How often those that were ended begin anew (s)."""
BATCH = 5
"""How many at once then: about as often as the broker allows one address."""


@dataclasses.dataclass(eq=False)
class Flow:
    """A connection, what is still to be sent over it, and what then comes again."""

    wire: Wire
    rest: memoryview
    again: bytes

    def turn(self, ready):
        """Take and send what can be now; whether the connection goes on."""
        try:
            if ready & selectors.EVENT_READ and not self.wire.socket.recv(1 << 16):
                return False
            if ready & selectors.EVENT_WRITE:
                # A part of a frame would not be a frame: the rest of it comes next.
                self.rest = self.rest[self.wire.socket.send(self.rest) :] or memoryview(self.again)
            return True
        except OSError:
            return False


@dataclasses.dataclass
class Attack:
    """Who attacks, from which addresses, and until when; the broker is at `port`, with TLS at `tls_port`."""

    port: int
    tls_port: int
    broker: int
    addresses: int
    end: float

    def __post_init__(self):
        self._addresses = itertools.cycle(f"127.0.2.{number + 1}" for number in range(self.addresses))

    @property
    def goes_on(self):
        """Whether its time is not up."""
        return time.monotonic() < self.end

    def wire(self, data=b"", port=None, **options):
        """A connection from one of the addresses, over which this was sent."""
        wire = Wire(port or self.port, address=next(self._addresses), **options)
        wire.socket.settimeout(5)
        wire.send(data)
        return wire

    def websocket(self, data=b"", *fields, **options):
        """A WebSocket, over which this was sent."""
        wire = self.wire(**options).upgrade(*fields)
        wire.send(data)
        return wire

    def stall(self, begin, drip=b""):
        """A crowd of connections, to each of which a byte is added now and then; these in the end."""
        return self._keep(CROWD, lambda: (begin(), b""), drip=drip)

    def once(self, begin, pieces):
        """A few connections, over each of which the next one of these pieces is sent."""
        pieces = itertools.cycle(pieces)
        self._keep(FEW, lambda: (begin(), next(pieces)))

    def pour(self, begin, count=1, takes=True):
        """So many connections, over which what comes with each is sent again and again; answers are taken, or not."""
        self._keep(count, begin, repeats=True, takes=takes)

    def _keep(self, count, begin, repeats=False, takes=True, drip=b""):
        """Keep so many connections as long as the attack goes on: one that the broker has ended begins anew."""
        flows = set()
        with selectors.DefaultSelector() as selector:
            while self.goes_on:
                for _ in range(min(count - len(flows), BATCH) if flows else count):
                    if not self.goes_on:
                        break
                    with contextlib.suppress(AssertionError, OSError):
                        wire, data = begin()
                        flow = Flow(wire, memoryview(data), data if repeats else b"")
                        events = (selectors.EVENT_READ if takes else 0) | (selectors.EVENT_WRITE if data else 0)
                        selector.register(wire.socket, events, flow)
                        flows.add(flow)
                for flow in flows if drip else ():
                    with contextlib.suppress(OSError):
                        flow.wire.send(drip)
                deadline = time.monotonic() + PACE
                while (left := deadline - time.monotonic()) > 0:
                    for key, ready in selector.select(left):
                        if not key.data.turn(ready):
                            selector.unregister(key.fileobj)
                            key.fileobj.close()
                            flows.discard(key.data)
                        elif not key.data.rest and takes:
                            selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
        return flows
