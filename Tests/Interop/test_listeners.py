"""Several listeners: plain and TLS, Unix sockets, sockets of the service manager; what each serves, who gets which."""

import os
import re
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from broker import PATIENCE, PROGRAMS, Process, wait_for_line
from certificates import Authority
from others import free_port


class ManyEars:
    """A broker with listeners of a configuration file; `banner` is all that it said when it was ready."""

    def __init__(self, folder, text, *options, sockets=()):
        self.folder = folder
        self.log = folder / "log"
        config = folder / "fanfare.yaml"
        config.write_text(text)
        command = [
            PROGRAMS / "broker-server", "serve", "--config", config, "--database", folder / "fanfare.db", *options,
        ]
        variables = dict(os.environ)
        if sockets:
            command = [sys.executable, "-c", HAND_ON, *(listener.fileno() for listener, _ in sockets), "--", *command]
            variables["LISTEN_FDS"] = str(len(sockets))
            variables["LISTEN_FDNAMES"] = ":".join(name for _, name in sockets)
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = Process(
                command, stderr=log, env=variables, pass_fds=[listener.fileno() for listener, _ in sockets]
            )

    def ready(self):
        """Wait for the banner as far as every broker has it; lines for other listeners come behind."""
        self.banner = ""
        while "open to" not in self.banner:
            self.banner += self.process.lines.next()
        return self

    def lines(self, count):
        """Further lines of the banner: one for each listener but the first."""
        return [self.process.lines.next() for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if error[0] is None:
            assert self.process.terminate() == 0, self.log.read_text()
        self.process.__exit__()


# What a service manager does between fork and exec: the sockets become descriptors 3 and up, and the process is named.
HAND_ON = """
import fcntl, os, sys
end = sys.argv.index("--")
high = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 100) for number in sys.argv[1:end]]
for index, descriptor in enumerate(high):
    os.dup2(descriptor, 3 + index)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[end + 1], sys.argv[end + 1:])
"""


def curl(*arguments):
    result = subprocess.run(
        ["curl", "-sS", "-o", "-", "-w", "\n%{http_code}", *map(str, arguments)],
        capture_output=True, text=True, timeout=PATIENCE,
    )
    body, _, status = result.stdout.rpartition("\n")
    return result.returncode, int(status or 0), body


@pytest.fixture
def folder(tmp_path_factory):
    """A folder with a short path: those of Unix sockets may have 107 bytes."""
    return tmp_path_factory.mktemp("l")


def test_plain_tls_and_unix_at_once(folder):
    authority = Authority(folder)
    authority.sign("here", folder / "c.pem", folder / "k.pem")
    text = f"""
listeners:
  - {{name: inner, listen: 127.0.0.1:0}}
  - name: public
    listen: 127.0.0.1:0
    tls: {{certificate: {folder}/c.pem, key: {folder}/k.pem}}
    admin: false
    metrics: false
  - {{name: file, listen: "unix:{folder}/s", mode: 600}}
"""
    with ManyEars(folder, text).ready() as broker:
        plain = re.search(r"clients +(http://127\.0\.0\.1:\d+)/bayeux", broker.banner)[1]
        tls, unix = broker.lines(2)
        secure = re.fullmatch(r"  TLS        (https://127\.0\.0\.1:\d+)/bayeux \(public\)\n", tls)[1]
        assert unix == f"  socket     unix:{folder}/s (file)\n"
        assert stat.S_IMODE(os.stat(folder / "s").st_mode) == 0o600
        ways = [
            ([plain], 200),
            (["--cacert", authority.certificate, secure], 404),
            # Whoever passes a socket of the file system on has no address: without keys it is not the administrator.
            (["--unix-socket", folder / "s", "http://localhost"], 403),
        ]
        for (*options, base), expected in ways:
            status, code, body = curl(*options, "-d", "1", f"{base}/channels/listeners")
            assert (status, code) == (0, 200), body
            # What is for operators is served where the configuration says so.
            for path in ["/metrics", "/admin/stats"]:
                assert curl(*options, base + path)[:2] == (0, expected), (base, path)
            assert curl(*options, base + "/health/live")[:2] == (0, 200)
        # Of those that are gone the broker hears in its own time.
        deadline = time.monotonic() + PATIENCE
        while 'fanfare_listener_connections{listener="inner"} 1\n' not in (metrics := curl(plain + "/metrics")[2]):
            assert time.monotonic() < deadline, metrics
        for name in ["inner", "public", "file"]:
            count = re.search(rf'^fanfare_listener_connections_opened_total{{listener="{name}"}} (\d+)$', metrics, re.M)
            assert int(count[1]) >= 4, metrics
    assert not (folder / "s").exists(), "a socket's file goes with the broker"


def test_two_flags(folder):
    with ManyEars(folder, "", "--listen", "127.0.0.1:0", "--listen", f"unix:{folder}/s").ready() as broker:
        assert broker.lines(1) == [f"  socket     unix:{folder}/s\n"]
        assert curl("--unix-socket", folder / "s", "http://localhost/health/live")[1] == 200


def test_a_file_that_was_left_behind(folder):
    path = folder / "s"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    with ManyEars(folder, "", "--listen", f"unix:{path}").ready():
        assert curl("--unix-socket", path, "http://localhost/health/live")[1] == 200
    assert not path.exists()


def test_a_file_that_somebody_else_has(folder):
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        with ManyEars(folder, f'listeners: [{{name: mine, listen: "unix:{path}"}}]').process as process:
            assert process.wait() == 69
        assert path.exists()
    log = (folder / "log").read_text()
    assert f"Cannot listen on unix:{path} (listener mine): the socket is in use by another program." in log
    path.unlink()
    path.write_text("precious")
    with ManyEars(folder, "", "--listen", f"unix:{path}").process as process:
        assert process.wait() == 69
    assert "there is a file that is no socket" in (folder / "log").read_text()
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    "options, message",
    [("owner: no-such-user", "there is no user no-such-user"), ("group: no-such-group", "there is no group")],
)
def test_permissions_that_cannot_be(folder, options, message):
    with ManyEars(folder, f'listeners: [{{listen: "unix:{folder}/s", {options}}}]').process as process:
        assert process.wait() == 69
    assert message in (folder / "log").read_text()
    assert not (folder / "s").exists()


def test_one_that_cannot_be_had_and_nothing_starts(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = f"""
listeners:
  - {{name: first, listen: "unix:{folder}/s"}}
  - {{name: second, listen: "127.0.0.1:{port}"}}
"""
        with ManyEars(folder, text).process as process:
            assert process.wait() == 69
    log = (folder / "log").read_text()
    assert f"Cannot listen on 127.0.0.1:{port} (listener second): the port is in use by another program." in log
    assert not (folder / "s").exists()


def get(port, path="/health/live"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
        return answer.status


def test_sockets_of_the_service_manager(folder):
    """By address, by name, and what is left over; a socket that nobody takes is an error."""
    with (
        socket.create_server(("127.0.0.1", 0)) as known,
        socket.create_server(("127.0.0.1", 0)) as named,
        socket.socket(socket.AF_UNIX) as file,
    ):
        file.bind(f"{folder}/s")
        file.listen()
        ports = [listener.getsockname()[1] for listener in [known, named]]
        sockets = [(known, "fanfare.socket"), (named, "extra"), (file, "fanfare.socket")]
        text = f"""
listen: 127.0.0.1:{ports[0]}
listeners:
  - {{name: extra, listen: "systemd:extra", metrics: false}}
  - {{name: rest, listen: systemd}}
"""
        with ManyEars(folder, text, sockets=sockets).ready() as broker:
            assert broker.lines(2) == [
                f"  also       http://127.0.0.1:{ports[1]}/bayeux (extra)\n",
                f"  socket     unix:{folder}/s (rest)\n",
            ]
            assert get(ports[0]) == get(ports[1]) == 200
            assert get(ports[0], "/metrics") == 200
            with pytest.raises(urllib.error.HTTPError, match="404"):
                get(ports[1], "/metrics")
            assert curl("--unix-socket", folder / "s", "http://localhost/health/live")[1] == 200
        assert (folder / "s").exists(), "the file is the service manager's"

        with ManyEars(folder, "", "--listen", f"127.0.0.1:{ports[0]}", sockets=sockets).process as process:
            assert process.wait() == 78
        assert f"systemd passes extra at 127.0.0.1:{ports[1]}, which no listener takes" in (folder / "log").read_text()
        with ManyEars(folder, "", "--listen", "systemd:other", sockets=sockets).process as process:
            assert process.wait() == 78
        assert "systemd passes no socket named other; it passes extra, fanfare.socket." in (folder / "log").read_text()
    with ManyEars(folder, "", "--listen", "systemd").process as process:
        assert process.wait() == 78
    assert "systemd passes no socket; it passes none." in (folder / "log").read_text()


def test_nobody_is_refused_during_a_restart(folder):
    """Who connects while no broker runs waits in the socket that systemd holds, and is served by the next broker."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as file:
        file.bind(f"{folder}/s")
        file.listen()
        sockets = [(tcp, "fanfare.socket"), (file, "fanfare.socket")]
        places = [(socket.AF_INET, tcp.getsockname()), (socket.AF_UNIX, f"{folder}/s")]
        waiting = []
        for _ in range(3):
            with ManyEars(folder, "", "--listen", "systemd", sockets=sockets).ready():
                for client in waiting:
                    client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    assert client.recv(12) == b"HTTP/1.1 200"
                    client.close()
            waiting = []
            for family, place in places:
                client = socket.socket(family)
                client.settimeout(PATIENCE)
                client.connect(place)
                waiting.append(client)
        for client in waiting:
            client.close()


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_real_socket_activation(folder, kind):
    """systemd's own program for it: the broker starts with the first connection, which is served."""
    port = free_port()
    place = f"127.0.0.1:{port}" if kind == "tcp" else f"{folder}/s"
    command = [
        "systemd-socket-activate", f"--listen={place}", "--fdname=fanfare", PROGRAMS / "broker-server", "serve",
        "--listen", "systemd:fanfare", "--database", ":memory:",
    ]
    with open(folder / "log", "w", encoding="utf-8") as log:
        process = Process(command, stderr=log)
    with process:
        wait_for_line(folder / "log", "Listening on")
        client = socket.socket(socket.AF_INET if kind == "tcp" else socket.AF_UNIX)
        with client:
            client.settimeout(PATIENCE)
            client.connect(("127.0.0.1", port) if kind == "tcp" else place)
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        assert process.terminate() == 0
