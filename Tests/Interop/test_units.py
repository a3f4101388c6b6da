"""What the operator's guide says to add to the units of systemd: it is sound, and the broker can do what it says."""

import http.client
import os
import re
import socket
import stat
import subprocess

import pytest

from broker import PATIENCE, PROGRAMS, REPOSITORY
from test_listeners import ManyEars

DEPLOY = REPOSITORY / "deploy"
GUIDE = (REPOSITORY / "docs" / "operating.md").read_text()
UNITS = ["fanfare.service", "fanfare.socket"]
# Of a unit's name to what is added to it.
ADDITIONS = dict(re.findall(r"^```ini\n# systemctl edit (\S+)\n(.*?)^```", GUIDE, re.M | re.S))
PROXY_SOCKET = "/run/fanfare.sock"


def settings_with(place):
    """The block of settings that mentions this."""
    (block,) = (block for block in re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.M | re.S) if place in block)
    return block


def test_additions_are_for_our_units():
    assert sorted(ADDITIONS) == UNITS
    assert GUIDE.count("```ini\n") == len(UNITS)


@pytest.mark.parametrize("added", UNITS)
def test_units_are_sound_with_them(tmp_path, added):
    for name in UNITS:
        text = (DEPLOY / name).read_text().replace("/usr/bin/broker-server", str(PROGRAMS / "broker-server"))
        (tmp_path / name).write_text(text)
    folder = tmp_path / f"{added}.d"
    folder.mkdir()
    (folder / "override.conf").write_text(ADDITIONS[added])
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in UNITS)],
        capture_output=True, text=True, timeout=2 * PATIENCE,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")


def test_a_credential_is_where_the_settings_look():
    """systemd puts it below /run/credentials, by the names of unit and credential."""
    name, file = re.search(r"^LoadCredential=([^:]+):(\S+)$", ADDITIONS["fanfare.service"], re.M).groups()
    assert f"/run/credentials/fanfare.service/{name}]" in settings_with("/run/credentials")
    assert file.startswith("/etc/fanfare/")


def test_a_socket_for_a_proxy(tmp_path_factory):
    """The broker takes the one that systemd has made, by its address, serves on it, and leaves its file as it is."""
    assert f"ListenStream={PROXY_SOCKET}\n" in ADDITIONS["fanfare.socket"]
    mode = int(re.search(r"^SocketMode=(\d+)$", ADDITIONS["fanfare.socket"], re.M)[1], 8)
    place = tmp_path_factory.mktemp("u") / "s"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as file:
        file.bind(str(place))
        os.chmod(place, mode)
        file.listen()
        text = settings_with(PROXY_SOCKET).replace(PROXY_SOCKET, str(place))
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{tcp.getsockname()[1]}")
        # All sockets of a unit have its name.
        sockets = [(tcp, "fanfare"), (file, "fanfare")]
        with ManyEars(place.parent, text, sockets=sockets).ready():
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(str(place))
                client.sendall(
                    b"GET /health/live HTTP/1.1\r\nHost: chat.example.com\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
                )
                response = http.client.HTTPResponse(client)
                response.begin()
                assert response.status == 200
        assert stat.S_IMODE(place.stat().st_mode) == mode
