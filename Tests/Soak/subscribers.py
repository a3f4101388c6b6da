"""The well-behaved: each stays from the beginning to the end, and gets every message once and in order."""

import contextlib
import http.client
import json
import queue
import socket
import threading
import time

from broker import PATIENCE
from lines import WAYS, CompressedWebSocket, Events, PlainWebSocket, Polling, ScriptPolling, SecureWebSocket, linger
from stage import Player
from topics import Reader


class Subscriber(Player):
    """Listens to some groups of topics over one transport."""

    def __init__(self, stage, transport, groups, hold=1.0, names=False):
        super().__init__(stage, f"subscriber {type(self).__name__} {transport.__name__} {' '.join(groups)}")
        self.transport = transport
        self.groups = groups
        self.topics = [topic for group in groups for topic in stage.topics[group]]
        self.hold = hold
        # Channels by their names as well as by patterns that take them in: a message comes once all the same.
        self.channels = [f"/{group}/*" for group in groups]
        if names:
            self.channels += [f"/{group}/**" for group in groups] + [topic.name for topic in self.topics]
        self.reader = Reader(self.name)
        self.ready = threading.Event()

    def play(self):
        with self.transport(self.stage.broker) as line:
            self.begin(line)
            self.ready.set()
            while not self.stage.over.is_set():
                self.turn(line)
            self.catch_up(line)
        self.stage.count("deliveries", self.reader.count)
        self.stage.count("repeats", self.reader.repeat_count)

    def begin(self, line):
        line.handshake()
        assert line.connect()["successful"]
        self.reader.subscribe(self.topics, lambda: line.subscribe(*self.channels))

    def turn(self, line):
        self.take(line.poll(self.hold))

    def take(self, messages):
        for message in messages:
            self.reader.take(message)

    def catch_up(self, line):
        """All that was published has to come."""
        deadline = time.monotonic() + PATIENCE
        while lacking := self.reader.lacks(self.stage.marks(*self.groups)):
            assert time.monotonic() < deadline, f"{self.name} has not got {lacking}"
            self.take(line.poll(0.2))


class Returning(Subscriber):
    """Loses its connection again and again, and goes on with its session.

    What is stored comes again if it is not known to have arrived, but nothing of it is missing.
    """

    def turn(self, line):
        super().turn(line)
        if self.chance.random() < 0.1:
            line.lose(self.chance.choice(WAYS))
            self.stage.over.wait(self.chance.choice([0, 0.3, 3]))
            self.come_back(line)
            self.stage.count("resumptions")

    def come_back(self, line):
        line.__enter__()
        self.reader.reconnect()
        # Its answer may come behind messages, which count.
        assert line.connect()["successful"], "the session is gone"
        self.take(line.drain())


class Acknowledging(Returning):
    """The same with CometD's acknowledgements."""

    batch = -1

    def begin(self, line):
        line.handshake(ext={"ack": True})
        acknowledge = line.connect

        def connect(timeout=None, **fields):
            reply = acknowledge(timeout, ext={"ack": self.batch}, **fields)
            assert reply["successful"], reply
            self.batch = reply["ext"]["ack"]
            return reply

        line.connect = connect
        line.connect()
        self.reader.subscribe(self.topics, lambda: line.subscribe(*self.channels))


class Streaming(Subscriber):
    """A bare event stream of channels, which resumes with the last event's id."""

    def __init__(self, stage, group, resumes):
        super().__init__(stage, EventLine, [group])
        self.resumes = resumes

    def play(self):
        line = EventLine(self.stage.broker)
        self.reader.subscribe(self.topics, lambda: line.open(self.channels[0]))
        self.ready.set()
        while not self.stage.over.is_set():
            self.take(line.poll(self.hold))
            if self.resumes and line.last_id and self.chance.random() < 0.1:
                line.lose(self.chance.choice(WAYS))
                self.stage.over.wait(self.chance.choice([0, 0.3, 3]))
                line.open(self.channels[0])
                self.stage.count("resumptions")
        self.catch_up(line)
        line.lose("fin")
        self.stage.count("deliveries", self.reader.count)


class EventLine:
    """What a browser's `EventSource` does, as far as we need it."""

    def __init__(self, broker):
        self._broker = broker
        self.last_id = None

    def open(self, pattern):
        """Returns when the stream has begun."""
        self._http = http.client.HTTPConnection("127.0.0.1", self._broker.port, timeout=PATIENCE)
        fields = {"Accept": "text/event-stream"} | ({"Last-Event-ID": self.last_id} if self.last_id else {})
        self._http.request("GET", f"/channels{pattern}", headers=fields)
        # The response takes it away, for it lasts as long as the connection.
        self._socket = self._http.sock
        response = self._http.getresponse()
        assert response.status == 200, response.read()
        self._events = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=[response], daemon=True)
        self._reader.start()

    def _read(self, response):
        event_id = None
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            for line in response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    event_id = value
                elif name == "data":
                    self._events.put((event_id, json.loads(value)))

    def poll(self, seconds):
        """The messages that come within so many seconds."""
        messages, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self.last_id, message = self._events.get(timeout=left)
                messages.append(message)
        return messages

    def lose(self, way):
        """The connection ends; what came and was not asked for is not known to have come."""
        if way == "rst":
            linger(self._socket)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD if way == "rst" else socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()


def company(stage):
    """All of them."""
    return [
        Subscriber(stage, CompressedWebSocket, ["plain", "kept", "state"]),
        Subscriber(stage, PlainWebSocket, ["plain", "kept", "state"], names=True),
        Subscriber(stage, SecureWebSocket, ["plain", "kept"]),
        Subscriber(stage, Polling, ["plain"]),
        Subscriber(stage, ScriptPolling, ["state"]),
        Subscriber(stage, Events, ["plain", "kept"]),
        Returning(stage, CompressedWebSocket, ["kept"]),
        Returning(stage, Polling, ["kept"]),
        Acknowledging(stage, PlainWebSocket, ["kept"]),
        Acknowledging(stage, Polling, ["kept"]),
        Streaming(stage, "plain", resumes=False),
        Streaming(stage, "kept", resumes=True),
    ]
