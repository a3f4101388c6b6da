"""nginx, HAProxy and Caddy in front of the broker, with the configurations of deploy/: every way in works through them.

The broker has the settings that these files name. Clients know it by the name of the proxy.
"""

import contextlib
import getpass
import json
import subprocess
import time
import types

import pytest

import transports
from broker import PATIENCE, REPOSITORY, serving
from others import caddy, free_port, haproxy, nginx, running

DEPLOY = REPOSITORY / "deploy"
OUTSIDE = "chat.example.com"
# Every name leads to this machine.
CURL = ["curl", "-s", "--connect-to", "::127.0.0.1:"]
# What a broker behind a proxy needs besides for the tests: to it even those of this machine are strangers.
PAGES = f"allow-origin: ['{transports.ORIGIN}']\nauth: {{publish: everyone}}\nmetrics: all\n"


def example(name, *replacements):
    """An example of deploy/, but for its ports: what it says, and what is to stand there instead."""
    text = (DEPLOY / name).read_text()
    for theirs, ours in replacements:
        assert theirs in text
        text = text.replace(theirs, ours)
    return text


def settings_for(name, *replacements):
    """The settings of the broker that an example of deploy/ names."""
    lines = example(name, *replacements).splitlines()
    text = "".join(line.removeprefix("#     ") + "\n" for line in lines if line.startswith("#     "))
    assert "trusted-proxies:" in text and f"allow-host: [{OUTSIDE}]" in text
    return text


@contextlib.contextmanager
def in_front(proxy, folder, port):
    """What a client sees of the broker through a proxy, a pair of command and readiness, that listens on this port."""
    command, ready = proxy
    with running(command, folder / "log", ready):
        front = types.SimpleNamespace(port=port)
        front.url = lambda path="/", scheme="http": f"{scheme}://{OUTSIDE}:{port}{path}"
        yield front


def nginx_in_front(folder, port, upstream):
    """nginx in the foreground, with the example but for its ports and paths."""
    server = example(
        "nginx.conf", ("127.0.0.1:8000", f"127.0.0.1:{upstream}"), ("listen 80;", f"listen 127.0.0.1:{port};")
    )
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = folder / "nginx.conf"
    settings.write_text(
        f"user {getpass.getuser()}; pid {folder}/pid; error_log {folder}/log notice; events {{}}\n"
        f"http {{ access_log off; {paths}\n{server}\n}}\n"
    )
    return nginx(settings)


def haproxy_in_front(folder, port, upstream):
    """HAProxy in the foreground, with the example but for its ports."""
    settings = folder / "haproxy.cfg"
    settings.write_text(
        example("haproxy.cfg", ("127.0.0.1:8000", f"127.0.0.1:{upstream}"), ("bind :80", f"bind 127.0.0.1:{port}"))
    )
    return haproxy(settings)


def caddy_in_front(folder, port, upstream):
    """Caddy in the foreground, with the example but for its ports, and without a certificate for the name."""
    site = example(
        "Caddyfile",
        ("127.0.0.1:8000", f"127.0.0.1:{upstream}"),
        (f"\n{OUTSIDE} {{", f"\nhttp://:{port} {{\n\tbind 127.0.0.1"),
    )
    settings = folder / "Caddyfile"
    settings.write_text(f"{{\n\tadmin off\n\tauto_https off\n\tgrace_period 5s\n}}\n{site}")
    return caddy(settings)


EXAMPLES = {nginx_in_front: "nginx.conf", haproxy_in_front: "haproxy.cfg", caddy_in_front: "Caddyfile"}


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda kind: kind.__name__)
def proxied(request, tmp_path_factory):
    """A broker, and what a client sees of it through a proxy."""
    kind = request.param
    folder, port = tmp_path_factory.mktemp(kind.__name__), free_port()
    with serving(folder, settings_for(EXAMPLES[kind]) + PAGES) as broker:
        with in_front(kind(folder, port, broker.port), folder, port) as front:
            yield broker, front


@pytest.fixture
def broker(proxied):
    return proxied[0]


@pytest.fixture
def front(proxied):
    return proxied[1]


@pytest.mark.parametrize("transport", transports.ALL, ids=lambda transport: transport.name)
def test_transport(front, broker, transport):
    channel = f"/proxied/{transport.name}/{front.port}"
    with transport(front) as client:
        client.listen(channel)
        for number in range(3):
            broker.publish(channel, number)
        assert [message["data"] for message in client.take(3)] == [0, 1, 2]
        reply = client.request(channel, data="own")
        assert reply["successful"], reply
        assert client.take(1)[0]["data"] == "own"


def test_event_stream_of_a_channel(front, broker):
    """Each event comes when it is published: nothing is held back by the proxy."""
    channel = f"/proxied/stream/{front.port}"
    command = [*CURL, "-N", "-H", "Accept: text/event-stream", front.url(f"/channels{channel}")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stream:
        try:
            for number in range(3):
                broker.publish_until_matched(channel, number)
                line = ""
                while not line.startswith("data: "):
                    line = stream.stdout.readline()
                    assert line, "the stream ended"
                assert f'"data":{number}' in line
        finally:
            stream.terminate()


def test_no_connect_is_held_for_who_has_gone(front, broker):
    """The broker learns that a client has left; what comes then waits until it returns."""
    channel, held = f"/proxied/gone/{front.port}", 'fanfare_sessions{state="connected"}'
    with transports.LongPolling(front) as client:
        client.listen(channel)
        before = broker.samples()[held]
        connect = {"channel": "/meta/connect", "clientId": client.client_id, "connectionType": client.name}
        fields = {"Host": client.host, "Content-Type": "application/json"}
        client.http.request("POST", "/bayeux", json.dumps([connect]), fields)
        broker.wait_for_sample(held, before + 1)
        client.http.close()
        # Nobody tells of it. With the default of timeouts.connect it would be held for longer than this.
        deadline = time.monotonic() + PATIENCE
        while broker.samples()[held] > before:
            assert time.monotonic() < deadline, "the connect is still held"
        broker.publish(channel, "later")
        assert client.take(1)[0]["data"] == "later"


def test_publishing(front, broker):
    """A body goes through whole."""
    channel = f"/proxied/published/{front.port}"
    with transports.WebSocket(broker) as subscriber:
        subscriber.listen(channel)
        text = "x" * 500_000
        command = [*CURL, "-f", "-H", "Content-Type: application/json", "-d", "@-", front.url(f"/channels{channel}")]
        answer = subprocess.run(command, input=f'"{text}"', capture_output=True, text=True, timeout=PATIENCE)
        assert answer.returncode == 0, answer
        assert subscriber.take(1)[0]["data"] == text


@pytest.mark.parametrize(
    "field, status",
    [
        ("Origin: http://{host}", 200),
        ("Origin: http://evil.example", 403),
        ("Host: evil.example", 421),
        ("Host: 127.0.0.1", 200),
    ],
)
def test_pages_and_names(front, field, status):
    """The proxy's own pages are let in; who is refused is told which setting lets them in."""
    host = front.url().split("/")[2]
    command = [*CURL, "-w", "%{stderr}%{response_code}", "-H", field.format(host=host), front.url("/channels/page")]
    answer = subprocess.run(
        [*command, "-H", "Content-Type: application/json", "-d", "1"], capture_output=True, text=True, timeout=PATIENCE
    )
    assert int(answer.stderr) == status, answer
    setting = {403: "allow-origin", 421: "allow-host"}.get(status)
    assert setting is None or setting in json.loads(answer.stdout)["detail"]
