"""What deploy/Dockerfile promises, as far as it can be seen without an engine: the image holds what they need."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from broker import PATIENCE, PROGRAMS, REPOSITORY

# What every image of Debian has.
ESSENTIAL = {"libc6", "libgcc-s1"}
# What the programs read, or what is for people, and what no linker knows of.
FILES = {"ca-certificates"}


def instructions(text):
    """The instructions of each stage: pairs of a name and what follows it, on one line."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stages = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, rest = line.split(maxsplit=1)
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest))
    return stages


BUILD, IMAGE = instructions((REPOSITORY / "deploy" / "Dockerfile").read_text())


def only(name):
    """What follows the instruction, of which the image has one."""
    (rest,) = (rest for found, rest in IMAGE if found == name)
    return rest


def environment():
    """That of the image's processes, with the programs of this test run."""
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": "/", **dict(pair.split("=", 1) for pair in shlex.split(only("ENV")))}


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE, **options)


def debian_packages(*programs):
    """The packages of the libraries that programs are linked with. Swift's own are in no package, nor in the image."""
    linked = run("ldd", *programs).stdout
    libraries = {path for path in re.findall(r"(/\S+) \(0x", linked) if "swift" not in path}
    # Where the linker finds them and where packages say they are may differ by a /usr.
    owners = run("dpkg", "-S", *(f"*{path.removeprefix('/usr')}" for path in sorted(libraries))).stdout
    owned = dict(reversed(line.split(": ")) for line in owners.splitlines())
    places = {path.removeprefix("/usr"): package.split(":")[0].removesuffix("t64") for path, package in owned.items()}
    return {places[path.removeprefix("/usr")] for path in libraries}


def test_image_has_the_libraries():
    """Those that the programs are linked with, and none for nothing."""
    needed = debian_packages(PROGRAMS / "broker-server", PROGRAMS / "broker-cli")
    installed = re.search(r"--no-install-recommends ([^&]+)&&", only("RUN"))[1].split()
    assert set(installed) == needed - ESSENTIAL | FILES


def test_image_is_not_root():
    """User and group are numbers, for an engine that is to refuse root looks no names up; and the volume is theirs."""
    found = re.fullmatch(r"([1-9]\d*):([1-9]\d*)", only("USER"))
    assert found, only("USER")
    user, group = found.groups()
    assert f"-o {user} -g {group} {only('VOLUME')}" in only("RUN")


def test_image_is_built_anew():
    """Neither the compiler nor the sources are in it: it begins with Debian, and gets the two programs."""
    build, stage = re.fullmatch(r"(\S+) AS (\S+)", BUILD[0][1]).groups()
    base = only("FROM")
    assert base not in {build, stage} and base.startswith("debian:"), base
    source, *programs, target = only("COPY").split()
    assert source == f"--from={stage}" and target == "/usr/bin/"
    assert {pathlib.PurePath(program).name for program in programs} == {"broker-server", "broker-cli"}
    assert not any(name == "ADD" for name, _ in IMAGE)


def test_context_has_the_targets():
    """A folder that Package.swift names and .dockerignore does not would be missed when the image is built."""
    ignore = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    named = set(re.findall(r'path: "([^"/]+)', (REPOSITORY / "Package.swift").read_text()))
    assert {"Package.swift", "Package.resolved", *named} == allowed


def test_configuration_fits_the_image():
    """The broker listens where the image says it does, and keeps its database in the volume."""
    shown = run("broker-server", "print-config", env=environment()).stdout
    listen, database = (re.search(rf"^{key}: +(\S+)", shown, re.M)[1] for key in ["listen", "database"])
    assert listen.strip("[]") == f"0.0.0.0:{only('EXPOSE')}"
    assert pathlib.PurePath(database).is_relative_to(only("VOLUME"))
    assert environment()["SQLITE_TMPDIR"] == only("VOLUME")
    assert f" {only('VOLUME')}" in only("RUN"), "the folder of the volume belongs to nobody"


@pytest.fixture
def health_check(broker):
    """The image's, where an engine has a proxy for what goes out; as a function of the broker's URL."""
    command = json.loads(only("HEALTHCHECK").split("CMD", 1)[1])
    proxy = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    return lambda url: run(*command, env={**environment(), **proxy, "FANFARE_URL": url})


def test_health_check(health_check, broker):
    healthy = health_check(broker.url())
    assert (healthy.returncode, healthy.stderr) == (0, "")
    assert health_check("http://127.0.0.1:1/").returncode != 0
