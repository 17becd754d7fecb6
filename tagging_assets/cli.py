"""The console script ``tagging``: arguments and exit codes; the work is in ``tagging_assets.commands``.

Exit codes: 0 done, 1 some images failed (named), 2 wrong use, settings, or something that concerns all images,
130 interrupted.
"""

from tagging_assets import interrupts

# What is imported next takes long enough to be interrupted.
interrupts.arm(__name__)

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer._click.exceptions import ClickException
from typer.core import TyperGroup

from tagging_assets.cli_experiment import experiment_app
from tagging_assets.cli_models import models_app, provider_batches
from tagging_assets.commands.console import print_json, print_line, print_note
from tagging_assets.commands.exits import failed, whole_output
from tagging_assets.commands.options import ByOption, JsonOption, SettingsOption, WhyOption
from tagging_assets.domain.chat_settings import Strategy
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.printable import for_line


class _Commands(TyperGroup):
    """All commands. What was typed and is not understood is repeated so that no letter of it acts on the terminal."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Read the arguments of the whole."""
        with _repeated_safely():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Read the arguments of the command, and do it."""
        with _repeated_safely():
            return super().invoke(ctx)


@contextmanager
def _repeated_safely() -> Iterator[None]:
    try:
        yield
    except ClickException as error:
        said = for_line(error.format_message())
        error.format_message = lambda: said  # type: ignore[method-assign]
        raise


app = typer.Typer(
    cls=_Commands,
    help="Tags on pictures that can be trusted, explained, corrected and undone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
prompts_app = typer.Typer(help="What the chat model is asked.")
app.add_typer(models_app, name="models", no_args_is_help=True)
app.add_typer(prompts_app, name="prompts", no_args_is_help=True)
app.add_typer(experiment_app, name="experiment", no_args_is_help=True)
app.command("provider-batches")(provider_batches)


@app.command()
def run(
    paths: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    strategy: Annotated[
        Strategy | None, typer.Option(help="How tagger and chat model work together, in this run only.")
    ] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tag photos: compute what is missing or stale, keep the rest."""
    from tagging_assets.commands.overview import show_tags, tags
    from tagging_assets.commands.run import run_paths, say
    from tagging_assets.commands.session import open_session

    with open_session(settings, strategy=strategy) as session:
        report = run_paths(session, paths)
        told = tags(session, paths)
    say(report)
    if as_json:
        print_json({**report.as_json(), "tags": told})
    else:
        show_tags(told)
    raise typer.Exit(1 if report.failed or report.unreadable else 0)


@app.command()
def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the Dagster UI; 0 takes a free one.")] = 3000,
    link: Annotated[bool, typer.Option("--link", help="Print a new link to the one that runs; start nothing.")] = False,
    settings: SettingsOption = None,
) -> None:
    """Start database, Dagster web server and daemon on 127.0.0.1; stop them on Ctrl-C."""
    from tagging_assets.commands.session import open_session
    from tagging_assets.commands.up import link as new_link
    from tagging_assets.commands.up import up as serve
    from tagging_assets.review.serving import listening
    from tagging_assets.settings import load_settings

    if link:
        print_line(new_link(load_settings(settings).data_dir))
        return

    # The port first: nothing is started for nothing.
    with listening(port) as listener, open_session(settings) as session:
        serve(session, listener)


@app.command()
def status(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Photos, batches, and per stage what stands, failed and would be computed, and why."""
    from tagging_assets.commands import overview
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        told = overview.status(session)
    print_json(told) if as_json else overview.show_status(told)


@app.command()
def retag(
    stage: Annotated[list[str] | None, typer.Option(help="Only this stage and what is below it; repeatable.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many batches.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only batches whose photos or decisions changed since (UTC).")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only what failed, whatever the error, at once.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is stale, why, and what it takes.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Leave the work to the daemon; do not watch.")] = False,
    by: ByOption = None,
    why: WhyOption = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute what a changed model, prompt, label set, rule or decision has made stale: that, and nothing else."""
    from tagging_assets.commands import retag as command
    from tagging_assets.commands.exporting import make_missing
    from tagging_assets.commands.session import open_session, user

    when = since.replace(tzinfo=UTC) if since else None
    with open_session(settings) as session:
        if not dry_run:
            make_missing(session)
        work = command.look(session, command.Wanted(tuple(stage or ()), limit, when, failed))
        plan = command.told(session, work)
        if not as_json:
            command.show(plan)
        done = None if dry_run else command.retag(session, work, who=by or user(), why=why, detach=detach)
    if as_json:
        print_json({"plan": plan, "done": done})
    elif done is not None:
        command.say(done, work.batches)
    raise typer.Exit(1 if done and done["failed"] else 0)


@app.command()
def tags(
    paths: Annotated[list[Path] | None, typer.Argument(help="Photos or folders; all photos by default.")] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Published tags per photo."""
    from tagging_assets.commands import overview
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        told = overview.tags(session, paths or [])
    print_json(told) if as_json else overview.show_tags(told)


@app.command()
def decide(
    images: Annotated[
        list[str] | None, typer.Argument(help="Photos or folders: paths, file names, first digits of ids.")
    ] = None,
    accept: Annotated[list[str] | None, typer.Option(help="The machine is right about this tag.")] = None,
    reject: Annotated[list[str] | None, typer.Option(help="It is wrong, now and after every retag.")] = None,
    add: Annotated[list[str] | None, typer.Option(help="The photo has this tag, whatever the machine says.")] = None,
    edit: Annotated[list[str] | None, typer.Option(help="OLD=NEW: reject the one, add the other.")] = None,
    withdraw: Annotated[list[str] | None, typer.Option(help="Take back what was said: the machine's answer.")] = None,
    category: Annotated[str, typer.Option(help="Of accepted, added and edited tags.")] = "",
    from_file: Annotated[
        Path | None, typer.Option("--from", help="CSV or JSON lines: image, verdict, tag, new, category, why.")
    ] = None,
    all_with: Annotated[str | None, typer.Option(help="All photos (of those named) that have this tag now.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written down.")] = False,
    by: ByOption = None,
    why: WhyOption = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accept, reject, add or edit tags; people's word holds for good. Without a verdict: show what holds."""
    from tagging_assets.commands import decide as command
    from tagging_assets.commands.session import open_session, user

    typed = command.Typed(accept or (), reject or (), add or (), edit or (), withdraw or (), category)
    with open_session(settings) as session:
        if not typed.anything and from_file is None:
            told = command.holding(session, images or [], all_with)
            print_json(told) if as_json else command.show_holding(told)
            return
        requests = command.wanted(session, typed, images or [], all_with, from_file)
        decided = command.decide(session, requests, by or user(), why, dry_run=dry_run)
    print_json(decided.as_json()) if as_json else command.show(decided, dry_run=dry_run)


@app.command()
def history(
    image: Annotated[str | None, typer.Argument(help="A photo, for what happened to its tags.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only this tag of the photo.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 30,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was set going and what it changed; of one photo, every change of its published tags."""
    from tagging_assets.commands import history as command
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        if image is None:
            told = command.operations(session, limit)
            print_json(told) if as_json else command.show_operations(told)
        else:
            changes = command.events(session, image, tag, limit)
            print_json(changes) if as_json else command.show_events(changes)


@app.command()
def diff(
    run: Annotated[list[str], typer.Option(help="First digits of a run or operation; a second one to compare.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows; --json has them all.")] = 100,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which published tags a run changed, and why; of two runs, the tags after one against those after the other."""
    from tagging_assets.commands import history as command
    from tagging_assets.commands.session import open_session

    if len(run) > 2:
        raise SettingsError("tagging diff compares one run with what was before it, or two: give --run once or twice")
    with open_session(settings) as session:
        told = command.diff(session, run[0], run[1] if len(run) > 1 else None)
    print_json(told) if as_json else command.show_diff(told, limit)


@app.command()
def undo(
    run: Annotated[str, typer.Argument(help="First digits of a run or operation; see tagging history.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go back.")] = False,
    by: ByOption = None,
    why: WhyOption = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put published tags back to what they were before a run; what changed since stays."""
    from tagging_assets.commands import undo as command
    from tagging_assets.commands.session import open_session, user

    with open_session(settings) as session:
        told = command.undo(session, run, who=by or user(), why=why, dry_run=dry_run)
    print_json(told) if as_json else command.show_undo(told)


@app.command()
def explain(
    image: Annotated[str, typer.Argument(help="Path, file name, or the first digits of an image_id.")],
    tag: Annotated[str | None, typer.Option(help="Only what led to this tag, or keeps it from being one.")] = None,
    at: Annotated[str | None, typer.Option(help="As it was then: 2026-11-20 (its end), or 2026-11-20T14:05.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the chain to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Draw it as a page, with all numbers, to this file.")] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """The chain from photo to decision, for every tag or one, now or as it was."""
    from tagging_assets.commands import explain as explaining
    from tagging_assets.commands.explain_text import show
    from tagging_assets.commands.session import open_session

    then = None if at is None else explaining.moment(at)
    with open_session(settings) as session:
        ref = explaining.find_image(session, image)
        explained = explaining.explain(session, ref, tag=tag, at=then)
        drawn = explaining.write_drawings(session, ref, explained, svg=svg, html=html) if svg or html else []
    for path in drawn:
        print_note(f"drawn: {path}")
    if as_json:
        print_json(explained.told)
    elif not drawn:
        show(explained.told)


@app.command()
def calibrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be fitted.")] = False,
    revert: Annotated[bool, typer.Option("--revert", help="Go back to the calibration before.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the reliability diagrams as a page to this file.")] = None,
    by: ByOption = None,
    why: WhyOption = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit what raw scores are worth to accepted and rejected tags, per source, model and category."""
    from tagging_assets.commands import calibrate as command
    from tagging_assets.commands.session import open_session, user

    if dry_run and revert:
        raise SettingsError("give --dry-run or --revert, not both")
    with open_session(settings) as session:
        if dry_run:
            done = command.preview(session)
        else:
            done = (command.revert if revert else command.calibrate)(session, who=by or user(), why=why)
        page = command.write_page(session, done, html) if html else None
    print_json(done.as_json()) if as_json else command.show(done)
    if page:
        print_note(f"Diagrams: {page}")


@app.command()
def demo(settings: SettingsOption = None) -> None:
    """Tag the sample photos of public packages, print them with their tags, draw a contact sheet."""
    from tagging_assets.commands.demo import DEMO_SETTINGS, run_demo

    raise typer.Exit(run_demo(settings or DEMO_SETTINGS))


@app.command()
def doctor(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Check settings, folders, libraries, models, database, chat model; say how to mend what is wrong."""
    from tagging_assets.commands.doctor import examine, show

    findings = examine(settings)
    print_json(findings) if as_json else show(findings)
    raise typer.Exit(0 if all(one["ok"] for one in findings) else 2)


@prompts_app.command("list")
def prompts_list(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Prompts and label sets, with their hashes."""
    from tagging_assets.commands import prompts

    told = prompts.listing(settings)
    print_json(told) if as_json else prompts.show_list(told)


@prompts_app.command("show")
def prompts_show(
    name: Annotated[str, typer.Argument(help="A prompt or label set.")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """One prompt or label set, whole."""
    from tagging_assets.commands import prompts

    told = prompts.one(settings, name)
    print_json(told) if as_json else prompts.show(told)


@prompts_app.command("diff")
def prompts_diff(
    a: Annotated[str, typer.Argument(help="A prompt, a file, or the first digits of an earlier version's hash.")],
    b: Annotated[str, typer.Argument(help="The other.")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """What two prompts, or two versions of one, say differently."""
    from tagging_assets.commands import prompts

    told = prompts.diff(settings, a, b)
    print_json(told) if as_json else prompts.show_diff(told)


@interrupts.watched()
def main() -> None:
    """Entry point: one line and exit code 2 for every error that is not one image's own."""
    try:
        with whole_output():
            app()
    except Exception as error:
        raise SystemExit(failed(error)) from error


if __name__ == "__main__":
    main()
