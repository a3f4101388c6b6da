"""Who may do what, over real sockets: what is denied stays denied, whichever way it is asked for."""

import http.client
import json
import socket
import subprocess
import time

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from broker import PATIENCE, PROGRAMS, Broker
from guarded import CONFIGURATION, GRANTED, guarding
from kept_connection import ask
from tokens import SECRET, bearer, signed, token
from transports import ALL

ELSEWHERE = {"publish": ["/elsewhere"], "subscribe": ["/elsewhere/**"]}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with guarding(tmp_path_factory.mktemp("access")) as broker:
        yield broker
        broker.stop()


CALLERS = {
    "nobody": None,
    "a token for elsewhere": ELSEWHERE,
    "a token for it": GRANTED,
    "the administrator": {"admin": True},
}
# Which callers may do what, by the first segment of the channel.
MATRIX = {
    ("publish", "open"): set(CALLERS),
    ("subscribe", "open"): set(CALLERS),
    ("publish", "closed"): {"a token for it", "the administrator"},
    ("subscribe", "closed"): {"a token for it", "the administrator"},
    ("publish", "never"): set(),
    ("subscribe", "never"): set(),
}


@pytest.mark.parametrize("transport", ALL, ids=lambda transport: transport.name)
@pytest.mark.parametrize("caller", CALLERS)
def test_bayeux(guarded, transport, caller):
    ext = {} if CALLERS[caller] is None else {"ext": {"token": token(**CALLERS[caller])}}
    with transport(guarded) as client:
        client.handshake(**ext)
        for (verb, realm), allowed in MATRIX.items():
            channel = f"/{realm}/{transport.name}"
            if verb == "publish":
                reply = client.request(channel, data=1)
            else:
                reply = client.request("/meta/subscribe", subscription=channel)
            assert reply["successful"] == (caller in allowed), (verb, channel, reply)
            if not reply["successful"]:
                assert reply["error"].startswith(f"403:{channel}:"), reply
        # A pattern takes in what is closed below it, whatever else it takes in.
        reply = client.request("/meta/subscribe", subscription=["/**"])
        assert reply["error"].startswith("403:/**:"), reply
        for name in ("/meta/subscribe/x", "/meta/publish", "/meta"):
            assert client.request(name, data=1, subscription="/closed/x")["error"].startswith("403:"), name


@pytest.mark.parametrize("caller", CALLERS)
def test_plain_http(guarded, caller):
    headers = {} if CALLERS[caller] is None else bearer(**CALLERS[caller])
    assert ask(guarded, "POST", "/channels/closed/http", "1", **bearer(**GRANTED))[0] == 200
    for realm in ("open", "closed", "never"):
        path = f"/channels/{realm}/http"
        refused = {401} if caller == "nobody" and realm == "closed" else {403}
        status = ask(guarded, "POST", path, "1", **headers)[0]
        assert status in ({200} if caller in MATRIX["publish", realm] else refused), (path, status)
        for read in (path, path + "?since=0", path + "?limit=1"):
            status = ask(guarded, "GET", read, **headers)[0]
            assert status in ({200, 404} if caller in MATRIX["subscribe", realm] else refused), (read, status)
        for pattern in (path, f"/channels/{realm}/**", f"/channels/{realm}/%2A%2A"):
            status = ask(guarded, "GET", pattern, Accept="text/event-stream", **headers)[0]
            assert status in ({200} if caller in MATRIX["subscribe", realm] else refused), (pattern, status)


def test_pages_may_not_publish_where_programs_may(guarded):
    origin = {"Origin": guarded.url("")}
    assert ask(guarded, "POST", "/channels/programs/a", "1")[0] == 200
    assert ask(guarded, "POST", "/channels/programs/a", "1", **origin)[0] == 401
    assert ask(guarded, "POST", "/channels/programs/a", "1", Sec_Fetch_Site="same-origin")[0] == 401
    assert ask(guarded, "POST", "/channels/programs/a", "1", **origin, **bearer())[0] == 200
    for transport in ALL:
        with transport(guarded) as client:
            client.handshake()
            published = client.request("/programs/a", data=1)["successful"]
            assert published == (transport.name not in ("cross-origin-long-polling", "callback-polling")), transport


@pytest.mark.parametrize(
    "bad",
    [
        "x", "a.b.c", token(algorithm="none"), token()[:-4], token() + "x", token(algorithm="RS256"),
        token(seconds=-1), token(seconds=1e12), token(aud="another"), token(nbf=time.time() + 900), token(""),
    ],
    ids=["text", "parts", "none", "cut", "longer", "RS256", "expired", "for ever", "audience", "early", "nobody"],
)  # fmt: skip
def test_bad_tokens_are_refused_wherever_they_are_shown(guarded, bad):
    headers = {"Authorization": "Bearer " + bad}
    assert ask(guarded, "POST", "/channels/open/a", "1", **headers)[0] == 401
    assert ask(guarded, "GET", "/channels/open/a", Accept="text/event-stream", **headers)[0] == 401
    assert ask(guarded, "POST", "/tickets", **headers)[0] == 401
    with pytest.raises(InvalidStatus) as refusal:
        connect(guarded.url("/bayeux", "ws"), additional_headers=headers, proxy=None)
    assert refusal.value.response.status_code == 401
    for transport in ALL:
        with transport(guarded) as client:
            fields = {"version": "1.0", "supportedConnectionTypes": [transport.name], "ext": {"token": bad}}
            reply = client.request("/meta/handshake", **fields)
            assert reply["error"].startswith("401::") and reply["advice"]["reconnect"] == "none", reply
            assert client.request("/open/a", data=1, ext={"token": bad})["error"].startswith("401::")


def test_no_token_makes_the_broker_call_anybody(guarded):
    """Keys come from the configuration: no address in a token is called, be its signature good or not."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        url = "http://127.0.0.1:%d/keys" % canary.getsockname()[1]
        header = {"alg": "HS256", "kid": url, "jku": url, "x5u": url}
        for signer in SECRET, "somebody else's":
            claims = {"sub": "alice", "iss": url, "aud": url, "tenant": url, "exp": time.time() + 600, **GRANTED}
            headers = {"Authorization": "Bearer " + signed(header, claims, signer)}
            status, _ = ask(guarded, "POST", "/channels/closed/a", "1", **headers)
            # An audience is somebody; this one is not the broker.
            assert status == 401
        canary.setblocking(False)
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_tokens_of_sockets_and_streams(guarded):
    url = guarded.url("/bayeux", "ws")
    publish = json.dumps([{"channel": "/closed/a", "data": 1}])
    ways = {
        "a header": lambda: {"additional_headers": bearer(**GRANTED)},
        "a subprotocol": lambda: {"subprotocols": ["fanfare", "fanfare.bearer." + token(**GRANTED)]},
    }
    for way, options in ways.items():
        with connect(url, proxy=None, open_timeout=PATIENCE, **options()) as socket:
            assert socket.subprotocol == ("fanfare" if way == "a subprotocol" else None)
            socket.send(publish)
            assert json.loads(socket.recv(PATIENCE))[0]["successful"], way
    for path in ("/channels/closed/**", "/bayeux"):
        status, text = ask(guarded, "POST", "/tickets", **bearer(**GRANTED))
        assert status == 201
        ticket = json.loads(text)["ticket"]
        if path == "/bayeux":
            with connect(f"{url}?ticket={ticket}", proxy=None, open_timeout=PATIENCE) as socket:
                socket.send(publish)
                assert json.loads(socket.recv(PATIENCE))[0]["successful"]
            with pytest.raises(InvalidStatus):
                connect(f"{url}?ticket={ticket}", proxy=None)
        else:
            assert ask(guarded, "GET", f"{path}?ticket={ticket}", Accept="text/event-stream")[0] == 200
            assert ask(guarded, "GET", f"{path}?ticket={ticket}", Accept="text/event-stream")[0] == 401
    assert ask(guarded, "POST", "/tickets")[0] == 401
    # A cookie is no credential, and a ticket only for those who have no header.
    assert ask(guarded, "GET", "/channels/closed/a", Cookie="token=" + token(**GRANTED))[0] == 401


def test_an_expired_token_stops_everything_until_a_new_one_comes(guarded):
    with ALL[0](guarded) as client:
        client.handshake(ext={"token": token(seconds=5, **GRANTED)})
        assert client.connect()["successful"]
        client.subscribe("/closed/expiry")
        # Held until the token has expired.
        reply = client.connect()
        assert reply["error"] == "401::Token expired", reply
        assert reply["advice"]["reconnect"] == "handshake"
        assert client.request("/closed/expiry", data=1)["error"] == "401::Token expired"
        assert ask(guarded, "POST", "/channels/closed/expiry", '"waited"', **bearer(**GRANTED))[0] == 200
        # The session of somebody else is none of bob's business.
        other = client.connect(ext={"token": token("bob", **GRANTED)})
        assert other["error"] == "401::The session is somebody else's", other
        assert client.connect(timeout=0, ext={"token": token(**GRANTED)})["successful"]
        assert [message["data"] for message in client.take(1)] == ["waited"]


@pytest.mark.parametrize(
    "generate",
    [
        ["genrsa", "-out"],
        ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"],
        ["genpkey", "-algorithm", "ed25519", "-out"],
    ],
    ids=["RS256", "ES256", "EdDSA"],
)
def test_keys_of_openssl(tmp_path, generate):
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", *generate, private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    (tmp_path / "fanfare.yaml").write_text(f"auth: {{keys: [{public}], subscribe: granted}}\n")
    made = subprocess.run(
        [PROGRAMS / "broker-server", "token", "--subject", "alice", "--publish", "/a/**", "--key", private],
        check=True, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    credential = made.stdout.strip()
    explain = [PROGRAMS / "broker-server", "explain", "--config", tmp_path / "fanfare.yaml", "--as", credential]
    for verb, channel, status in (("publish", "/a/b", 0), ("publish", "/b", 1), ("subscribe", "/a/b", 0)):
        run = subprocess.run([*explain, verb, channel], capture_output=True, encoding="utf-8")
        # A token that does not speak of subscribing is not granted it.
        expected = 1 if verb == "subscribe" else status
        assert run.returncode == expected, run
        assert f"auth.{verb}: " in run.stdout and "alice" in run.stdout, run
    broker = Broker(":memory:", tmp_path / "broker.log", "--config", tmp_path / "fanfare.yaml").start()
    try:
        assert ask(broker, "POST", "/channels/a/b", "1", Authorization="Bearer " + credential)[0] == 200
        assert ask(broker, "POST", "/channels/b", "1", Authorization="Bearer " + credential)[0] == 403
        assert '"publish":"authenticated"' in (tmp_path / "broker.log").read_text()
    finally:
        broker.kill()


@pytest.fixture
def explain(tmp_path):
    """`broker-server explain` for the rules of `guarded`, as somebody with a token or without one."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    config = tmp_path / "fanfare.yaml"
    config.write_text(CONFIGURATION.format(secret=tmp_path / "secret"))

    def run(verb, channel, credential=None, *options):
        command = [PROGRAMS / "broker-server", "explain", verb, channel, "--config", config, *options]
        command += ["--database", tmp_path / "fanfare.db", *(["--as", credential] if credential else [])]
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=PATIENCE)

    return run


OWN = "is the broker's own, not for clients"


@pytest.mark.parametrize(
    "verb, channel, caller, status, rule",
    [
        ("publish", "/open/a", "nobody", 0, "channels: /open/**: publish: everyone"),
        ("publish", "/closed/a", "nobody", 1, "channels: /closed/**: publish: granted"),
        ("publish", "/closed/a", "a token for it", 0, "channels: /closed/**: publish: granted"),
        ("publish", "/closed/a", "a token for elsewhere", 1, "channels: /closed/**: publish: granted"),
        ("subscribe", "/closed/*", "a token for it", 0, "channels: /closed/**: subscribe: granted"),
        ("subscribe", "/never/a", "a token for it", 1, "channels: /never/**: subscribe: nobody"),
        ("subscribe", "/never/a", "the administrator", 1, "channels: /never/**: subscribe: nobody"),
        ("subscribe", "/**", "the administrator", 1, "channels: /never/**: subscribe: nobody"),
        ("publish", "/programs/a", "nobody", 0, "channels: /programs/**: publish: not-browsers"),
        ("publish", "/elsewhere", "nobody", 1, "auth.publish: authenticated"),
        ("publish", "/elsewhere", "a token for elsewhere", 0, "auth.publish: authenticated"),
        ("subscribe", "/elsewhere", "nobody", 0, "auth.subscribe: everyone"),
        ("publish", "/meta/subscribe", "the administrator", 1, f"/meta/subscribe {OWN}"),
        ("subscribe", "/meta/**", "the administrator", 1, f"/meta/** {OWN}"),
        ("publish", "/service/echo", "nobody", 0, "services decide themselves"),
        ("subscribe", "/service/echo", "the administrator", 1, f"/service/echo {OWN}"),
    ],
)
def test_explain_names_the_rule(explain, verb, channel, caller, status, rule):
    credential = None if CALLERS[caller] is None else token(**CALLERS[caller])
    run = explain(verb, channel, credential)
    lines = run.stdout.splitlines()
    verdict = "denied" if status else "allowed"
    assert run.returncode == status, run
    assert lines[:2] == [f"{verdict}: {verb} {channel} by a program", f"rule: {rule}"], run


def test_explain_as_a_web_page(explain):
    run = explain("publish", "/programs/a", None, "--browser")
    assert run.returncode == 1 and "rule: channels: /programs/**: publish: not-browsers\n" in run.stdout, run


def test_explain_takes_no_token_that_does_not_count(explain, tmp_path):
    """As with the broker, such a token is worth less than none: also for what everybody may do."""
    credential = token(jti="t1", **GRANTED)
    refusals = [
        (token(seconds=-10), "Token expired"),
        (token(secret="another secret of thirty-two byte"), "Token refused: the signature is not good"),
        (token("\x1b[2J"), "Token refused: sub is longer than 1024 bytes, or has control characters"),
    ]
    assert explain("publish", "/closed/a", credential).returncode == 0
    revoked = tmp_path / "fanfare.db.revoked"
    revoked.write_text("token t1\n")
    for bad, reason in [*refusals, (credential, f"Token revoked: {revoked}")]:
        for channel in ("/closed/a", "/open/a", "/meta/connect"):
            run = explain("publish", channel, bad)
            assert (run.returncode, run.stdout) == (65, ""), run
            assert run.stderr == f"broker-server: {reason}\n", run
    revoked.write_text("nonsense\n")
    run = explain("publish", "/closed/a", credential)
    assert run.returncode == 73 and f"{revoked}:1: " in run.stderr, run


def test_explain_knows_who_can_reach_the_broker(tmp_path):
    """Pages may publish where only this machine can, unless something else is said: as the broker itself decides."""
    file = tmp_path / "fanfare.yaml"
    explain = [PROGRAMS / "broker-server", "explain", "publish", "/a", "--browser"]
    for listen, status in (("127.0.0.1:8000", 0), ("0.0.0.0:8000", 1)):
        file.write_text(f"listen: {listen}\n")
        assert subprocess.run([*explain, "--config", file], stdout=subprocess.DEVNULL).returncode == status
        assert subprocess.run(explain, stdout=subprocess.DEVNULL, env={"FANFARE_LISTEN": listen}).returncode == status


def test_no_subject_takes_the_tickets_of_others(guarded):
    answers = [ask(guarded, "POST", "/tickets", **bearer("mallory"))[0] for _ in range(103)]
    assert answers == [201] * 100 + [429] * 3
    connection = http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=PATIENCE)
    connection.request("POST", "/tickets", headers=bearer("mallory"))
    refused = connection.getresponse()
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert "100 tickets of this subject" in refused.read().decode()
    connection.close()
    assert ask(guarded, "POST", "/tickets", **bearer("zoe"))[0] == 201
    metrics = ask(guarded, "GET", "/metrics", **bearer("root", admin=True))[1]
    assert 'fanfare_tickets_refused_total{limit="subject"} 4' in metrics


def test_the_command_line(guarded):
    credential = token(**GRANTED)
    denied = guarded.run_cli("publish", "/closed/cli", "1")
    assert denied.returncode == 77 and "403:/closed/cli" in denied.stderr, denied
    assert guarded.run_cli("--token", credential, "publish", "/closed/cli", "1").returncode == 0
    shown = guarded.run_cli("--token", credential, "retained", "get", "/closed/cli")
    assert (shown.returncode, shown.stdout) == (0, "1\n"), shown
    inspected = guarded.run_cli("token", "inspect", token(seconds=3600, jti="t1"))
    assert inspected.returncode == 0 and '"jti": "t1"' in inspected.stdout, inspected
    assert "in 59m" in inspected.stdout or "in 1h" in inspected.stdout, inspected
    for bad in ("x", "a.b.c", "e30.e30"):
        assert guarded.run_cli("token", "inspect", bad).returncode == 65


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"Origin": "http://127.0.0.1:{port}"}, None),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        # A page whose name was turned to this machine: to its browser it is of the same origin.
        ({"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"}, 421),
    ],
)
def test_one_list_of_origins_for_sockets_and_requests(broker, headers, status):
    headers = {name: value.format(port=broker.port) for name, value in headers.items()}
    for path in ("/bayeux", "/channels/origins", "/", "/health/live"):
        method = "POST" if path in ("/bayeux", "/channels/origins") else "GET"
        body = "[]" if path == "/bayeux" else "1"
        found = ask(broker, method, path, body, Content_Type="application/json", **headers)[0]
        assert found == (status or 200), path
    handshake = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    assert ask(broker, "GET", "/bayeux", **handshake, **headers)[0] == (status or 101)
