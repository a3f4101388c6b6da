"""What deploy/ holds for systemd and Debian: the unit is sound and tight, the package is complete and works."""

import gzip
import os
import pathlib
import re
import subprocess

import pytest

from broker import PATIENCE, PROGRAMS, REPOSITORY

DEPLOY = REPOSITORY / "deploy"
# Of 100; systemd-analyze calls less than 50 "OK" and less than 20 the best grade there is.
EXPOSURE = 20


def run(*command, **options):
    """A program to its end; lintian and systemd-analyze take their time."""
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=10 * PATIENCE, **options
    )


def test_unit_is_sound(tmp_path):
    """The unit with the program at the place where it lies here: verify looks whether it can be executed."""
    text = (DEPLOY / "fanfare.service").read_text()
    assert "/usr/bin/broker-server" in text
    unit = tmp_path / "fanfare.service"
    unit.write_text(text.replace("/usr/bin/broker-server", str(PROGRAMS / "broker-server")))
    sockets = tmp_path / "fanfare.socket"
    sockets.write_text((DEPLOY / "fanfare.socket").read_text())
    result = run("systemd-analyze", "verify", "--man=no", unit, sockets)
    assert (result.returncode, result.stderr) == (0, "")


def test_unit_is_tight():
    result = run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", DEPLOY / "fanfare.service")
    assert result.returncode == 0, result.stdout


def line_of(name, start):
    """The first line of one of these files that begins with this, however it is indented."""
    return next(
        line.strip() for line in (DEPLOY / name).read_text().splitlines() if line.lstrip().startswith(start)
    )


def test_socket_is_where_the_broker_listens():
    """The package's configuration takes the socket without a change."""
    place = line_of("fanfare.socket", "ListenStream=")
    listen = line_of("fanfare.yaml", "listen:")
    assert listen.split()[1].strip("[]") == place.split("=")[1]


def test_unit_waits_longer_than_the_broker():
    """A broker that is killed while it waits for its clients would have waited in vain."""
    unit = dict(line.split("=", 1) for line in (DEPLOY / "fanfare.service").read_text().splitlines() if "=" in line)
    shutdown = line_of("fanfare.yaml", "shutdown:").split()[1]
    assert int(unit["TimeoutStopSec"]) > int(shutdown.removesuffix("s"))


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package, and where it was unpacked."""
    folder = tmp_path_factory.mktemp("package")
    # Quickly rather than small: these are the programs with all that a debugger wants.
    quick = {**os.environ, "DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1"}
    made = run(DEPLOY / "make-deb.sh", PROGRAMS, folder, env=quick)
    assert made.returncode == 0, made.stderr
    package = pathlib.Path(made.stdout.strip())
    root = folder / "root"
    assert run("dpkg-deb", "--extract", package, root).returncode == 0
    assert run("dpkg-deb", "--control", package, root / "DEBIAN").returncode == 0
    return package, root


def test_package_tells_what_it_is(package):
    path, _ = package
    version = run(PROGRAMS / "broker-server", "--version").stdout.strip()
    fields = run("dpkg-deb", "--field", path, "Package", "Version", "Depends").stdout
    assert f"Package: fanfare\nVersion: {version}\n" in fields
    # Every library of Debian's that the programs are linked with comes with a package that is named.
    libraries = run("ldd", PROGRAMS / "broker-server").stdout
    for library, name in [("libsqlite3", "libsqlite3-0"), ("libcrypto", "libssl3"), ("libz.", "zlib1g")]:
        assert library in libraries and name in fields


def test_package_works_where_it_is_unpacked(package):
    _, root = package
    server = root / "usr/bin/broker-server"
    configuration = root / "etc/fanfare/fanfare.yaml"
    assert run(server, "check-config", configuration).stdout == f"{configuration}: good\n"
    assert run(root / "usr/bin/broker-cli", "--version").returncode == 0
    for name in ["broker-server", "broker-cli"]:
        assert ".SH SYNOPSIS" in gzip.decompress((root / f"usr/share/man/man1/{name}.1.gz").read_bytes()).decode()
        completions = root / "usr/share/bash-completion/completions" / name
        assert run("bash", "-n", completions).returncode == 0
    for unit in ["fanfare.service", "fanfare.socket"]:
        assert (root / "lib/systemd/system" / unit).read_text() == (DEPLOY / unit).read_text()
    assert (root / "DEBIAN/conffiles").read_text() == "/etc/fanfare/fanfare.yaml\n"
    for script in ["postinst", "prerm", "postrm"]:
        assert run("sh", "-n", root / "DEBIAN" / script).returncode == 0


class Machine:
    """A scratch root with a dpkg of its own. What would reach for the real machine is written down instead of done."""

    SERVICES = ["systemctl", "deb-systemd-invoke"]
    USERS = ["adduser", "addgroup", "useradd", "groupadd", "systemd-sysusers", "deluser", "userdel"]

    def __init__(self, folder):
        self.root, self._calls, stubs = folder / "root", folder / "calls", folder / "stubs"
        for path in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/private", "run/systemd/system"]:
            (self.root / path).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()
        stubs.mkdir()
        for name in self.SERVICES + self.USERS:
            (stubs / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{self._calls}\n')
            (stubs / name).chmod(0o755)
        self._path = f"{stubs}:{os.environ['PATH']}:/usr/sbin:/sbin"

    def dpkg(self, *arguments):
        """Let it do something to the end; the calls that scripts of the package have made."""
        self._calls.write_text("")
        # Scripts are run as dpkg does it for roots that hold no shell: DPKG_ROOT says where everything is. Settings of
        # this machine leave out the documentation, perhaps.
        options = [f"--root={self.root}", "--log=/dev/null", "--path-include=*"]
        forced = [f"--force-{name}" for name in ("script-chrootless", "not-root", "depends")]
        done = run("dpkg", *options, *forced, *arguments, env={**os.environ, "PATH": self._path})
        assert done.returncode == 0, done.stderr
        return self._calls.read_text().splitlines()

    def files(self):
        """All that is no folder and not kept by dpkg and systemd's tools, with its mode."""
        tools = (self.root / "var/lib/dpkg", self.root / "var/lib/systemd", self.root / "etc/systemd")
        return {
            str(file.relative_to(self.root)): file.lstat().st_mode & 0o7777
            for file in self.root.rglob("*")
            if not file.is_dir() and not any(file.is_relative_to(tool) for tool in tools)
        }

    @property
    def is_enabled(self):
        """Whether systemd would start the broker with the machine."""
        return (self.root / "etc/systemd/system/multi-user.target.wants/fanfare.service").is_symlink()

    @property
    def socket(self):
        """What there is when systemd would open the socket with the machine."""
        return self.root / "etc/systemd/system/sockets.target.wants/fanfare.socket"

    def enable_socket(self):
        """What `systemctl enable fanfare.socket` does."""
        self.socket.parent.mkdir(parents=True)
        self.socket.symlink_to("/lib/systemd/system/fanfare.socket")

    @property
    def masked(self):
        """The units that nothing can start."""
        units = self.root / "etc/systemd/system"
        return {unit.name for unit in units.iterdir() if unit.is_symlink() and os.readlink(unit) == "/dev/null"}


RELOAD = "systemctl --system daemon-reload"
RESTART = "deb-systemd-invoke restart fanfare.service"
# The socket first: else the next client would have systemd start the broker again.
STOP = "deb-systemd-invoke stop fanfare.socket fanfare.service"
OPEN_SOCKET = "deb-systemd-invoke start fanfare.socket"


def test_scripts_keep_to_their_root():
    """Or the tests below would remove the data of this machine's broker, and so would who installs for another root."""
    for script in (DEPLOY / "debian").iterdir():
        lines = [line for line in script.read_text().splitlines() if not line.startswith("#")]
        places = re.findall(r"\S*/\S+", "\n".join(lines).replace(">/dev/null", ""))
        assert all(place.startswith('"$DPKG_ROOT/') for place in places), (script, places)


@pytest.fixture
def installed(package, tmp_path):
    """A machine on which the package was just installed, and the calls."""
    test_scripts_keep_to_their_root()
    machine = Machine(tmp_path)
    return machine, machine.dpkg("--install", package[0])


def test_package_installs(package, installed):
    """Every file comes, the broker starts and will again with the machine; no user is made, for systemd makes it."""
    machine, calls = installed
    assert calls == [RELOAD, RESTART]
    assert "DynamicUser=yes" in (machine.root / "lib/systemd/system/fanfare.service").read_text().splitlines()
    assert machine.is_enabled and not os.path.lexists(machine.socket)
    _, unpacked = package
    held = [file for file in unpacked.rglob("*") if not file.is_dir() and "DEBIAN" not in file.parts]
    programs = {"usr/bin/broker-server", "usr/bin/broker-cli"}
    names = {str(file.relative_to(unpacked)) for file in held}
    assert machine.files() == {name: 0o755 if name in programs else 0o644 for name in names}
    configuration = machine.root / "etc/fanfare/fanfare.yaml"
    assert run(machine.root / "usr/bin/broker-server", "check-config", configuration).returncode == 0


def test_package_installs_again(package, installed):
    """What the administrator has changed stays: the configuration, and that the broker does not start by itself."""
    machine, _ = installed
    files = machine.files()
    configuration = machine.root / "etc/fanfare/fanfare.yaml"
    configuration.write_text("listen: 127.0.0.1:9000\n")
    (machine.root / "etc/systemd/system/multi-user.target.wants/fanfare.service").unlink()
    # Nothing stops the broker that runs: it is restarted when all is there.
    calls = machine.dpkg("--install", package[0])
    assert calls[-1] == RESTART and set(calls[:-1]) == {RELOAD}
    assert machine.files() == files
    assert configuration.read_text() == "listen: 127.0.0.1:9000\n"
    assert not machine.is_enabled


def test_package_is_removed_and_purged(package, installed):
    """Data and configuration outlive a removal, and nothing does a purge."""
    machine, _ = installed
    kept = {"etc/fanfare/fanfare.yaml", "var/lib/private/fanfare/fanfare.db", "var/lib/fanfare"}
    # As systemd lays it out for DynamicUser.
    (machine.root / "var/lib/private/fanfare").mkdir()
    (machine.root / "var/lib/private/fanfare/fanfare.db").touch()
    (machine.root / "var/lib/fanfare").symlink_to("private/fanfare")
    assert machine.dpkg("--remove", "fanfare") == [STOP, RELOAD]
    assert {name for name in kept if os.path.lexists(machine.root / name)} == kept
    assert set(machine.files()) <= kept

    assert machine.dpkg("--install", package[0]) == [RELOAD, RESTART]
    assert machine.is_enabled
    machine.dpkg("--purge", "fanfare")
    assert machine.files() == {} and not machine.is_enabled
    assert not any(os.path.lexists(machine.root / name) for name in [*kept, "var/lib/private/fanfare", "etc/fanfare"])
    links = [file for file in (machine.root / "etc").rglob("*") if file.is_symlink()]
    assert links == []


def test_package_with_its_socket(package, installed):
    """Who has enabled the socket keeps it over an upgrade, has it back after a removal, and is rid of it with a purge."""
    machine, _ = installed
    machine.enable_socket()
    calls = machine.dpkg("--install", package[0])
    # Of one that is open a start makes nothing.
    assert calls[-2:] == [OPEN_SOCKET, RESTART] and set(calls[:-2]) == {RELOAD}
    assert machine.socket.is_symlink() and machine.masked == set()

    assert machine.dpkg("--remove", "fanfare") == [STOP, RELOAD]
    assert machine.masked == {"fanfare.service", "fanfare.socket"}
    assert machine.dpkg("--install", package[0]) == [RELOAD, OPEN_SOCKET, RESTART]
    assert machine.socket.is_symlink() and machine.masked == set()

    assert machine.dpkg("--purge", "fanfare")[0] == STOP
    assert [file for file in (machine.root / "etc").rglob("*") if file.is_symlink()] == []


def test_socket_that_is_enabled_no_more_stays_so(package, installed):
    """An upgrade neither opens it nor enables it again."""
    machine, _ = installed
    machine.enable_socket()
    machine.dpkg("--install", package[0])
    machine.socket.unlink()
    calls = machine.dpkg("--install", package[0])
    assert OPEN_SOCKET not in calls and not os.path.lexists(machine.socket)


def test_lintian_finds_no_error(package):
    """Nor a warning. Programs that were built for tests find Swift's libraries where they were built."""
    path, _ = package
    is_shared = "libswiftCore" in run("ldd", PROGRAMS / "broker-server").stdout
    suppressed = ["--suppress-tags", "custom-library-search-path"] if is_shared else []
    found = run("lintian", "--fail-on", "error,warning", *suppressed, path)
    assert (found.returncode, found.stdout) == (0, ""), found.stderr


def test_package_holds_what_it_should(package):
    """Every file of it, so that none is lost, and none comes in by mistake."""
    _, root = package
    files = {str(file.relative_to(root)) for file in root.rglob("*") if not file.is_dir()}
    programs = ["broker-server", "broker-cli"]
    pages = [page.name for kind in ("*.md", "*.yaml") for page in (DEPLOY.parent / "docs").glob(kind)]
    documents = ["NEWS.gz", "changelog.gz", "copyright", *pages]
    examples = ["Caddyfile", "haproxy-tcp.cfg", "haproxy.cfg", "nginx-stream.conf", "nginx.conf"]
    assert files == {
        *(f"DEBIAN/{name}" for name in ["conffiles", "control", "postinst", "postrm", "prerm"]),
        "etc/fanfare/fanfare.yaml",
        *(f"lib/systemd/system/fanfare.{kind}" for kind in ["service", "socket"]),
        *(f"usr/bin/{name}" for name in programs),
        *(f"usr/share/bash-completion/completions/{name}" for name in programs),
        *(f"usr/share/doc/fanfare/{name}" for name in documents),
        *(f"usr/share/doc/fanfare/examples/{name}" for name in examples),
        *(f"usr/share/fish/vendor_completions.d/{name}.fish" for name in programs),
        "usr/share/lintian/overrides/fanfare",
        *(f"usr/share/man/man1/{name}.1.gz" for name in programs),
        *(f"usr/share/zsh/vendor-completions/_{name}" for name in programs),
    }


def test_package_belongs_to_root(package):
    path, _ = package
    listing = run("dpkg-deb", "--contents", path).stdout.splitlines()
    assert listing
    for line in listing:
        assert line.split()[1] == "root/root", line
        assert not line.startswith(("-rwxrwx", "drwxrwx")), line
