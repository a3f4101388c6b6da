"""Those who come and go: guests, and others who stay for one thing."""

import collections
import contextlib
import itertools
import json

import lines
from guests import Expiring, Guest
from publishers import PlainHTTP, administrator
from rude import ATTACKS
from stage import Player
from subscribers import EventLine
from topics import Reader
from wire import Wire, batch, frame, request


class Listener(Player):
    """A bare event stream, for a moment."""

    def __init__(self, stage, number):
        super().__init__(stage, f"listener {number}")
        self.reader = Reader(self.name)

    def play(self):
        line = EventLine(self.stage.broker)
        group = self.chance.choice(list(self.stage.topics))
        self.reader.subscribe(self.stage.topics[group], lambda: line.open(f"/{group}/*"))
        for message in line.poll(self.chance.uniform(0, 8)):
            self.reader.take(message)
        line.lose(self.chance.choice(lines.WAYS))
        self.stage.count("visits")
        self.stage.count("deliveries", self.reader.count)


class Sleeper(Player):
    """A session that does not even answer pings after a while, though its connection is open: the broker ends it."""

    def __init__(self, stage, number):
        super().__init__(stage, f"sleeper {number}")

    def play(self):
        with Wire(self.stage.broker.port, window=4096) as wire:
            wire.upgrade().listen(self.chance.choice(["/plain/*", "/kept/*", "/state/*"]))
            wire.read_to_end()
        self.stage.count("sleepers")


class Staller(Player):
    """Asks for more than it takes, and leaves, or takes the rest late: in order, and with what is missing told."""

    def __init__(self, stage, number):
        super().__init__(stage, f"staller {number}")
        self.number = number

    def play(self):
        policy = self.chance.choice(["queue", "latest", "disconnect"])
        channel = f"/slow/{policy}/{self.number}"
        with Wire(self.stage.broker.port, window=4096) as wire, PlainHTTP(self.stage.broker) as http:
            wire.upgrade().listen(channel)
            for number in range(1, 61):
                http.post(channel, {"n": number, "fill": "z" * 20000})
            if policy != "disconnect" and self.chance.random() < 0.6:
                self.read_late(wire, channel, is_queue=policy == "queue")
            elif self.chance.random() < 0.5:
                lines.linger(wire.socket)
        self.stage.count("stallers")

    def read_late(self, wire, channel, is_queue):
        last = 0
        while last < 60:
            opcode, payload = wire.frame()
            if opcode == 9:
                wire.send(frame(10, payload))
            if opcode != 1:
                assert opcode == 9, (opcode, payload[:100])
                continue
            for message in json.loads(payload):
                if message["channel"] != channel:
                    continue
                if gap := message.get("ext", {}).get("gap"):
                    last += gap["count"] if is_queue else 0
                elif "data" in message:
                    number = message["data"]["n"]
                    assert number == last + 1 if is_queue else number > last, (self.name, channel, last, number)
                    last = number


class Passer(Player):
    """Asks for this and that over plain HTTP."""

    def __init__(self, stage, number):
        super().__init__(stage, f"passer {number}")
        self.number = number

    def play(self):
        topic = self.chance.choice(self.stage.topics["kept"])
        asked = [
            ("GET", f"/channels{topic.name}?since=0&limit=20", 200), ("GET", f"/channels{topic.name}?limit=5", 200),
            ("HEAD", "/channels/state/http", 200), ("GET", "/channels/state/http", 200), ("GET", "/fanfare.js", 200),
            ("GET", "/health/ready", 200), ("GET", "/admin/sessions?count=10", 200), ("GET", "/admin/stats", 200),
            ("GET", "/admin/channels?pattern=/visit/**", 200), ("GET", "/admin/sessions/why", 200),
            ("GET", "/nothing", 404), ("POST", "/tickets", 201),
        ]  # fmt: skip
        acknowledged = topic.acknowledged
        with PlainHTTP(self.stage.broker) as http:
            for method, path, wanted in self.chance.sample(asked, 5):
                status, text = http.exchange(method, path, headers=administrator())
                # Nothing may be retained there yet.
                assert status == wanted or "/state/" in path and status == 404, (method, path, status, text)
                if "since" in path:
                    # The first one may tell what is not kept any more.
                    numbers = [message["data"]["n"] for message in json.loads(text) if "data" in message]
                    assert numbers or not acknowledged, topic.name
                    assert all(after == before + 1 for before, after in itertools.pairwise(numbers)), numbers
            # Retained, and cleared again.
            http.post(f"/passing/{self.number}", {"n": 1}, query="?retain=true")
            http.post(f"/passing/{self.number}", None, query="?retain=true")
        self.stage.count("passers")


class Rude(Player):
    """Breaks a rule of some protocol."""

    def __init__(self, stage, number):
        super().__init__(stage, f"rude {number}")

    def play(self):
        attack = self.chance.choice(ATTACKS)
        try:
            with Wire(self.stage.broker.port) as wire:
                attack(wire, self.chance)
                if self.chance.random() < 0.3:
                    lines.linger(wire.socket)
        except ConnectionError:
            pass  # the broker may hang up before all is said
        self.stage.count("rude")


class Rush(Player):
    """Many at once, so that all event loops are at work at the same time: what they do not share well shows then."""

    SIZE, COUNT = 6, 30

    def __init__(self, stage, number):
        super().__init__(stage, f"rush {number}")
        self.number = number

    def play(self):
        with contextlib.ExitStack() as stack:
            wires = []
            for _ in range(self.SIZE):
                wires.append(stack.enter_context(Wire(self.stage.broker.port)))
                wires[-1].upgrade().listen(f"/rush/{self.number}/*")
            asking = stack.enter_context(Wire(self.stage.broker.port))
            asking.send((request("GET", "/health/live") + request("POST", "/channels/passing/rush", body="1")) * 10)
            for sender, wire in enumerate(wires):
                message = {"channel": f"/rush/{self.number}/{sender}"}
                wire.send(b"".join(batch({**message, "data": n}) for n in range(self.COUNT)))
            for wire in wires:
                self.take_all(wire)
            assert [asking.answer()[0] for _ in range(20)] == [200] * 20
        self.stage.count("rushes")

    def take_all(self, wire):
        """Each sender's publications come once, and in order."""
        received = collections.defaultdict(list)
        while sum(map(len, received.values())) < self.SIZE * self.COUNT:
            opcode, payload = wire.frame()
            for message in json.loads(payload) if opcode == 1 else []:
                if "data" in message:
                    received[message["channel"]].append(message["data"])
        assert all(numbers == list(range(self.COUNT)) for numbers in received.values()), (self.name, received)


KINDS = {Guest: 50, Expiring: 4, Listener: 12, Sleeper: 4, Staller: 5, Passer: 10, Rude: 15, Rush: 4}


def prologue(stage):
    """One of each, so that whatever the broker makes at the first need is there."""
    return [kind(stage, f"first-{number}") for kind in KINDS for number in range(3)]
