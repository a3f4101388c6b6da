"""The address of a client behind nginx, HAProxy and Caddy, as the broker tells it: from X-Forwarded-For and PROXY headers.

Linux lets a client connect from any address of 127.0.0.0/8, and only 127.0.0.1, the proxies', is trusted.
"""

import contextlib
import subprocess

import pytest

import transports
from broker import PATIENCE, serving
from others import free_port, haproxy, nginx
from test_reverse_proxies import CURL, EXAMPLES, PAGES, example, in_front, settings_for

REQUESTS = 2
LIMITED = f"rates: {{requests-per-address: 1/h burst {REQUESTS}}}"
MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


def relay(name, port, upstream, bind):
    """An example of a relay, but for its ports."""
    return example(
        name, ("127.0.0.1:8000", f"127.0.0.1:{upstream}"), (bind, f"{bind.split()[0]} 127.0.0.1:{port}")
    )


def nginx_stream(folder, port, upstream):
    """nginx as a relay with version 1 of the PROXY protocol."""
    settings = folder / "nginx.conf"
    settings.write_text(
        f"load_module {MODULE};\npid {folder}/pid; error_log {folder}/log notice; events {{}}\n"
        + relay("nginx-stream.conf", port, upstream, "listen 80")
    )
    return nginx(settings)


def haproxy_tcp(folder, port, upstream):
    """HAProxy as a relay with version 2 of the PROXY protocol."""
    settings = folder / "haproxy.cfg"
    settings.write_text(relay("haproxy-tcp.cfg", port, upstream, "bind :80"))
    return haproxy(settings)


RELAYS = {nginx_stream: "nginx-stream.conf", haproxy_tcp: "haproxy-tcp.cfg"}
ALL = EXAMPLES | RELAYS


@contextlib.contextmanager
def running(kind, folder, settings=""):
    """A proxy with a broker of its own behind it; a relay leads to a listener for it, which its example names."""
    port, behind = free_port(), free_port()
    told = settings_for(ALL[kind], ("127.0.0.1:8000", f"127.0.0.1:{behind}"))
    with serving(folder, told + settings) as broker:
        upstream = behind if kind in RELAYS else broker.port
        with in_front(kind(folder, port, upstream), folder, port) as front:
            yield front


@pytest.fixture(params=ALL, ids=lambda kind: kind.__name__)
def front(request, tmp_path):
    with running(request.param, tmp_path, LIMITED) as front:
        yield front


def ask(url, address, *options):
    """The status of an answer, to a client with that address."""
    command = [*CURL, "-o", "/dev/null", "-w", "%{response_code}", "--interface", address, *options, url]
    return int(subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stdout)


def test_each_client_has_limits_of_its_own(front):
    url = front.url("/health/live")
    assert [ask(url, "127.0.0.2") for _ in range(REQUESTS + 1)] == [200] * REQUESTS + [429]
    assert ask(url, "127.0.0.3") == 200
    # Whatever it says of itself.
    for header in ["X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9"]:
        assert ask(url, "127.0.0.2", "-H", header) == 429


def test_nobody_behind_it_is_the_administrator(front):
    for address in ["127.0.0.4", "127.0.0.1"]:
        assert ask(front.url("/admin/stats"), address) == 403


@pytest.fixture(scope="module", params=RELAYS, ids=lambda kind: kind.__name__)
def open_relay(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp("relay"), PAGES) as front:
        yield front


@pytest.mark.parametrize("transport", transports.ALL, ids=lambda transport: transport.name)
def test_transport_through_a_relay(open_relay, transport):
    channel = f"/relayed/{transport.name}"
    with transport(open_relay) as client:
        client.listen(channel)
        reply = client.request(channel, data="own")
        assert reply["successful"], reply
        assert client.take(1)[0]["data"] == "own"
