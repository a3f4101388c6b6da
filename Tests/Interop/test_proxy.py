"""proxy-client, the example of the driver on SwiftNIO, through tinyproxy to echo-server."""

import shutil
import socket
import subprocess
import time

import pytest

from broker import PROGRAMS

TINYPROXY = shutil.which("tinyproxy")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def echo():
    port = free_port()
    with subprocess.Popen([PROGRAMS / "echo-server", str(port)], stdout=subprocess.DEVNULL) as server:
        wait_for(port, server)
        yield port
        server.terminate()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, echo):
    assert TINYPROXY, "tinyproxy is missing: apt-get install tinyproxy"
    port = free_port()
    settings = tmp_path_factory.mktemp("proxy") / "tinyproxy.conf"
    settings.write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\n'
        f'BasicAuth user pa.ss\nConnectPort {echo}\nLogFile "{settings}.log"\n'
    )
    with subprocess.Popen([TINYPROXY, "-d", "-c", settings], stdout=subprocess.DEVNULL) as server:
        wait_for(port, server)
        yield port
        server.terminate()


def run(*arguments):
    return subprocess.run(
        [PROGRAMS / "proxy-client", *arguments], capture_output=True, text=True, timeout=20, check=False
    )


def test_without_a_proxy(echo):
    result = run(f"ws://127.0.0.1:{echo}/", "hello")
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello\n", "")


@pytest.mark.parametrize("text", ["hello", "", "ä" * 40_000])
def test_through_the_proxy(echo, proxy, text):
    result = run("--proxy", f"http://user:pa%2Ess@127.0.0.1:{proxy}", f"ws://127.0.0.1:{echo}/x?y", text)
    assert (result.returncode, result.stdout, result.stderr) == (0, text + "\n", "")


@pytest.mark.parametrize("userinfo", ["", "user:wrong@"])
def test_the_proxy_refuses_the_user(echo, proxy, userinfo):
    result = run("--proxy", f"http://{userinfo}127.0.0.1:{proxy}", f"ws://127.0.0.1:{echo}/", "hello")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"proxy-client: Can't establish a connection to the server at ws://127.0.0.1:{echo}/: "
        f"the proxy has answered with status {result.stderr.split()[-1]}\n"
    )
    assert result.stderr.split()[-1] in ("401", "407")


def test_the_proxy_refuses_the_port(proxy):
    result = run("--proxy", f"http://user:pa%2Ess@127.0.0.1:{proxy}", "ws://127.0.0.1:1/", "hello")
    assert result.returncode == 1
    assert "the proxy has answered with status 403" in result.stderr


def test_the_proxy_is_none(echo):
    """A WebSocket server takes CONNECT for what it is not."""
    result = run("--proxy", f"http://127.0.0.1:{echo}", f"ws://127.0.0.1:{echo}/", "hello")
    assert result.returncode == 1
    assert "the proxy has answered with status 4" in result.stderr
