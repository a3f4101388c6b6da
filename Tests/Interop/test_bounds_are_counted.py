"""The bounds of docs/limits.md over real sockets: what who goes beyond one is told, and that it is counted.

Linux lets a client connect from any address of 127.0.0.0/8, so each row is somebody whom the broker has not seen yet.
Only 127.0.0.1, from where the metrics are asked for, is a proxy's, and has no limits.
"""

import contextlib
import itertools
import json
import re
from typing import Callable, NamedTuple

import pytest

from broker import REPOSITORY, serving
from others import free_port
from tokens import SECRET, token
from wire import HANDSHAKE, Wire, batch, frame, request

COMMON = """\
metrics: all
trusted-proxies: [127.0.0.1]
auth:
  keys: [{secret}]
  publish: everyone
"""
ORDINARY = COMMON + """\
listeners:
  - name: relayed
    listen: 127.0.0.1:{relay}
    proxy-protocol: true
limits:
  message-bytes: 64KiB
  proxy-header-bytes: 256
  messages-per-batch: 32
  json-depth: 8
  channel-bytes: 64
  subscriptions-per-session: 8
  queued-messages: 4
  tickets-per-subject: 1
rates:
  loopback: true
  connections-per-address: 1/h burst 8
  requests-per-address: 1/h burst 16
  handshakes-per-address: 1/h burst 4
  publish-per-session: 1/h burst 8
  bytes-per-session: 1KiB/h burst 1KiB
  subscribe-per-session: 1/h burst 12
  publish-per-credential: 1/h burst 4
channels:
  /slow: {{rate: 1/h}}
  /small: {{message-bytes: 8}}
"""
# What is too little for the others.
SCARCE = COMMON + """\
limits:
  connections-per-address: 4
  sessions: 1
  tickets: 1
rates:
  loopback: true
"""
SHARED = COMMON + """\
limits:
  sessions-per-address: 2
  subscriptions-per-address: 3
  subscriptions: 6
rates:
  loopback: true
"""
HEALTH = request("GET", "/health/live")
PROXY = b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
"""The beginning of a PROXY header of version 2, up to its length."""
TOO_MANY = json.dumps([{}] * 33)
TOO_DEEP = json.dumps([{"channel": "/a", "data": json.loads("[" * 8 + "]" * 8)}])


class Stranger(contextlib.ExitStack):
    """A client with an address of its own. Leaving the `with` block closes its connections."""

    _numbers = itertools.count(2)

    def __init__(self, broker):
        super().__init__()
        self._broker = broker
        self._address = f"127.0.0.{next(self._numbers)}"

    def wire(self):
        """One more connection."""
        return self.enter_context(Wire(self._broker.port, address=self._address))

    def relay(self):
        """A connection of the proxy to the listener that is told of clients by PROXY headers."""
        return self.enter_context(Wire(self._broker.relay))


def told(wire):
    """What the next answer says: its status, and what is wrong."""
    status, body = wire.answer()
    text = body.decode().strip()
    return f"{status} {json.loads(text)['detail'] if text.startswith('{') else text}"


def refusal(wire, *messages):
    """The error of the one message of a batch that is refused."""
    wire.send(batch(*messages))
    replies = []
    while len(replies) < len(messages):
        opcode, payload = wire.frame()
        replies += [reply for reply in json.loads(payload) if "successful" in reply] if opcode == 1 else []
    errors = [reply["error"] for reply in replies if not reply["successful"]]
    assert len(errors) == 1, replies
    return errors[0]


def requests(count, *arguments, **body):
    """So many requests over one connection, the last of which is one too many."""

    def provoke(stranger):
        wire = stranger.wire()
        for _ in range(count - 1):
            assert wire.ask(request(*arguments, **body)) < 300
        wire.send(request(*arguments, **body))
        return told(wire)

    return provoke


def messages(count, *fields, **message):
    """So many messages in one batch over a WebSocket, one of which is one too many."""
    return lambda stranger: refusal(stranger.wire().upgrade(*fields), *[message] * count)


def messages_of_a_session(count, **message):
    """The same, of a session."""

    def provoke(stranger):
        wire = stranger.wire().upgrade()
        return refusal(wire, *[{"clientId": wire.shake_hands(), **message}] * count)

    return provoke


def text(content):
    """A text over a WebSocket, which goes on behind it."""

    def provoke(stranger):
        wire = stranger.wire().upgrade()
        wire.send(frame(1, content.encode()))
        wire.shake_hands()
        return "nothing"

    return provoke


def connections(count):
    """So many connections, the last of which is one too many. Each is let in before the next one comes."""

    def provoke(stranger):
        for _ in range(count - 1):
            assert stranger.wire().ask(HEALTH) == 200
        last = stranger.wire()
        last.send(HEALTH)
        return told(last)

    return provoke


def long_frame(stranger):
    wire = stranger.wire().upgrade()
    wire.send(frame(1, length=1 << 20))
    code, reason = wire.close_code()
    return f"{code} {reason}"


def long_proxy_header(stranger):
    wire = stranger.relay()
    wire.send(PROXY + (1000).to_bytes(2, "big"))
    return told(wire)


def bearer(*arguments, **claims):
    """The field of a head with a token that outlives the tests."""
    return "Authorization: Bearer " + token(*arguments, seconds=86_400, **claims)


def tickets_of_two(stranger):
    wire = stranger.wire()
    assert wire.ask(request("POST", "/tickets", bearer("first"))) == 201
    wire.send(request("POST", "/tickets", bearer("second")))
    return told(wire)


def changes_of_subscriptions(stranger):
    """Also those that are there already count, but not as further ones."""
    wire = stranger.wire().upgrade()
    names = [f"/changes/{number}" for number in range(8)]
    message = {"channel": "/meta/subscribe", "clientId": wire.shake_hands()}
    wire.call(**message, subscription=names)
    return refusal(wire, {**message, "subscription": names[:5]})


def messages_for_who_is_away(stranger):
    """One more than may wait; what the client is told of it when it comes."""
    wire, publisher = stranger.wire().upgrade(), stranger.wire()
    client = wire.shake_hands()
    wire.call(channel="/meta/subscribe", clientId=client, subscription="/away")
    for number in range(5):
        assert publisher.ask(request("POST", "/channels/away", body=str(number))) == 200
    wire.send(batch({"channel": "/meta/connect", "clientId": client, "connectionType": "websocket"}))
    while True:
        for message in json.loads(wire.frame()[1]):
            if message["channel"] == "/away":
                return json.dumps(message["ext"]["gap"])


class Bound(NamedTuple):
    """What there may be so much of, what counts more of it, what somebody is told who wants more, and who does."""

    what: str
    counter: str
    refusal: str
    provoke: Callable
    settings: str = ORDINARY


REFUSED = "fanfare_messages_refused_total"
REJECTED = "fanfare_connections_rejected_total"
REQUESTS = "fanfare_http_requests_total"
LIMITED = "fanfare_rate_limited_total"
IGNORED = "fanfare_ignored_texts_total"
TICKETS = "fanfare_tickets_refused_total"
BAD = "fanfare_auth_failures_total"
JSON = "Content-Type: application/json"
PUBLISH = ("POST", "/channels/a")

BOUNDS = [
    Bound(
        "bytes of a frame", 'fanfare_connections_closed_total{reason="violation"}',
        "1009 WebSocket frame length too large", long_frame),
    Bound(
        "bytes of a body", REQUESTS + '{code="413"}', "413 The body is larger than 65536 bytes",
        requests(1, *PUBLISH, "Content-Length: 65537")),
    Bound(
        "bytes of a head", REJECTED + '{reason="handshake"}', "431 HTTP request head too long",
        requests(1, "GET", "/health/live", "X: " + "x" * (16 << 10))),
    Bound(
        "fields of a head", REJECTED + '{reason="handshake"}', "431 Too many HTTP request headers",
        requests(1, "GET", "/health/live", *["X: x"] * 101)),
    Bound(
        "bytes of a PROXY header", REJECTED + '{reason="proxy"}',
        "400 This listener takes the PROXY protocol, and its PROXY header has 1016 bytes, more than 256",
        long_proxy_header),
    Bound("messages of a text", IGNORED, "nothing", text(TOO_MANY)),
    Bound(
        "messages of a body", REQUESTS + '{code="400"}', "400 Bad request",
        requests(1, "POST", "/bayeux", JSON, body=TOO_MANY)),
    Bound("depth of a text", IGNORED, "nothing", text(TOO_DEEP)),
    Bound(
        "depth of a body", REQUESTS + '{code="400"}', "400 Bad request",
        requests(1, "POST", "/bayeux", JSON, body=TOO_DEEP)),
    Bound(
        "bytes of a name", REFUSED + '{code="405"}', "405:/x{64}:Invalid channel",
        messages(1, channel="/" + "x" * 64, data=1)),
    Bound(
        "bytes of a token", BAD + '{reason="token"}', "401 401::Token refused: too long",
        requests(1, *PUBLISH, "Authorization: Bearer " + "x" * 8_193, body="1")),
    Bound(
        "patterns of a token", BAD + '{reason="token"}', "401 401::Token refused: publish names too many channels",
        requests(1, *PUBLISH, bearer(publish=["/a"] * 257), body="1")),
    Bound(
        "uses of a ticket", BAD + '{reason="ticket"}', "401 401::Ticket refused: used, expired or unknown",
        requests(1, "GET", "/channels/a?ticket=used", "Accept: text/event-stream")),
    Bound(
        "connections of an address", REJECTED + '{reason="address"}', "429 Too many connections from your address",
        connections(5), SCARCE),
    Bound(
        "tickets of a subject", TICKETS + '{limit="subject"}', "429 1 tickets of this subject are not used yet",
        requests(2, "POST", "/tickets", bearer("only"))),
    Bound(
        "tickets", TICKETS + '{limit="all"}', "429 Too many tickets are not used yet", tickets_of_two, SCARCE),
    Bound("sessions", REFUSED + '{code="429"}', "429:sessions:Limit reached", messages(2, **HANDSHAKE), SCARCE),
    Bound(
        "sessions of an address", REFUSED + '{code="429"}', "429:sessions-per-address:Limit reached",
        messages(3, **HANDSHAKE), SHARED),
    Bound(
        "subscriptions of a session", REFUSED + '{code="429"}', "429:subscriptions:Limit reached",
        messages_of_a_session(
            1, channel="/meta/subscribe", subscription=[f"/many/{number}" for number in range(9)])),
    Bound(
        "subscriptions of an address", REFUSED + '{code="429"}', "429:subscriptions-per-address:Limit reached",
        messages_of_a_session(
            1, channel="/meta/subscribe", subscription=[f"/many/{number}" for number in range(4)]), SHARED),
    Bound(
        "subscriptions in all", REFUSED + '{code="429"}', "429:subscriptions-in-all:Limit reached",
        messages_of_a_session(
            1, channel="/meta/subscribe", subscription=[f"/many/{number}" for number in range(7)]), SHARED),
    Bound(
        "messages that wait", 'fanfare_messages_dropped_total{reason="queue"}', '{"count": 1}',
        messages_for_who_is_away),
    Bound(
        "rate of connections, as rejected ones", REJECTED + '{reason="rate"}',
        "429 Connections from your address come too fast", connections(9)),
    Bound(
        "rate of connections", LIMITED + '{limit="connections"}', "429 Connections from your address come too fast",
        connections(9)),
    Bound(
        "rate of requests", LIMITED + '{limit="requests"}', "429 Requests from your address come too fast",
        requests(17, "GET", "/health/live")),
    Bound(
        "rate of handshakes", LIMITED + '{limit="handshakes"}', r"429:handshakes,\d+:Rate limit reached",
        messages(5, **HANDSHAKE)),
    Bound(
        "rate of publications", LIMITED + '{limit="publish"}', r"429:publish,\d+:Rate limit reached",
        messages_of_a_session(9, channel="/a", data=1)),
    Bound(
        "rate of publications over HTTP", LIMITED + '{limit="publish"}', r"429 429:publish,\d+:Rate limit reached",
        requests(9, *PUBLISH, body="1")),
    Bound(
        "rate of bytes", LIMITED + '{limit="bytes"}', r"429:bytes,\d+:Rate limit reached",
        messages_of_a_session(2, channel="/a", data="x" * 1_024)),
    Bound(
        "rate of subscriptions", LIMITED + '{limit="subscribe"}', r"429:subscribe,\d+:Rate limit reached",
        changes_of_subscriptions),
    Bound(
        "rate of a credential", LIMITED + '{limit="credential"}', r"429:credential,\d+:Rate limit reached",
        messages(5, bearer("busy"), channel="/a", data=1)),
    Bound(
        "rate of a channel", LIMITED + '{limit="channel"}', r"429:channel,\d+:Rate limit reached",
        messages(2, channel="/slow", data=1)),
    Bound(
        "data of a publication to a channel", 'fanfare_messages_refused_total{code="413"}',
        "413:/small,8:Message too large", messages(1, channel="/small", data="123456789")),
]  # fmt: skip

# Those that take more to bring about, and the tests that do.
ELSEWHERE = {
    REJECTED + '{reason="limit"}': "test_floods.py::test_connects_over_the_limit",
    LIMITED + '{limit="work"}': "WorkShareTests.swift::oneAddressWaitsAndOthersDoNot",
    REQUESTS + '{code="503"}': "test_unread.py::test_large_answers_that_are_not_taken",
    'fanfare_key_set_fetches_total{result="failure"}': "test_key_sets.py::test_a_provider_that_fails",
    'fanfare_connections_closed_total{reason="slow"}': "test_unread.py::test_messages_that_are_not_taken",
    'fanfare_connections_closed_total{reason="unfinished"}': "test_hoards.py::test_messages_that_are_not_complete",
    'fanfare_connections_closed_total{reason="timeout"}': "test_slow.py::test_a_message_that_does_not_end",
    'fanfare_connections_closed_total{reason="pong"}': "test_slow.py::test_a_ping_that_is_not_answered",
    'fanfare_store_errors_total{kind="full"}': "test_hoards.py::test_retained_messages",
}


@pytest.fixture(scope="module")
def make_broker(tmp_path_factory):
    """Starts one broker for all rows with the same settings."""
    made = {}
    with contextlib.ExitStack() as brokers:

        def make(settings):
            if settings not in made:
                folder, relay = tmp_path_factory.mktemp("bounds"), free_port()
                (folder / "secret").write_text(SECRET + "\n")
                settled = settings.format(secret=folder / "secret", relay=relay)
                made[settings] = brokers.enter_context(serving(folder, settled))
                made[settings].relay = relay
            return made[settings]

        yield make


def total(samples, counter):
    """The sum of a family's samples that have these labels, whatever others they have."""
    family, _, labels = counter.rstrip("}").partition("{")
    wanted = set(filter(None, labels.split(",")))
    parts = ((name.rstrip("}").partition("{"), value) for name, value in samples.items())
    return sum(value for (name, _, has), value in parts if name == family and wanted <= set(has.split(",")))


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.what)
def test_what_goes_beyond_is_refused_and_counted(make_broker, bound):
    broker = make_broker(bound.settings)
    before = total(broker.samples(), bound.counter)
    with Stranger(broker) as stranger:
        said = bound.provoke(stranger)
    assert re.fullmatch(bound.refusal, said), said
    assert total(broker.samples(), bound.counter) > before


def test_every_counter_of_the_page_is_seen_to_count():
    page = (REPOSITORY / "docs" / "limits.md").read_text()
    named = set(re.findall(r"`(fanfare_\w+_total(?:\{[^}`]+\})?)`", page))
    seen = {bound.counter for bound in BOUNDS} | ELSEWHERE.keys()
    seen |= {counter.partition("{")[0] for counter in seen}
    assert len(named) > 20
    assert named - seen == set()


def test_the_tests_of_the_others_exist():
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        (path,) = (REPOSITORY / "Tests").rglob(file)
        assert re.search(rf"\b(?:def|func) {name}\(", path.read_text()), place


def test_a_stream_on_which_nothing_comes_is_not_taken_for_dead(tmp_path):
    with serving(tmp_path, "timeouts:\n  stream-ping: 100ms\n") as broker, Wire(broker.port) as wire:
        wire.send(request("GET", "/channels/silent", "Accept: text/event-stream"))
        assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        for _ in range(2):
            wire.read_until(b":\r\n\r\n")
