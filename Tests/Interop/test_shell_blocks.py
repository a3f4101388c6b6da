"""What the pages show for shells: every block that is marked `sh` works as it stands, beside a broker that runs."""

import contextlib
import json
import os
import re
import subprocess

import pytest

from broker import PATIENCE, PROGRAMS, REPOSITORY, Broker, Process
from tokens import SECRET, token

NAMES = ["README.md", "docs/operating.md", "docs/cli.md", "docs/access.md", "docs/store.md"]
TEXTS = {name: (REPOSITORY / name).read_text(encoding="utf-8") for name in NAMES}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(name, language):
    """The blocks of a page that are marked so."""
    return [block for mark, block in FENCED.findall(TEXTS[name]) if mark == language]


def first_line(block):
    """By which a block is known: its first command, without the remark behind it."""
    return re.sub(r"\s+#.*", "", block.split("\n")[0])


# The blocks that are marked `console`, which no test can run as they stand, and why.
LEFT_OUT = {
    "make run": "builds, and then runs for ever; the other one runs these very tests",
    "systemctl enable --now fanfare": "wants systemd, and the package; test_units.py looks at the unit",
    "systemctl enable fanfare.socket": "the same",
    "systemctl stop fanfare.service fanfare.socket": "the same",
    "docker build -f deploy/Dockerfile -t fanfare .": "wants an engine; test_image.py looks at what the image holds",
}
# What broker a page speaks of, if not of one with the defaults.
SETTINGS = {
    "README.md": "channels: {/news/**: {history: 1000}, /chat/**: {history: 1000}, /jobs/*: {history: 10000}}\n",
    "docs/operating.md": (REPOSITORY / "deploy" / "fanfare.yaml").read_text(encoding="utf-8"),
    "docs/access.md": blocks("docs/access.md", "yaml")[0],
}
# Where the broker is, for all pages: a profile is chosen, and so no line has to say it.
(PROFILES,) = blocks("docs/cli.md", "yaml")
# What pages take for granted in the folder of whoever reads them.
FILES = {
    "etc/tokens.key": SECRET + "\n",
    "log.ndjson": '{"n":1}\n{"n":2}\n',
    "work": "#!/bin/sh\ncat && echo\n",
    "archive": '#!/bin/sh\n[ -n "$1" ]\n',
    "bin/uptime": "#!/bin/sh\necho up 1 day\n",
    # The status of curl tells of errors, too.
    ".curlrc": "fail\n",
}
# Until somebody ends it, what is published is printed.
ENDLESS = re.compile(r"broker-cli subscribe (?!.*--until-end)")
# Denied, as the page says, with status 1.
DENIED = "broker-server explain publish /news/today"
# Beside it no broker may run on the database.
ALONE = "broker-server migrate"


def commands(block):
    """The commands of a block, each on a line of its own, but for those that a backslash continues."""
    return [line for line in block.replace("\\\n", " ").split("\n") if line and not line.startswith("#")]


def script(commands):
    """A shell's script of these, which ends with the first that does not do what the page says."""
    denied = "status=0; {{ {}\n}} || status=$?; [ $status = 1 ]"
    return "\n".join(denied.format(line) if line.startswith(DENIED) else line for line in commands)


class Page:
    """A page, and the machine of its reader: a broker, and folders of this test's in the place of the machine's."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder
        for part in ["etc", "backups", "bin", "state/fanfare", ".config/fanfare", ".build"]:
            (folder / part).mkdir(parents=True)
        (folder / ".build" / "release").symlink_to(PROGRAMS)
        for part, text in FILES.items():
            (folder / part).write_text(text, encoding="utf-8")
            (folder / part).chmod(0o700)
        (folder / "admin.token").write_text(token("operator", admin=True))
        (folder / "admin.token").chmod(0o600)
        settings = folder / "etc" / "fanfare.yaml"
        settings.write_text(self.ours(SETTINGS.get(name, "")), encoding="utf-8")
        self.broker = Broker(folder / "state/fanfare/fanfare.db", folder / "log", "--config", settings)

    def ours(self, text):
        """What a page says, of this machine."""
        for theirs, ours in [("/etc/fanfare", self.folder / "etc"), ("/var/backups", self.folder / "backups")]:
            text = text.replace(theirs, str(ours))
        # A second tells whether it works.
        return text.replace("--duration 10", "--duration 1")

    def start(self):
        """Start the broker."""
        self.broker.start()
        profiles = self.here(PROFILES)
        (self.folder / ".config/fanfare/profiles.yaml").write_text(profiles, encoding="utf-8")

    def here(self, text):
        """The same, with the broker's port."""
        return self.ours(text).replace("127.0.0.1:8000", f"127.0.0.1:{self.broker.port}")

    @property
    def shell(self):
        """How a shell is started: with the programs on its path."""
        environment = {
            "PATH": f"{self.folder / 'bin'}:{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "FANFARE_PROFILE": "local",
            "TOKEN": token("bob", subscribe=["/orders/**"]),
        }
        return {"cwd": self.folder, "env": environment, "stdin": subprocess.DEVNULL}

    def run(self, block):
        """Run the commands of a block, one after the other; each has to end well, or to go on until it is stopped."""
        ready = []
        for command in commands(self.here(block)):
            if ENDLESS.match(command):
                self.finish(ready)
                # What holds for the commands behind it, too.
                ready = [line for line in ready if line.startswith("export ")]
                with self.listening([*ready, command]):
                    pass
            else:
                ready.append(command)
        self.finish(ready)

    def finish(self, commands):
        """Run commands that end by themselves."""
        result = subprocess.run(
            ["sh", "-ec", script(commands)], capture_output=True, encoding="utf-8", timeout=PATIENCE, **self.shell
        )
        assert result.returncode == 0, result.stderr

    @contextlib.contextmanager
    def listening(self, commands):
        """The last of these, which subscribes: once it has heard something, until the `with` block ends."""
        *before, last = commands
        channel = re.search(r"'(/\S+/)\*+'", last)[1] + "here"
        with Process(["sh", "-ec", script([*before, "exec " + last])], **self.shell) as listener:
            self.broker.publish_until_matched(channel, "heard")
            while '"heard"' not in listener.lines.next():
                pass
            yield listener
            assert listener.terminate() == 143

    @contextlib.contextmanager
    def stopped(self):
        """Nobody uses the database until the `with` block ends."""
        self.broker.stop()
        try:
            yield
        finally:
            self.broker.start()


@pytest.fixture(scope="module")
def page(request, tmp_path_factory):
    page = Page(request.param, tmp_path_factory.mktemp("page"))
    try:
        page.start()
        if page.name == "README.md":
            # So long that there is something behind the number that it names.
            numbers = "".join(f"{number}\n" for number in range(50))
            assert page.broker.run_cli("publish", "/news/today", "-", input=numbers).returncode == 0
        yield page
        page.broker.stop()
    finally:
        page.broker.kill()


def test_every_block_is_run_or_left_out_for_a_reason():
    assert {first_line(block) for name in NAMES for block in blocks(name, "console")} == set(LEFT_OUT)
    for name, text in TEXTS.items():
        assert blocks(name, "sh"), f"{name} has no block"
        assert {mark for mark, _ in FENCED.findall(text)} <= {"sh", "console", "yaml", "ini", "html", "swift"}, name
        assert not re.search(r"^ {4}\S", FENCED.sub("", text), re.M), f"{name} has a block without a mark"


@pytest.mark.parametrize(
    ("page", "block"),
    [
        pytest.param(name, block, id=f"{name}: {first_line(block)}")
        for name in NAMES
        for block in blocks(name, "sh")
    ],
    indirect=["page"],
)  # fmt: skip
def test_block(page, block):
    with page.stopped() if block.startswith(ALONE) else contextlib.nullcontext():
        page.run(block)


@pytest.mark.parametrize("page", NAMES[:1], indirect=True)
def test_first_steps(page):
    """What the third shell publishes is what the second one shows."""
    listen, publish = [block for block in blocks(page.name, "sh") if block.startswith("export ")]
    with page.listening(commands(listen)) as listener:
        page.run(publish)
        for _ in range(2):
            message = json.loads(listener.lines.next())
            assert (message["channel"], message["data"]) == ("/demo/hello", {"text": "Hello"})
