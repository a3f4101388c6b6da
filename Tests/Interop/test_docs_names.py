"""The documents name types: each of them exists."""

import re

from broker import REPOSITORY

DECLARATION = re.compile(r"\b(?:struct|class|enum|protocol|actor|typealias) ([A-Z]\w+)")
# A name of several words, alone between backticks, or with a member of it.
NAME = re.compile(r"`([A-Z][a-z0-9]+[A-Z]\w*)(?:\.\w+)?`")
# Those of others: of browsers, pages and systemd; our modules; the alerts, which have a test of their own.
OTHERS = re.compile("EventSource|UnauthorizedError|WatchdogSec|LimitNOFILE|NaN|Fanfare[A-Z].+")


def declared():
    """The names of all types of ours, those of tests and of the browser client among them, and of what is fuzzed."""
    paths = [path for folder in ("Sources", "Tests", "web") for path in (REPOSITORY / folder).rglob("*")]
    texts = [path.read_text() for path in paths if path.suffix in (".swift", ".js", ".ts")]
    targets = {path.name for path in (REPOSITORY / "Fuzz" / "Sources").iterdir()}
    return {name for text in texts for name in DECLARATION.findall(text)} | targets


def test_every_type_that_is_named_exists():
    known = declared()
    pages = sorted((REPOSITORY / "docs").glob("*.md")) + [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]
    named = {(page.name, name) for page in pages for name in NAME.findall(page.read_text())}
    assert len(named) > 50
    assert sorted((page, name) for page, name in named if name not in known and not OTHERS.fullmatch(name)) == []
