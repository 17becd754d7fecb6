"""Options that many commands share, so that they are spelt and explained alike."""

from pathlib import Path
from typing import Annotated

import typer

SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", "-s", help="Settings file; default $TAGGING_SETTINGS, then the project's tagging.yaml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who you are; your login name by default.")]
WhyOption = Annotated[str, typer.Option("--why", help="Kept in the history.")]
