"""docs/threat-model.md names tests: each of them exists."""

import re

from broker import REPOSITORY

TEXT = (REPOSITORY / "docs" / "threat-model.md").read_text()
NAME = r"`([\w+]+\.(?:py|swift))::([^`]+)`"
NAMED = re.findall(NAME, TEXT)
# `make hot-paths` runs these, each a row of a table.
GROWTH = REPOSITORY / "Benchmarks" / "HotPaths" / "Sources" / "hot-paths"


def test_every_test_that_is_named_exists():
    paths = [path for path in (REPOSITORY / "Tests").rglob("*.*") if path.suffix in (".py", ".swift")]
    files = {path.name: path.read_text() for path in [*paths, *GROWTH.glob("Growth*.swift")]}
    for file, name in set(NAMED):
        assert file in files, f"there is no {file}"
        declared = rf"func (?:{name}|`{name}`)\("
        if file.endswith(".py"):
            declared = rf"^def {name}\("
        elif file.startswith("Growth"):
            declared = rf'Growth\(name: "{name}"\)'
        assert re.search(declared, files[file], re.M), f"{file} has no {name}"


def test_every_advisory_has_an_answer():
    rows = re.findall(r"(?m)^\| (\d+) \|[^|]+\|[^|]+\|([^|]+)\|$", TEXT)
    assert [int(number) for number, _ in rows] == list(range(1, 27))
    for number, answer in rows:
        assert re.search(NAME, answer) or "cannot apply" in answer, f"advisory {number} names no test"


def test_what_is_not_named_is_not_forgotten():
    """Every attack that is played is in the model."""
    folder = REPOSITORY / "Tests" / "Attacks"
    named = {file for file, _ in NAMED}
    played = {path.name for path in folder.glob("test_*.py")} - {"test_threat_model.py"}
    assert played <= named, played - named


def test_what_bears_the_name_of_an_advisory_is_named():
    """Whatever was written because of one stands in its row."""
    tests = (REPOSITORY / "Tests" / "BrokerCoreTests" / "Bayeux" / "AdvisoryTests.swift").read_text()
    declared = set(re.findall(r"(?m)^    func (\w+)\(\) throws", tests))
    assert declared and declared <= {name for file, name in NAMED if file == "AdvisoryTests.swift"}
