"""docs/errors.md has every error that the sources can make, and no other."""

import re

from broker import REPOSITORY

SOURCES = REPOSITORY / "Sources" / "Broker"
# How the sources write an error: its code and its text, up to what is put into that.
IN_ONE_PLACE = re.compile(r'code: (\d{3}), arguments: (?:(?!text:).)*text: "([^"\\]*)', re.DOTALL)
AS_ONE_STRING = re.compile(r'"(\d{3}):[^":]*:([^"\\]+)')
OF_CREDENTIALS = re.compile(r'\bcredentials\(\.\w+, "([^"\\]*)')
OF_TOKENS = re.compile(r'\.token\("([^":\\]*)')
OF_VERBS = re.compile(r'case \.(?:publish|subscribe): "(\w+ denied)"')


def in_sources():
    for file in SOURCES.rglob("*.swift"):
        text = file.read_text(encoding="utf-8")
        if file.name == "BayeuxError.swift":
            yield from IN_ONE_PLACE.findall(text)
            yield from (("401", found) for found in OF_CREDENTIALS.findall(text))
            yield from (("403", found) for found in OF_VERBS.findall(text))
        yield from AS_ONE_STRING.findall(text)
        yield from (("401", found) for found in OF_TOKENS.findall(text))


def in_documentation():
    text = (REPOSITORY / "docs" / "errors.md").read_text(encoding="utf-8")
    for code, words in re.findall(r"^\| `(\d{3}):[^:`]*:([^`]+)` \|", text, re.MULTILINE):
        yield code, words.removesuffix("REASON")


def same(errors):
    return {(code, words.rstrip(": ")) for code, words in errors}


def test_the_catalogue_is_complete():
    found = same(in_sources())
    # More than one way of writing them was found.
    assert len({code for code, _ in found}) > 5
    assert found == same(in_documentation())


def test_the_limits_that_errors_name_are_named():
    text = (REPOSITORY / "docs" / "errors.md").read_text(encoding="utf-8")
    named = set()
    for file in (SOURCES / "Core").rglob("*.swift"):
        named |= set(re.findall(r'\.tooMany\("(\w+)"\)', file.read_text(encoding="utf-8")))
    row = re.search(r"^\| `429:LIMIT:Limit reached` \| ([^|]*) \|", text, re.MULTILINE)[1]
    assert set(re.findall(r"`([a-z]+)`", row)) == named
