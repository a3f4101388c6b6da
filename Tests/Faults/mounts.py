"""A small file system that only the programs started in it see."""

import os
import pathlib
import subprocess

MOUNT = "/mnt"


class Volume:
    """A tmpfs in a mount namespace of its own, there within a `with` block.

    `enter` is what a command begins with to run there; `inside` is the folder as such a command names it, `outside` as
    the test does.
    """

    def __init__(self, kibibytes):
        self._options = f"size={kibibytes}k,mode=0700"

    def __enter__(self):
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        script = f"mount -t tmpfs -o {self._options} fanfare {MOUNT} && echo ready && exec cat"
        self._holder = subprocess.Popen(
            ["unshare", *user, "--mount", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout.readline() == b"ready\n", "no mount namespace could be had"
        join = ["--user", "--preserve-credentials"] if user else []
        self.enter = ["nsenter", *join, "--mount", "--target", str(self._holder.pid)]
        self.inside = pathlib.Path(MOUNT)
        self.outside = pathlib.Path(f"/proc/{self._holder.pid}/root{MOUNT}")
        return self

    def __exit__(self, *_):
        self._holder.stdin.close()
        self._holder.wait(10)
        self._holder.stdout.close()

    def remount(self, option):
        """`ro` or `rw`."""
        subprocess.run([*self.enter, "mount", "-o", f"remount,bind,{option}", MOUNT], check=True, timeout=10)

    def fill(self):
        """Leave no room at all."""
        with open(self.outside / "filler", "ab", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass

    def make_room(self):
        (self.outside / "filler").unlink()
