"""Reads text files that people name: settings, label sets, prompts, tables. Never more than makes sense, never waiting.

What does not belong here: what the files say.
"""

import os
import stat
from pathlib import Path
from typing import Any

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.yaml_text import parse_yaml

#: A vocabulary of a hundred thousand tags is a megabyte or two.
_MOST_BYTES = 16_000_000
_MOST_YAML_BYTES = 4_000_000


def read_text(path: Path, mend: str = "", *, most: int = _MOST_BYTES, kind: str = "") -> str:
    """The text of a file, without a byte order mark.

    Args:
        path: a file; a pipe would be waited for, so it is refused.
        mend: what to do where it cannot be read, for the message.
        most: bytes.
        kind: what it is not either where it is no text, for the message.

    Raises:
        SettingsError: one line that names the file and says what is wrong.
    """
    advice = f"; {mend}" if mend else ""
    try:
        with _opened(path) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SettingsError(f"{path}: cannot be read (it is no file){advice}")
            data = file.read(most + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}){advice}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: cannot be read ({error}){advice}") from error
    if len(data) > most:
        raise SettingsError(f"{path}: is larger than {most / 1e6:g} MB, which no such file is")
    try:
        return str(data, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: {kind}is not UTF-8 text; save it as UTF-8") from error


def read_yaml(path: Path, mend: str = "", *, text_keys: bool = False) -> Any:
    """What a YAML file says.

    Args:
        path: a file.
        mend: what to do where it cannot be read, for the message.
        text_keys: as in ``parse_yaml``.

    Raises:
        SettingsError: one line that names the file, the line and what is wrong.
    """
    text = read_text(path, mend, most=_MOST_YAML_BYTES, kind="is not YAML: it ")
    return parse_yaml(text, str(path), text_keys=text_keys)


def _opened(path: Path) -> Any:
    # A pipe that nobody writes to would block before it could be looked at.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
