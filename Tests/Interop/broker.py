"""A broker of the test run: started on a free port, known by its banner, stopped by its process id."""

import contextlib
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# Taken out of the environment, for the programs themselves know no such variable, and say so.
PROGRAMS = pathlib.Path(os.environ.pop("FANFARE_BIN", REPOSITORY / ".build" / "debug")).absolute()

# Seconds until a peer that does not answer is a failure; a test that passes never waits for it.
PATIENCE = 30


class Lines:
    """The lines that a process writes, as they come; a thread reads them, so waiting has a deadline."""

    def __init__(self, stream):
        self.seen = []
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        with stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def next(self):
        """The next line; fails at the end of the output."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f"no line within {PATIENCE} s after {self.seen!r}") from None
        assert line is not None, f"the output ended after {self.seen!r}"
        self.seen.append(line)
        return line


class Process:
    """A child process with its output as `Lines`; leaving the `with` block ends it."""

    def __init__(self, command, **options):
        self._child = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, text=True, encoding="utf-8", **options
        )
        self.lines = Lines(self._child.stdout)

    def wait(self):
        """The exit status, of a process that ends by itself."""
        return self._child.wait(PATIENCE)

    @property
    def pid(self):
        """Its process id."""
        return self._child.pid

    @property
    def is_alive(self):
        """Whether it still runs."""
        return self._child.poll() is None

    def tell(self, line):
        """Write a line to its input, which has to be a pipe."""
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def signal(self, number):
        """Send it a signal."""
        self._child.send_signal(number)

    def terminate(self):
        """Ask it to stop, and return the exit status."""
        self._child.send_signal(signal.SIGTERM)
        return self.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._child.stdin:
            # What it was told and did not read is lost, if it has ended.
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
        if self.is_alive:
            self._child.kill()
            self._child.wait()


def wait_for_line(file, part):
    """The first line of a file that holds `part`, be it there or yet to be written; the file may be missing still."""
    command = ["tail", "--lines=+1", "--follow=name", "--retry", file]
    with Process(command, stderr=subprocess.DEVNULL) as tail:
        while part not in (line := tail.lines.next()):
            pass
        return line


class Broker:
    """`broker-server serve`, once or several times on the same database."""

    def __init__(self, database, log, *options):
        self.database = database
        self.log = log
        self.options = options
        self.port = 0
        self._process = None

    def command(self):
        """What starts it: on a free port, or on the one it had before."""
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        return [PROGRAMS / "broker-server", "serve", *listen, "--database", self.database, *self.options]

    def start(self):
        """Start it. Returns when its banner names the port."""
        with open(self.log, "a", encoding="utf-8") as log:
            self._process = Process(self.command(), stderr=log)
        first = len(self._process.lines.seen)
        self.port = self.told_port("http")
        self.banner = self._process.lines.seen[first:]
        return self

    def told_port(self, scheme):
        """The port of the next URL with that scheme in its banner."""
        while not (told := re.search(rf"{scheme}://127\.0\.0\.1:(\d+)/", self._process.lines.next())):
            pass
        return int(told[1])

    def stop(self):
        """Stop it as an operator does, by SIGTERM; it has to end well."""
        status = self._process.terminate()
        assert status == 0, f"the broker ended with {status}; its log is {self.log}"

    def signal(self, number):
        """Send it a signal."""
        self._process.signal(number)

    def wait(self):
        """The exit status, of a broker that ends by itself."""
        return self._process.wait()

    @property
    def is_alive(self):
        """Whether it still runs."""
        return self._process.is_alive

    def kill(self):
        """End it, if it still runs."""
        if self._process:
            self._process.__exit__()

    @property
    def pid(self):
        """The process id of the running broker."""
        return self._process.pid

    def url(self, path="/", scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def publish(self, channel, data):
        """Publish by HTTP; the broker's answer as a dictionary."""
        request = urllib.request.Request(
            self.url(f"/channels{channel}"), json.dumps(data).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)

    def publish_until_matched(self, channel, data):
        """Publish until somebody is subscribed: that subscriber gets it exactly once."""
        deadline = time.monotonic() + PATIENCE
        while self.publish(channel, data)["matched"] == 0:
            assert time.monotonic() < deadline, f"nobody subscribed to {channel} within {PATIENCE} s"

    def wait_until_unsubscribed(self, channel):
        """Publish until nobody is subscribed any more, which nobody tells otherwise."""
        deadline = time.monotonic() + PATIENCE
        while self.publish(channel, None)["matched"]:
            assert time.monotonic() < deadline, f"somebody is still subscribed to {channel}"

    def samples(self):
        """Every number of /metrics, by name and labels as they stand there."""
        with urllib.request.urlopen(self.url("/metrics"), timeout=PATIENCE) as response:
            lines = [line for line in response.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def wait_for_sample(self, name, least):
        """Ask until a number of /metrics is so large: nobody tells of it otherwise."""
        deadline = time.monotonic() + PATIENCE
        while (value := self.samples()[name]) < least:
            assert time.monotonic() < deadline, f"{name} is {value}, not {least}"

    def wait_until_none(self, name):
        """Ask until a number of /metrics is zero."""
        deadline = time.monotonic() + PATIENCE
        while (value := self.samples()[name]) > 0:
            assert time.monotonic() < deadline, f"{name} is {value}"

    def wait_for_log(self, part):
        """The first line of its log that holds `part`, be it there or yet to come."""
        return wait_for_line(self.log, part)

    def cli(self, *arguments, **options):
        """`broker-cli` on this broker, as a running `Process`."""
        return Process(self._cli_command(arguments), **options)

    def run_cli(self, *arguments, input=""):
        """`broker-cli` on this broker, to its end: returncode, stdout, stderr."""
        return subprocess.run(
            self._cli_command(arguments), input=input, capture_output=True, encoding="utf-8", timeout=PATIENCE
        )

    def _cli_command(self, arguments):
        return [str(PROGRAMS / "broker-cli"), "--url", self.url("/bayeux"), *map(str, arguments)]


@contextlib.contextmanager
def serving(folder, settings=""):
    """A broker on a database in this folder, with these settings, until the `with` block ends."""
    file = folder / "fanfare.yaml"
    file.write_text(settings)
    broker = Broker(folder / "fanfare.db", folder / "broker.log", "--config", file).start()
    try:
        yield broker
    finally:
        broker.kill()
