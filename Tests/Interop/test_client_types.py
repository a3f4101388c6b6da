"""fanfare.d.ts, as TypeScript's own compiler sees it."""

import subprocess

from broker import PATIENCE, REPOSITORY

OPTIONS = ["--noEmit", "--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "node"]


def test_examples_compile():
    """The examples do; each line of them that is marked as wrong does not."""
    command = ["tsc", *OPTIONS, "--lib", "es2022,dom,dom.iterable", REPOSITORY / "Tests" / "Types" / "examples.ts"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert (ended.stdout, ended.returncode) == ("", 0)
