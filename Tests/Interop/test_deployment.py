"""What deploy/ holds for systemd and Debian: the unit is sound and tight, the package is complete and works."""

import gzip
import os
import pathlib
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
