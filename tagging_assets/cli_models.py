"""``tagging models`` and ``tagging provider-batches``: arguments and exit codes of what concerns models."""

from typing import Annotated

import typer

from tagging_assets.commands.console import print_json
from tagging_assets.commands.options import JsonOption, SettingsOption
from tagging_assets.domain.errors import SettingsError

models_app = typer.Typer(help="Models: where they come from, whether they are here, what they run on.")


@models_app.command("list")
def models_list(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Models of the catalogue and of the settings, with licence, and whether their weights are here."""
    from tagging_assets.commands import models

    told = models.listing(settings)
    print_json(told) if as_json else models.show(told)


@models_app.command("pull")
def models_pull(
    names: Annotated[list[str] | None, typer.Argument(help="Models; the profile's by default.")] = None,
    settings: SettingsOption = None,
) -> None:
    """Fetch weights; resumes, verifies, and does nothing for what is here."""
    from tagging_assets.commands import models

    models.pull(settings, names or [])


@models_app.command("verify")
def models_verify(
    no_chat: Annotated[bool, typer.Option("--no-chat", help="Ask no chat model anything.")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash the weights that are here again; ask each chat model of the settings what it can do."""
    from tagging_assets.commands import models

    told = models.verify(settings, chat=not no_chat)
    print_json(told) if as_json else models.show(told)
    raise typer.Exit(0 if models.is_well(told) else 2)


def provider_batches(
    poll: Annotated[bool, typer.Option("--poll", help="Submit, ask after and collect now.")] = False,
    cancel: Annotated[str | None, typer.Option("--cancel", help="End the batch of this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 30,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Batches of questions at providers (half price, within a day): their state, and how many are answered."""
    from tagging_assets.commands import provider_batches as command
    from tagging_assets.commands.session import open_session

    if poll and cancel:
        raise SettingsError("give --poll or --cancel, not both")
    with open_session(settings) as session:
        if cancel:
            command.cancel(session, cancel)
        worked = command.work(session) if poll else None
        told = command.listing(session, limit)
    if worked is not None:
        command.say(worked)
    print_json(told) if as_json else command.show(told)
    raise typer.Exit(1 if worked is not None and worked.troubles else 0)
