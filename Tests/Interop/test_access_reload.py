"""What a reload changes of who may do what, while clients are there: keys, rules, revocations; all of it or nothing."""

import asyncio
import contextlib
import http.client
import json
import subprocess

import aiocometd_noloop
import pytest
from websockets.exceptions import ConnectionClosed

from broker import PATIENCE, PROGRAMS, Broker
from script import Script
from tokens import SECRET, token
from transports import ALL, WebSocket

GRANTED = {"publish": ["/closed/**"], "subscribe": ["/closed/**"]}
OTHER_SECRET = "another secret that nobody else may know"
CONFIGURATION = """\
auth: {{keys: [{keys}], grace: 20}}
channels:
  /closed/**: {{publish: granted, subscribe: granted}}
  /open/**: {{publish: everyone, subscribe: {open}}}
  /other: {{publish: everyone, subscribe: everyone}}
"""


class Guarded:
    """A broker with a configuration that the test changes."""

    def __init__(self, folder):
        self.folder = folder
        self.secret = folder / "secret"
        self.secret.write_text(SECRET + "\n")
        self.configure()
        self.broker = Broker(folder / "fanfare.db", folder / "log", "--config", folder / "fanfare.yaml").start()

    def configure(self, **values):
        values = {"keys": self.secret, "open": "everyone", **values}
        (self.folder / "fanfare.yaml").write_text(CONFIGURATION.format(**values))

    def reload(self):
        """`broker-server reload`: its status, and what it says."""
        command = [PROGRAMS / "broker-server", "reload", "--database", self.folder / "fanfare.db"]
        run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=PATIENCE)
        return run.returncode, run.stdout + run.stderr


@pytest.fixture
def guarded(tmp_path):
    guarded = Guarded(tmp_path)
    try:
        yield guarded
        guarded.broker.stop()
    finally:
        guarded.broker.kill()


def taken_away(client, pattern):
    """What a client gets when the broker takes a subscription away."""
    return {
        "channel": "/meta/unsubscribe",
        "successful": True,
        "clientId": client.client_id,
        "subscription": pattern,
        "error": f"403:{pattern}:Subscription denied",
    }


def enter(client, *patterns, **ext):
    client.handshake(**({"ext": ext} if ext else {}))
    assert client.connect()["successful"]
    client.subscribe(*patterns)


def test_another_key(guarded):
    old, new = token(**GRANTED), token(secret=OTHER_SECRET, **GRANTED)
    with WebSocket(guarded.broker) as client, WebSocket(guarded.broker) as other:
        enter(client, "/closed/a", token=old)
        enter(other, "/open/a")
        guarded.secret.write_text(OTHER_SECRET)
        status, report = guarded.reload()
        assert (status, report) == (0, "1 applied: the files of auth.keys; 0 need a restart\n")
        assert report.strip() in (guarded.folder / "log").read_text()
        # The session waits for a token of the new key, and is given what it missed.
        assert client.request("/closed/a", data=1)["error"] == "401::Token expired"
        assert client.connect()["error"] == "401::Token expired"
        assert other.request("/closed/a", data="missed", ext={"token": new})["successful"]
        assert client.connect(timeout=0, ext={"token": old})["error"] == "401::Token refused: the signature is not good"
        assert client.connect(timeout=0, ext={"token": new})["successful"]
        assert [message["data"] for message in client.take(1)] == ["missed"]


def test_first_keys(guarded):
    """A connection that was there before can show a token, too."""
    guarded.configure(keys="")
    assert guarded.reload() == (0, "1 applied: auth.keys; 0 need a restart\n")
    with WebSocket(guarded.broker) as client:
        assert client.request("/open/a", data=1)["successful"]
        guarded.configure()
        assert guarded.reload() == (0, "1 applied: auth.keys; 0 need a restart\n")
        enter(client, "/closed/a", token=token(**GRANTED))
        assert client.request("/closed/a", data=1)["successful"]
        assert [message["data"] for message in client.take(1)] == [1]


def test_no_keys_any_more(guarded):
    with WebSocket(guarded.broker) as client:
        enter(client, "/closed/a", "/open/a", token=token(**GRANTED))
        guarded.configure(keys="")
        assert guarded.reload() == (0, "1 applied: auth.keys; 0 need a restart\n")
        # It is nobody's now, and goes on with what everybody may have.
        assert client.take(1) == [taken_away(client, "/closed/a")]
        assert client.request("/open/a", data=1)["successful"]
        assert [message["data"] for message in client.take(1)] == [1]
        assert client.request("/closed/a", data=2)["error"] == "403:/closed/a:Publishing denied"
        assert client.connect(timeout=0)["successful"]


def test_rules(guarded):
    with WebSocket(guarded.broker) as stranger, WebSocket(guarded.broker) as known:
        enter(stranger, "/open/a")
        enter(known, "/open/a", token=token(subscribe=["/open/**"]))
        guarded.configure(open="granted")
        expected = "1 applied: who may publish and subscribe to channels; 0 need a restart\n"
        assert guarded.reload() == (0, expected)
        assert guarded.broker.publish("/open/a", "new")["matched"] == 1
        assert [message["data"] for message in known.take(1)] == ["new"]
        refused = stranger.request("/meta/subscribe", subscription="/open/a")
        assert refused["error"] == "403:/open/a:Subscription denied"
        assert stranger.inbox == [taken_away(stranger, "/open/a")]
        # And back.
        guarded.configure()
        assert guarded.reload() == (0, expected)
        stranger.subscribe("/open/a")
        assert guarded.broker.publish("/open/a", "again")["matched"] == 2
        assert [message["data"] for message in stranger.take(2)[1:]] == ["again"]


@pytest.mark.parametrize("transport", ALL, ids=lambda transport: transport.name)
def test_rules_are_told(guarded, transport):
    """Whoever loses a subscription hears of it, over every transport; the session goes on."""
    with transport(guarded.broker) as client:
        enter(client, "/open/a", "/other")
        guarded.configure(open="granted")
        assert guarded.reload()[0] == 0
        assert client.take(1) == [taken_away(client, "/open/a")]
        assert guarded.broker.publish("/other", 1)["matched"] == 1
        assert [message["data"] for message in client.take(1)] == [1]


def test_rules_end_a_command(guarded, tmp_path):
    with open(tmp_path / "errors", "w") as errors:
        with guarded.broker.cli("subscribe", "/open/a", stderr=errors) as reader:
            guarded.broker.publish_until_matched("/open/a", "before")
            assert json.loads(reader.lines.next())["data"] == "before"
            guarded.configure(open="granted")
            assert guarded.reload()[0] == 0
            status = reader.wait()
    reason = "broker-cli: subscribe /open/a: the broker answered 403:/open/a:Subscription denied\n"
    assert (status, (tmp_path / "errors").read_text()) == (77, reason)


def test_rules_and_a_stock_client(guarded):
    """A CometD client does not know that message, and goes on with what else it has."""

    async def session():
        async with aiocometd_noloop.Client(guarded.broker.url("/bayeux")) as client:
            await client.subscribe("/open/a")
            await client.subscribe("/other")
            guarded.configure(open="granted")
            assert (await asyncio.to_thread(guarded.reload))[0] == 0
            for number in range(2):
                await client.publish("/other", number)
                assert (await client.receive())["data"] == number

    asyncio.run(asyncio.wait_for(session(), PATIENCE))


@pytest.mark.parametrize("share", [False, True])
def test_rules_in_a_page(guarded, browser, share):
    """`fanfare.js` ends the subscription with the reason, alone and shared between tabs; others go on."""
    script = Script(browser, guarded.broker.url("/"))
    script.run(
        """
        const fanfare = start({ share: arguments[0] });
        await Promise.all([fanfare.subscribe("/open/a", note), fanfare.subscribe("/other", note)]);
        """, share)
    guarded.configure(open="granted")
    assert guarded.reload()[0] == 0
    script.wait("errors.length")
    assert script.run("return errors") == ["403:/open/a:Subscription denied"]
    script.run("await fanfare.publish('/other', 1)")
    script.wait("got.length")
    assert script.run("return got") == [1]


def test_rules_end_streams(guarded):
    """An `EventSource` that may not have all of its channels any more is closed; it asks again by itself."""
    @contextlib.contextmanager
    def stream():
        connection = http.client.HTTPConnection("127.0.0.1", guarded.broker.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", "/channels/open/a", headers={"Accept": "text/event-stream"})
            with connection.getresponse() as response:
                yield response

    with stream() as response:
        assert response.status == 200
        guarded.configure(open="granted")
        assert guarded.reload()[0] == 0
        # It ends.
        response.read()
    with stream() as response:
        assert response.status == 401


def test_revocations(guarded):
    """The file is the owner's, who may have written into it, or put another broker's in its place."""
    path = guarded.folder / "fanfare.db.revoked"
    with WebSocket(guarded.broker) as client, WebSocket(guarded.broker) as other:
        enter(client, "/closed/a", token=token(jti="one", **GRANTED))
        enter(other, "/closed/a", token=token(jti="two", **GRANTED))
        path.write_text("token one\n")
        assert guarded.reload() == (0, "1 applied: the list of revoked tokens; 0 need a restart\n")
        with pytest.raises(ConnectionClosed):
            while client.receive():
                pass
        assert other.request("/closed/a", data=1)["successful"]
        # What is taken out of the list counts again.
        path.write_text("")
        assert guarded.reload() == (0, "1 applied: the list of revoked tokens; 0 need a restart\n")
        assert other.request("/closed/a", data=1, ext={"token": token(jti="one", **GRANTED)})["successful"]
        path.unlink()
        assert guarded.reload() == (0, "0 applied; 0 need a restart\n")


@pytest.mark.parametrize("mistake", ["key", "revocations", "address"])
def test_all_or_nothing(guarded, mistake):
    with WebSocket(guarded.broker) as client:
        enter(client, "/open/a")
        guarded.configure(open="granted")
        if mistake == "key":
            guarded.secret.write_text("short")
            expected = f"{guarded.secret}: a secret has at least 32 bytes"
        elif mistake == "revocations":
            (guarded.folder / "fanfare.db.revoked").write_text("tokens one\n")
            expected = 'fanfare.db.revoked:1: neither "token ID" nor "subject TIME NAME"'
        else:
            guarded.configure(open="granted", keys=f"{guarded.secret}, http://127.0.0.1:1/keys")
            expected = "http://127.0.0.1:1/keys: cannot be reached"
        status, report = guarded.reload()
        assert status == 78 and expected in report, report
        assert expected in (guarded.folder / "log").read_text().replace('\\"', '"')
        assert client.request("/open/a", data=1, ext={"token": token()})["successful"]
        assert [message["data"] for message in client.take(1)] == [1]
