"""proxy-client, the example of the driver on SwiftNIO, through tinyproxy to echo-server."""

import subprocess

import pytest

from broker import PATIENCE, PROGRAMS, Process
from others import tinyproxy


@pytest.fixture(scope="module")
def echo():
    with Process([PROGRAMS / "echo-server", 0]) as server:
        yield int(server.lines.next().rpartition(":")[2])


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, echo):
    with tinyproxy(tmp_path_factory.mktemp("proxy"), f"ConnectPort {echo}") as (port, _):
        yield port


def run(*arguments):
    return subprocess.run(
        [PROGRAMS / "proxy-client", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
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
