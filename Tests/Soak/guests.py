"""Guests: they subscribe, publish, unsubscribe, come back, and leave in every way there is."""

import contextlib
import time

from websockets.exceptions import ConnectionClosed

import lines
from broker import PATIENCE
from publishers import PlainHTTP, administrator
from stage import Player
from tokens import token
from topics import Reader, Topic, marks

ENDS = ["goodbye", "goodbye", "close", "fin", "rst", "kicked"]
GRACE = 3
"""How long the broker waits for a new token."""


class Guest(Player):
    """A session over any transport, with subscriptions and channels of its own."""

    def __init__(self, stage, number):
        super().__init__(stage, f"guest {number}")
        self.number = number
        self.reader = Reader(self.name)
        self.own = []
        # What it is subscribed to, by what it has subscribed with.
        self.subscriptions = {}

    def play(self):
        transport = self.chance.choice(lines.ALL)
        with transport(self.stage.broker) as line:
            has_token = self.chance.random() < 0.3
            # Good for as long as the guest may stay.
            ext = {"ext": {"token": token(self.name, seconds=PATIENCE * 10)}} if has_token else {}
            line.handshake(**ext)
            assert line.connect()["successful"]
            ways = [self.to_plain, self.to_kept, self.to_state, self.to_own]
            for subscribe in self.chance.sample(ways, self.chance.randint(1, 3)):
                subscribe(line)
            self.stay(line)
            if self.chance.random() < 0.5:
                self.unsubscribe(line)
            if self.chance.random() < 0.3:
                self.return_from_nowhere(line)
            self.see_all(line)
            self.end(line, self.chance.choice(ENDS))
        self.stage.count("visits")
        self.stage.count("deliveries", self.reader.count)

    def subscribe(self, line, topics, *channels, **fields):
        self.reader.subscribe(topics, lambda: line.subscribe(*channels, **fields), replay="ext" in fields)
        self.subscriptions[channels] = topics

    def to_plain(self, line):
        self.subscribe(line, self.stage.topics["plain"], self.chance.choice(["/plain/*", "/plain/**"]))

    def to_kept(self, line):
        topic = self.chance.choice(self.stage.topics["kept"])
        fields = self.chance.choice([{}, {"ext": {"replay": {topic.name: -2}}}])
        self.subscribe(line, [topic], topic.name, **fields)

    def to_state(self, line):
        topics = self.chance.sample(self.stage.topics["state"], self.chance.randint(1, 3))
        self.subscribe(line, topics, *(topic.name for topic in topics))

    def to_own(self, line):
        """Channels that nobody else has: with nothing kept, retained for a while, with a history."""
        names = [f"/visit/{self.number}/live", f"/visit/{self.number}/brief", f"/lodging/{self.number}"]
        self.own = [Topic(name) for name in names]
        self.subscribe(line, self.own, f"/visit/{self.number}/**", self.own[-1].name)

    def stay(self, line):
        end = time.monotonic() + self.chance.uniform(0, 12)
        while time.monotonic() < end and not self.stage.over.is_set():
            for topic in self.own:
                if self.chance.random() < 0.4:
                    data = topic.next("y" * self.chance.choice([0, 300]))
                    ext = {"ext": {"retain": True, "ttl": 5}} if topic.name.endswith("brief") else {}
                    reply = line.request(topic.name, data=data, **ext)
                    assert reply["successful"], reply
                    topic.acknowledge()
                    self.stage.count("publications")
            self.take(line.poll(self.chance.uniform(0.2, 2)))

    def take(self, messages):
        for message in messages:
            self.reader.take(message)

    def unsubscribe(self, line):
        channels = self.chance.choice(list(self.subscriptions))
        # Told as late as its connection: what came before is looked at first.
        self.take(line.drain())
        assert line.request("/meta/unsubscribe", subscription=list(channels))["successful"]
        self.reader.forget(self.subscriptions.pop(channels))

    def return_from_nowhere(self, line):
        """Its connection is lost, and it comes back. What is not kept may be missing then."""
        self.take(line.drain())
        for channels, topics in list(self.subscriptions.items()):
            if not all(topic.history for topic in topics):
                self.reader.forget(self.subscriptions.pop(channels))
        line.lose(self.chance.choice(lines.WAYS))
        # How long somebody is away is a part of what they do.
        time.sleep(self.chance.uniform(0, 2))
        line.__enter__()
        self.reader.reconnect()
        assert (reply := line.connect())["successful"], reply
        self.take(line.drain())
        self.stage.count("resumptions")

    def see_all(self, line):
        """What was published so far has to come."""
        due = marks(topic for topics in self.subscriptions.values() for topic in topics)
        deadline = time.monotonic() + PATIENCE
        while lacking := self.reader.lacks(due):
            assert time.monotonic() < deadline, f"{self.name} has not got {lacking}"
            self.take(line.poll(0.3))

    def end(self, line, way):
        if way == "goodbye":
            assert line.request("/meta/disconnect")["successful"]
        elif way == "kicked":
            with PlainHTTP(self.stage.broker) as http:
                path = f"/admin/sessions/{line.client_id[:8]}"
                status, text = http.exchange("DELETE", path, headers=administrator())
                assert status == 200, (status, text)
            # A WebSocket is closed, too.
            with contextlib.suppress(ConnectionClosed):
                reply = line.connect()
                assert not reply["successful"], reply
        elif way != "close":
            line.lose(way)
        line.client_id = None


class Expiring(Guest):
    """Its token ends while it is there; it brings another one, or is told to begin anew."""

    def play(self):
        with lines.PlainWebSocket(self.stage.broker) as line:
            line.handshake(ext={"token": token(self.name, seconds=5)})
            assert line.connect()["successful"]
            self.to_kept(line)
            deadline = time.monotonic() + PATIENCE
            while (reply := line.connect(timeout=500))["successful"]:
                assert time.monotonic() < deadline, "the token does not end"
            assert reply["error"].startswith("401:"), reply
            self.take(line.drain())
            if self.chance.random() < 0.5:
                reply = line.connect(ext={"token": token(self.name, seconds=PATIENCE * 10)})
                # On a machine that is busy the grace may be over.
                if reply["successful"]:
                    self.see_all(line)
                    self.stage.count("new tokens")
                self.end(line, "close")
            else:
                self.end(line, "rst")
        self.stage.count("visits")
