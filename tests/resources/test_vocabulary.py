from pathlib import Path

import pytest

from resources.vocabulary import load_vocabulary
from tagging_assets.domain.errors import PolicyError, SettingsError, TaggingError


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "tags.txt"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        (b"cat\ndog\n", ("cat", "dog")),  # one a line
        (b"# animals\n\ncat  # small ones\n  Red_Panda \r\n", ("cat", "red panda")),  # comments, blanks, spelling
        (b"cat\nCat\n", ("cat",)),  # each once
        (b"\xef\xbb\xbfcat", ("cat",)),  # a byte-order mark
        (b"c#\n", ("c#",)),  # no blank before it: no comment
        ("grün\n猫\n".encode(), ("grün", "猫")),  # letters of any script
    ],
)
def test_tags_come_in_the_order_of_the_file(tmp_path: Path, content: bytes, tags: tuple[str, ...]) -> None:
    assert load_vocabulary(written(tmp_path, content)) == tags


@pytest.mark.parametrize(
    ("content", "error", "complaint"),
    [
        (b"", SettingsError, "holds no tag"),
        (b"# nothing\n", SettingsError, "holds no tag"),
        (b"\xff\xfe\x00", SettingsError, "not UTF-8"),
        (b"cat\n" + b"x" * 99, SettingsError, "line 2: 99 letters"),
        (b"cat\n\nmuslim woman\n", PolicyError, 'line 3: "muslim woman" is religion'),  # with its place
    ],
)
def test_a_bad_file_is_told_in_one_line(
    tmp_path: Path, content: bytes, error: type[TaggingError], complaint: str
) -> None:
    with pytest.raises(error, match=complaint) as caught:
        load_vocabulary(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_all_lines_that_must_go_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r'line 1: "jewish" is religion.* for the like lines 3, 4$'):
        load_vocabulary(written(tmp_path, b"jewish\ncat\nmuslim\nbuddhist\n"))
    with pytest.raises(PolicyError, match=r"the like lines 2, .*, 51 and 9 more$"):
        load_vocabulary(written(tmp_path, b"muslim\n" * 60))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read .*llm\.vocabulary"):
        load_vocabulary(tmp_path / "nothing.txt")
