"""``tagging models`` and ``tagging provider-batches``: arguments and exit codes of what concerns models."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from tagging_assets.commands.console import print_json
from tagging_assets.commands.options import JsonOption, SettingsOption
from tagging_assets.domain.errors import SettingsError

models_app = typer.Typer(help="Models: where they come from, whether they are here, what they run on.")


@models_app.command("list")
def models_list(
    task: Annotated[str | None, typer.Option("--task", help="Those that can do it, such as tagging.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those too that are neither here nor in use.")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Models that are here or in use, by task, with licence and state; --all and --task show the catalogue."""
    from tagging_assets.commands import models

    told = models.listing(settings, models.Shown(task, every))
    narrowed = not every and task is None
    print_json(told) if as_json else models.show(told, hidden=models.count() - len(told) if narrowed else 0)


@models_app.command("show")
def models_show(
    name: Annotated[str, typer.Argument(help="A model of the catalogue.")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """One model in full: sources, hashes, licence, knobs and how to set them, what was made of it, and how good."""
    from tagging_assets.commands import models_show as command

    told = command.described(settings, name)
    print_json(told) if as_json else command.show(told)


@models_app.command("pull")
def models_pull(
    names: Annotated[list[str] | None, typer.Argument(help="Models; the profile's by default.")] = None,
    trust_first: Annotated[
        bool, typer.Option("--trust-first", help="Take files as they come that nobody has published a hash of.")
    ] = False,
    settings: SettingsOption = None,
) -> None:
    """Fetch weights; resumes, verifies, and does nothing for what is here."""
    from tagging_assets.commands import models

    if trust_first and not names:
        raise SettingsError("name the models that --trust-first is to take as they come")
    models.pull(settings, names or [], trust_first=trust_first)


@models_app.command("verify")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models; those here or in use by default.")] = None,
    no_chat: Annotated[bool, typer.Option("--no-chat", help="Ask no chat model anything.")] = False,
    no_run: Annotated[bool, typer.Option("--no-run", help="Only read the bytes; try no model.")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hash what is here again, try each model on a photo (provider, speed, memory), and ask the chat models."""
    from tagging_assets.commands import models_verify as command

    told = command.verify(settings, names or [], run=not no_run, chat=not no_chat)
    print_json(told) if as_json else command.show(told)
    raise typer.Exit(0 if command.is_well(told) else 2)


@models_app.command("scan")
def models_scan(
    folder: Annotated[Path, typer.Argument(help="Folder, or one file; looked through with its subfolders.")],
    add: Annotated[bool, typer.Option("--add", help="Add what works to the models of this machine.")] = False,
    name: Annotated[str | None, typer.Option("--name", help="What to call it, where one is added.")] = None,
    no_run: Annotated[bool, typer.Option("--no-run", help="Judge by the files alone; try no model.")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find models in a folder, judge each by its contents, try it, and add it if asked to."""
    from tagging_assets.commands import models_scan as command

    told = command.scan(settings, folder, command.Wanted(add=add, name=name, run=not no_run))
    print_json(told) if as_json else command.show(told)
    raise typer.Exit(1 if command.refused(told) else 0)


@models_app.command("tune")
def models_tune(
    names: Annotated[list[str] | None, typer.Argument(help="Models in use; all of them by default.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="About as long as each may take.")] = 10.0,
    kept: Annotated[bool, typer.Option("--kept", help="Measure nothing; show what was found before.")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find out how each model runs fastest on this machine (threads, batch, spinning); runs use it from then on."""
    from tagging_assets.commands import tune as command

    told = command.kept() if kept else command.tune(settings, names or [], seconds=seconds)
    print_json(told) if as_json else command.show(told)


@models_app.command("export")
def models_export(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; those of the settings that are not made yet by default.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was made before.")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make ONNX files of checkpoints, once, each compared with the library it comes from; needs the extra export."""
    from tagging_assets.commands import exporting as command
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        outcomes = command.export(session, names or [], again=again)
    print_json([one.as_json() for one in outcomes]) if as_json else command.show(outcomes)
    raise typer.Exit(0 if command.is_well(outcomes) else 2)


@models_app.command("quantise")
def models_quantise(
    name: Annotated[str, typer.Argument(help="A model of the catalogue.")],
    precision: Annotated[Literal["int8", "fp16"], typer.Option(help="int8 for CPUs, fp16 for GPUs.")] = "int8",
    photos: Annotated[int, typer.Option(min=8, help="To calibrate on; half as many more are compared on.")] = 128,
    min_agreement: Annotated[
        float | None, typer.Option(min=0, max=1, help="Refuse what agrees less with fp32; 0.85 or 0.9 by kind.")
    ] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a faster version of a model from your own photos, and tell what it costs before it is used."""
    from tagging_assets.commands import quantise as command

    told = command.quantise(settings, name, command.Wanted(precision, photos, min_agreement))
    print_json(told) if as_json else command.show(told)


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
