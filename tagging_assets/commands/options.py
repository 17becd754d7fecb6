"""Options that many commands share, so that they are spelt and explained alike."""

from pathlib import Path
from typing import Annotated

import typer

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.verdicts import one_line


def _plain(said: str | None) -> str | None:
    """Words that are kept, on one line and without what is not text."""
    return None if said is None else one_line(said)


def _somebody(said: str | None) -> str | None:
    """A name, on one line.

    Raises:
        SettingsError: there is none in it.
    """
    plain = _plain(said)
    if plain is not None and not plain.strip():
        raise SettingsError("--by names nobody; write who you are, or leave it out")
    return plain


SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", "-s", help="Settings file; default $TAGGING_SETTINGS, then the project's tagging.yaml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
ByOption = Annotated[
    str | None, typer.Option("--by", callback=_somebody, help="Who you are; your login name by default.")
]
WhyOption = Annotated[str, typer.Option("--why", callback=_plain, help="Kept in the history.")]
