"""Verdicts in files: as spreadsheets and programs write them, and what is wrong with the rest."""

import pytest

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.verdict_text import WrittenVerdict, parse_verdicts
from tagging_assets.domain.verdicts import Request, Verdict

ACCEPTED, REJECTED, ADDED, WITHDRAWN = Verdict


def requests(text: str) -> list[Request]:
    return [request for line in parse_verdicts(text, "said.csv") for request in line.requests(line.image)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # CSV, columns in any order
        ("tag,verdict,image\ndog,reject,a.jpg\n", [Request("a.jpg", "dog", REJECTED)]),
        # every verdict, in either form of the word and any case
        (
            "image,verdict,tag,new\na,accept,b,\na,Accepted,c,\na,added,d,\na,WITHDRAW,e,\na,edit,f,g\n",
            [
                Request("a", "b", ACCEPTED),
                Request("a", "c", ACCEPTED),
                Request("a", "d", ADDED),
                Request("a", "e", WITHDRAWN),
                Request("a", "f", REJECTED),
                Request("a", "g", ADDED, replaces="f"),
            ],
        ),
        # category and reason, quoted where they hold commas or line ends
        (
            'image,verdict,tag,category,why\na,add,dog,animal,"big, brown\nand there"\n',
            [Request("a", "dog", ADDED, category="animal", why="big, brown\nand there")],
        ),
        # as spreadsheets of other countries write it, with empty lines and cells that are missing at the end
        ("image;verdict;tag;why\r\n\r\na, b.jpg;reject;dog\r\n", [Request("a, b.jpg", "dog", REJECTED)]),
        ("image\tverdict\ttag\na\treject\tdog\n", [Request("a", "dog", REJECTED)]),
        # JSON lines
        (
            '{"image": "a", "verdict": "add", "tag": "dog", "why": null}\n\n'
            '{"image": "b", "verdict": "edit", "tag": "dog", "new": "wolf", "why": "ears"}\n',
            [
                Request("a", "dog", ADDED),
                Request("b", "dog", REJECTED, why="ears"),
                Request("b", "wolf", ADDED, replaces="dog", why="ears"),
            ],
        ),
        # nothing
        ("image,verdict,tag\n", []),
        ("", []),
    ],
)
def test_files(text: str, said: list[Request]) -> None:
    assert requests(text) == said


def test_a_line_knows_where_it_is() -> None:
    (_, line) = parse_verdicts('image,verdict,tag,why\na,add,dog,"two\nlines"\nb,add,dog,\n', "said.csv")
    assert line == WrittenVerdict("b", "add", "dog", where="said.csv, line 4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # no such verdict
        (
            "image,verdict,tag\na,maybe,dog\n",
            'said.csv, line 2: no verdict "maybe"; write accept, reject, add, edit or withdraw',
        ),
        # an edit without an end, and an end without an edit
        ("image,verdict,tag\na,edit,dog\n", "line 2: an edit needs the column new"),
        ("image,verdict,tag,new\na,add,dog,cat\n", "line 2: an edit needs the column new, and nothing else has it"),
        # columns that are missing, empty or unknown
        ("image,tag\na,dog\n", "line 2: verdict is missing; every line needs image, verdict, tag"),
        ("image,verdict,tag\n,add,dog\n", "line 2: image is missing"),
        ("image,verdict,tag,who\na,add,dog,ben\n", 'line 2: no column "who"; there are image, verdict, tag, new'),
        # a comma that is not quoted, a quote that is not closed
        ("image,verdict,tag\na,add,dog,big\n", "line 2: 4 cells under 3 names; quote text with commas"),
        ('image,verdict,tag\na,add,"dog\n', "no CSV"),
        # no JSON, no object, no text
        ('{"image": "a"\n', "line 1: no JSON"),
        ('{"image": "a", "verdict": "add", "tag": "b"}\n["a"]\n', "line 2: a list; write an object a line"),
        ('{"image": "a", "verdict": "add", "tag": 7}', "line 1: tag is 7; write text"),
    ],
)
def test_files_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        requests(text)
    assert "\n" not in str(caught.value)
