"""YAML that means harm, or slipped: one line with file and line number, in time that grows with the text."""

import contextlib
import time
from collections.abc import Callable

import pytest

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.yaml_text import parse_yaml


def _laughs(line: str, first: str) -> str:
    return first + "".join(line.format(i=i, many=",".join([f"*a{i - 1}"] * 10)) for i in range(1, 9))


BAD = {
    "a date that is none": ("a: 1\nd: 2026-02-30", 2, "day is out of range"),
    "a time that is none": ("d: 2026-01-01 25:61:00", 1, "hour must be"),
    "flow nesting": ("a: " + "[" * 200_000, 1, "nested deeper"),
    "mapping nesting": ("{a: " * 200_000, 1, "nested deeper"),
    "block nesting": ("\n".join(" " * i + "a:" for i in range(500)), 51, "nested deeper"),
    "a billion laughs": (_laughs("a{i}: &a{i} [{many}]\n", "a0: &a0 [lol]\n"), 6, "aliases come to more"),
    "merged laughs": (_laughs("a{i}: &a{i} {{<<: [{many}]}}\n", "a0: &a0 {k: v}\n"), 6, "aliases come to more"),
    "a list within itself": ("a: &x [*x]", 1, "part of itself"),
    "a mapping within itself": ("a: &x {<<: *x}", 1, "part of itself"),
    "a long number": ("a: " + "9" * 5000, 1, "5000 digits"),
    "a long hexadecimal number": ("a: 0x" + "f" * 500_000, 1, "digits"),
    "a key twice": ("a: 1\nb: 2\na: 3", 3, '"a" is there twice'),
    "a key twice, deep": ("a:\n  - {b: 1, b: 2}", 2, '"b" is there twice'),
    "a list as key": ("? [a]\n: 1", 1, "a key must be a word"),
    "a tab": ("a:\n\tb: 1", 2, "found character"),
    "a NUL": ("a: 1\nb: \x00", 2, "is not allowed"),
    "half a letter": ("a: \ud83d", 1, "is not allowed"),
    "a program": ("a: !!python/object/apply:os.system [ls]", 1, "could not determine a constructor"),
    "an unknown tag": ("a: !ours x", 1, "could not determine a constructor"),
    "two documents": ("a: 1\n---\nb: 2", 2, "second document"),
    "an alias of nothing": ("a: *x", 1, "undefined alias"),
    "a truth that is none": ("a: !!bool maybe", 1, "makes no sense"),
    "a number that is none": ("a: !!int maybe", 1, "makes no sense"),
    "bytes that are none": ("a: !!binary x", 1, "base64"),
    "an open bracket": ("a: 1\nb: [1", 2, ""),
    "too much": ("a: [" + "1, " * 300_000 + "1]", 1, "more than"),
}


@pytest.mark.parametrize(("text", "line", "says"), BAD.values(), ids=BAD.keys())
def test_one_line_tells_file_and_line(text: str, line: int, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_yaml(text, "mine.yaml")
    said = str(caught.value)
    assert said.startswith(f"mine.yaml: is not YAML: line {line}: ")
    assert says in said
    assert "\n" not in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only words", None),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 1:30", {"a": "1:30"}),  # no number to the base 60
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: &x [1]\nb: *x\nc: *x", {"a": [1], "b": [1], "c": [1]}),
        ("2: a\ntrue: b", {2: "a", True: "b"}),
        ("a: 0x1F\nb: 1e3\nc: 1_000", {"a": 31, "b": "1e3", "c": 1000}),
    ],
)
def test_what_is_meant_is_read(text: str, value: object) -> None:
    assert parse_yaml(text, "mine.yaml") == value


def test_keys_that_must_be_text() -> None:
    with pytest.raises(SettingsError, match=r"line 2: key on must be text; put it in quotes"):
        parse_yaml("a: 1\non: 2", "mine.yaml", text_keys=True)


@pytest.mark.parametrize(
    "shape",
    [
        lambda n: "a: [" + "x, " * n + "x]",
        lambda n: "".join(f"k{i}: v\n" for i in range(n)),
        lambda n: "a: " + "1:" * n,
        lambda n: 'a: "' + "\\n" * n + '"',
        lambda n: "a: &a [1]\n" + "".join(f"b{i}: *a\n" for i in range(n)),
        lambda n: "".join(f"a{i}: &a{i} 1\n" for i in range(n)),
        lambda n: "a: [" + "{" * n,
        lambda n: "- " * n,
        lambda n: "a: '" + "'' " * n,
        lambda n: "%TAG !x! y\n" * n + "--- a",
    ],
)
def test_time_grows_with_length(shape: Callable[[int], str]) -> None:
    def seconds(count: int) -> float:
        text, times = shape(count), []
        for _ in range(3):
            started = time.process_time()
            with contextlib.suppress(SettingsError):
                parse_yaml(text, "mine.yaml")
            times.append(time.process_time() - started)
        return min(times)

    assert seconds(16_000) < 10 * seconds(4_000) + 0.02
