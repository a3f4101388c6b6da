"""Every way to speak Bayeux to the broker, behind one face: send a batch and get its replies, then take messages."""

import contextlib
import http.client
import itertools
import json
import queue
import socket
import threading
import urllib.parse

from websockets.sync.client import connect

from broker import PATIENCE

# The broker of the tests listens on loopback, where origins of loopback are let in.
ORIGIN = "http://localhost:1"


def is_reply(message):
    """Whether it answers something: with success, or else an error. What takes a subscription away has both."""
    if not isinstance(message, dict) or "successful" not in message:
        return False
    return message["successful"] != ("error" in message)


class Transport:
    """What the transports have in common. `send` is theirs: it returns all that came back for a batch."""

    name = None
    # Whether messages come by themselves, not only with the answer to a connect.
    pushes = False

    def __init__(self, broker):
        self.broker = broker
        # What it is called; where it is, is on this machine.
        self.host = urllib.parse.urlsplit(broker.url()).netloc
        self.client_id = None
        self.inbox = []
        self._ids = map(str, itertools.count(1))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.leave()
        self.close()

    def close(self):
        raise NotImplementedError

    def leave(self):
        """End the session, if there is one: what is left behind counts as a subscriber for other tests."""
        if self.client_id:
            with contextlib.suppress(Exception):
                self.send([{"channel": "/meta/disconnect", "clientId": self.client_id}])

    def send(self, messages):
        raise NotImplementedError

    def ask(self, *messages):
        """Send a batch; the replies to its messages. What was delivered besides waits in the inbox."""
        replies = []
        for message in self.send(list(messages)):
            (replies if is_reply(message) else self.inbox).append(message)
        return replies

    def request(self, channel, **fields):
        """Send one message with an id; its reply."""
        message = {"channel": channel, "id": next(self._ids), **fields}
        if self.client_id and "clientId" not in fields:
            message["clientId"] = self.client_id
        (reply,) = self.ask(message)
        return reply

    def handshake(self, **fields):
        reply = self.request("/meta/handshake", version="1.0", supportedConnectionTypes=[self.name], **fields)
        assert reply["successful"], reply
        self.client_id = reply["clientId"]
        return reply

    def connect(self, timeout=None, **fields):
        advice = {} if timeout is None else {"advice": {"timeout": timeout}}
        return self.request("/meta/connect", connectionType=self.name, **advice, **fields)

    def subscribe(self, *patterns, **fields):
        reply = self.request("/meta/subscribe", subscription=list(patterns), **fields)
        assert reply["successful"], reply
        return reply

    def listen(self, *patterns):
        self.handshake()
        assert self.connect()["successful"]
        self.subscribe(*patterns)
        return self

    def take(self, count):
        """The next messages; a transport that polls asks for them."""
        while len(self.inbox) < count:
            assert self.connect(timeout=2000)["successful"]
        taken, self.inbox = self.inbox[:count], self.inbox[count:]
        return taken


class HTTPTransport(Transport):
    def __init__(self, broker):
        super().__init__(broker)
        self.http = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=PATIENCE)

    def close(self):
        self.http.close()

    def exchange(self, method, path, body=None, headers=()):
        """One request; its response, read whole, with the body in `text`."""
        self.http.request(method, path, body=body, headers={"Host": self.host, **dict(headers)})
        response = self.http.getresponse()
        response.text = response.read().decode()
        return response


class LongPolling(HTTPTransport):
    name = "long-polling"

    def send(self, messages):
        response = self.exchange("POST", "/bayeux", json.dumps(messages), {"Content-Type": "application/json"})
        assert response.status == 200, response.text
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        return json.loads(response.text)


class CrossOriginLongPolling(HTTPTransport):
    name = "cross-origin-long-polling"

    def send(self, messages):
        body = "message=" + urllib.parse.quote(json.dumps(messages))
        response = self.exchange("POST", "/bayeux", body, {"Content-Type": "text/plain", "Origin": ORIGIN})
        assert response.status == 200, response.text
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        return json.loads(response.text)


class CallbackPolling(HTTPTransport):
    name = "callback-polling"

    def send(self, messages):
        query = urllib.parse.urlencode({"message": json.dumps(messages), "jsonp": "Page.answer"})
        # A page of the broker's own host: who does not say where it comes from is refused.
        response = self.exchange("GET", "/bayeux?" + query, headers={"Referer": f"http://{self.host}/"})
        assert response.status == 200, response.text
        assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert response.text.startswith("/**/Page.answer(") and response.text.endswith(");"), response.text
        return json.loads(response.text.removeprefix("/**/Page.answer(").removesuffix(");"))


class WebSocket(Transport):
    name = "websocket"
    pushes = True

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        url = self.broker.url("/bayeux", "ws")
        way = socket.create_connection(("127.0.0.1", self.broker.port), PATIENCE)
        options = {"sock": way, "max_size": None, "open_timeout": PATIENCE, "proxy": None}
        self.socket = self._stack.enter_context(connect(url, **options))
        return self

    def close(self):
        self._stack.close()

    def receive(self):
        messages = json.loads(self.socket.recv(PATIENCE))
        assert isinstance(messages, list)
        return messages

    def send(self, messages):
        self.socket.send(json.dumps(messages))
        received = []
        if not messages:
            return self.receive()
        while sum(1 for message in received if is_reply(message)) < len(messages):
            received += self.receive()
        return received

    def take(self, count):
        while len(self.inbox) < count:
            self.inbox += self.receive()
        taken, self.inbox = self.inbox[:count], self.inbox[count:]
        return taken


class EventSource(LongPolling):
    """Posts what it says; hears over an event stream, once it has a session."""

    name = "eventsource"
    pushes = True

    def __init__(self, broker):
        super().__init__(broker)
        self.stream = None
        self.events = queue.Queue()

    def close(self):
        super().close()
        if self.stream:
            # Not `close`: that would wait for the thread that reads. The broker may have ended it already.
            with contextlib.suppress(OSError):
                self.stream.sock.shutdown(socket.SHUT_RDWR)
            self.reader.join()
            self.stream.close()

    def connect(self, timeout=None, **fields):
        if self.client_id and not self.stream:
            self.open()
        return super().connect(timeout, **fields)

    def open(self):
        self.stream = http.client.HTTPConnection("127.0.0.1", self.broker.port, timeout=PATIENCE)
        headers = {"Host": self.host, "Accept": "text/event-stream"}
        self.stream.request("GET", f"/bayeux/{self.client_id}", headers=headers)
        sock = self.stream.sock
        response = self.stream.getresponse()
        self.stream.sock = sock
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        self.reader = threading.Thread(target=self._read, args=[response])
        self.reader.start()

    def _read(self, response):
        with contextlib.suppress(OSError, ValueError):
            for line in response:
                if line.startswith(b"data: "):
                    for message in json.loads(line[len("data: ") :]):
                        self.events.put(message)

    def take(self, count):
        while len(self.inbox) < count:
            self.inbox.append(self.events.get(timeout=PATIENCE))
        taken, self.inbox = self.inbox[:count], self.inbox[count:]
        return taken


ALL = [WebSocket, LongPolling, CrossOriginLongPolling, CallbackPolling, EventSource]
