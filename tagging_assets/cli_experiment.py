"""The group ``tagging experiment``: arguments and exit codes; the work is in ``tagging_assets.commands``."""

from pathlib import Path
from typing import Annotated

import typer

from tagging_assets.commands.console import print_json, print_note
from tagging_assets.commands.options import ByOption, JsonOption, SettingsOption, WhyOption

experiment_app = typer.Typer(help="Prompts, models and parameters side by side: asked, scored, voted on, promoted.")

NameArgument = Annotated[str, typer.Argument(help="An experiment; see `tagging experiment list`.")]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; a free one by default.")]
BrowserOption = Annotated[bool, typer.Option("--browser/--no-browser", help="Show the page at once.")]


@experiment_app.command("run")
def experiment_run(
    name: Annotated[str, typer.Argument(help="A file of prompts/experiments, any YAML file, or a new name.")],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Photos or folders to choose from; all photos by default.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask about so many photos; more than before adds some.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Take in the photos of PATHS that it does not have yet.")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="Ask everything so often.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Instead of the file's; repeatable.")] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="Instead of the file's; repeatable.")] = None,
    temperature: Annotated[list[float] | None, typer.Option(help="Instead of the file's; repeatable.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="True tags: JSON {photo: [tags]}, or CSV with columns image,tag.")
    ] = None,
    budget: Annotated[float | None, typer.Option(min=0, help="US dollars it may cost in all.")] = None,
    original_scoring: Annotated[
        bool, typer.Option("--original-scoring", help="Contestants vote on their own tags, the middle band scores 0.")
    ] = False,
    by: ByOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask every contestant about the same photos, score the answers, write the reports."""
    from tagging_assets.commands import experiment as command
    from tagging_assets.commands.session import open_session, user

    typed = command.Typed(
        limit=limit,
        add=add,
        repeats=repeats,
        models=tuple(model or ()),
        prompts=tuple(prompt or ()),
        temperatures=tuple(temperature or ()),
        reference=reference,
        budget_usd=budget,
        original_scoring=original_scoring,
    )
    with open_session(settings) as session:
        done = command.run(session, name, paths or [], typed, who=by or user())
    if as_json:
        print_json(done.as_json())
    else:
        command.say(done)
    raise typer.Exit(1 if done.silent else 0)


@experiment_app.command("list")
def experiment_list(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Experiments that were run, and files that describe one."""
    from tagging_assets.commands import experiment_results as command
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        told = command.listing(session)
    print_json(told) if as_json else command.show_list(told)


@experiment_app.command("show")
def experiment_show(name: NameArgument, settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Standings, as they were last scored; asks and computes nothing."""
    from tagging_assets.commands import experiment_results as command
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        board = command.board_of(session, name)
    print_json(command.board_json(board)) if as_json else command.show_board(board)


@experiment_app.command("report")
def experiment_report(
    name: NameArgument,
    out: Annotated[Path | None, typer.Option(help="Folder; the data folder's benchmarks/NAME by default.")] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score anew with the marks and votes of now, and write the reports; asks nothing."""
    from tagging_assets.commands import experiment_results as command
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        written = command.report(session, name, out)
    if as_json:
        print_json([str(path) for path in written])
    for path in () if as_json else written:
        print_note(f"written: {path}")


@experiment_app.command("promote")
def experiment_promote(
    name: Annotated[str | None, typer.Argument(help="An experiment; not with --back.")] = None,
    label: Annotated[str | None, typer.Argument(help="The contestant that won.")] = None,
    back: Annotated[bool, typer.Option("--back", help="Restore what the last promotion replaced.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change of the settings file.")] = False,
    by: ByOption = None,
    why: WhyOption = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a contestant the production recipe: write it into the settings file. The way back: --back."""
    from tagging_assets.commands import promote as command
    from tagging_assets.commands.session import open_session, user
    from tagging_assets.domain.errors import SettingsError

    if back == (name is not None) or (name is None) != (label is None):
        raise SettingsError("write `tagging experiment promote NAME LABEL`, or `tagging experiment promote --back`")
    with open_session(settings) as session:
        who = by or user()
        if name is not None and label is not None:
            done = command.promote(session, name, label, who=who, why=why, dry_run=dry_run)
        else:
            done = command.back(session, dry_run=dry_run)
    print_json(done.as_json()) if as_json else command.show(done)


@experiment_app.command("judge")
def experiment_judge(
    name: NameArgument,
    model: Annotated[str | None, typer.Option(help="Instead of the experiment's.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Instead of the experiment's; mode judge.")] = None,
    pairs: Annotated[int | None, typer.Option(min=1, help="At most so many pairs.")] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a model compare pairs of answers, blind and in both orders; it counts once it agrees with people."""
    from tagging_assets.commands import judge as command
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        told = command.judge(session, name, model=model, prompt=prompt, limit=pairs)
    print_json(told.as_json()) if as_json else command.show(told)


@experiment_app.command("vote")
def experiment_vote(
    name: NameArgument,
    port: PortOption = 0,
    browser: BrowserOption = True,
    pairs: Annotated[int, typer.Option(min=1, help="Compare at most so many new pairs.")] = 60,
    by: ByOption = None,
    settings: SettingsOption = None,
) -> None:
    """Compare answers two by two, blind, on a page of this machine; until Ctrl-C."""
    from tagging_assets.commands import voting as command
    from tagging_assets.commands.session import open_session, user

    with open_session(settings) as session:
        command.judge(session, name, start="/vote", who=by or user(), port=port, pairs=pairs, browser=browser)


@experiment_app.command("mark")
def experiment_mark(
    name: NameArgument,
    csv: Annotated[Path | None, typer.Option(help="Take marks from this sheet: image,tag,relevant (1 or 0).")] = None,
    export: Annotated[Path | None, typer.Option(help="Write the sheet to fill in to this file.")] = None,
    port: PortOption = 0,
    browser: BrowserOption = True,
    by: ByOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which tags are relevant to their photos: on a page of this machine until Ctrl-C, or in a sheet."""
    from tagging_assets.commands import voting as command
    from tagging_assets.commands.session import open_session, user
    from tagging_assets.domain.errors import SettingsError

    if csv is not None and export is not None:
        raise SettingsError("give --csv or --export, not both")
    with open_session(settings) as session:
        who = by or user()
        if csv is not None:
            done = command.import_sheet(session, name, csv, who)
            print_json(done.as_json()) if as_json else command.show_imported(done)
        elif export is not None:
            lines = command.export_sheet(session, name, export, who)
            print_json({"experiment": name, "lines": lines, "path": str(export)}) if as_json else print_note(
                f"written: {export}, {lines} tags to mark"
            )
        else:
            command.judge(session, name, start="/mark", who=who, port=port, browser=browser)
