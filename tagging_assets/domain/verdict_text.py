"""Verdicts written down in a file, as CSV or JSON lines: many photos at once, or another program's answer.

The columns are ``image`` (a path, file name or image_id), ``verdict`` (accept, reject, add, edit or withdraw) and
``tag``; ``new`` (what an edit makes of the tag), ``category`` and ``why`` may be left out. CSV begins with their
names, in any order; JSON lines have an object a line. What does not belong here: finding the photos.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.verdicts import Request, Verdict, edited

_EDIT = "edit"

#: How each verdict may be written.
_WORDS: dict[str, Verdict | str] = {
    "accept": Verdict.ACCEPTED,
    "reject": Verdict.REJECTED,
    "add": Verdict.ADDED,
    "withdraw": Verdict.WITHDRAWN,
    **{verdict.value: verdict for verdict in Verdict},
    _EDIT: _EDIT,
    "edited": _EDIT,
}


@dataclass(frozen=True, slots=True)
class WrittenVerdict:
    """One line of a file, as it was written.

    Attributes:
        image: names the photo.
        verdict: a word for it.
        tag: about which tag.
        new: what an edit makes of the tag; ``""`` for all other verdicts.
        category: of the tag, or ``""``.
        why: or ``""``.
        where: file and line, for people.
    """

    image: str
    verdict: str
    tag: str
    new: str = ""
    category: str = ""
    why: str = ""
    where: str = ""

    def requests(self, image_id: str) -> list[Request]:
        """What the line asks for.

        Raises:
            SettingsError: no such verdict, or an edit without an end (or anything else with one).
        """
        verdict = _WORDS.get(self.verdict.strip().lower())
        if verdict is None:
            known = "accept, reject, add, edit or withdraw"
            raise SettingsError(f'{self.where}: no verdict "{self.verdict}"; write {known}')
        if (verdict == _EDIT) is not bool(self.new.strip()):
            raise SettingsError(f"{self.where}: an edit needs the column new, and nothing else has it")
        if isinstance(verdict, Verdict):
            return [Request(image_id, self.tag, verdict, category=self.category, why=self.why)]
        return list(edited(image_id, self.tag, self.new, category=self.category, why=self.why))


_COLUMNS = tuple(one.name for one in fields(WrittenVerdict) if one.name != "where")
_NEEDED = ("image", "verdict", "tag")


def parse_verdicts(text: str, name: str) -> list[WrittenVerdict]:
    """Read a whole file.

    Args:
        text: its content; JSON lines where it begins with ``{``, else CSV with commas, semicolons or tabs.
        name: of the file, for messages.

    Raises:
        SettingsError: one line that names the file, the line and what is wrong.
    """
    lines = _json_lines(text, name) if text.lstrip().startswith("{") else _csv_lines(text, name)
    return [_written(columns, where) for where, columns in lines]


def _json_lines(text: str, name: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            said = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{where}: no JSON ({error}); write an object a line") from error
        if not isinstance(said, dict):
            raise SettingsError(f"{where}: a {type(said).__name__}; write an object a line")
        yield where, said


def _csv_lines(text: str, name: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    first = text.lstrip().partition("\n")[0]
    delimiter = next((one for one in ",;\t" if one in first), ",")
    reader = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip().lower() for cell in cells]
                continue
            where = f"{name}, line {reader.line_num}"
            if len(cells) > len(header):
                raise SettingsError(f"{where}: {len(cells)} cells under {len(header)} names; quote text with commas")
            yield where, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise SettingsError(f"{name}, line {reader.line_num}: no CSV ({error})") from error


def _written(columns: Mapping[str, object], where: str) -> WrittenVerdict:
    strange = [column for column in columns if column not in _COLUMNS]
    if strange:
        raise SettingsError(f'{where}: no column "{strange[0]}"; there are {", ".join(_COLUMNS)}')
    said = {column: "" if value is None else value for column, value in columns.items()}
    for column in said:
        if not isinstance(said[column], str):
            raise SettingsError(f"{where}: {column} is {said[column]!r}; write text")
    for column in _NEEDED:
        if not str(said.get(column, "")).strip():
            raise SettingsError(f"{where}: {column} is missing; every line needs {', '.join(_NEEDED)}")
    return WrittenVerdict(**{column: str(value) for column, value in said.items()}, where=where)
