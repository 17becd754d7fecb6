"""The console script ``tagging``: arguments and exit codes; the work is in ``tagging_assets.commands``.

Exit codes: 0 done, 1 some images failed (named), 2 wrong use, settings, or something that concerns all images.
"""

from pathlib import Path
from typing import Annotated

import typer

from tagging_assets.commands.console import print_json, stderr
from tagging_assets.domain.errors import TaggingError

app = typer.Typer(
    help="Tags on pictures that can be trusted, explained, corrected and undone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
models_app = typer.Typer(help="Models: where they come from, whether they are here, what they run on.")
prompts_app = typer.Typer(help="What the chat model is asked.")
app.add_typer(models_app, name="models", no_args_is_help=True)
app.add_typer(prompts_app, name="prompts", no_args_is_help=True)

SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", "-s", help="Settings file; default $TAGGING_SETTINGS, then the project's tagging.yaml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


@app.command()
def run(
    paths: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tag photos: compute what is missing or stale, keep the rest."""
    from tagging_assets.commands.overview import show_tags, tags
    from tagging_assets.commands.run import run_paths, say
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        report = run_paths(session, paths)
        told = tags(session, paths)
    say(report)
    if as_json:
        print_json({**report.as_json(), "tags": told})
    else:
        show_tags(told)
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    settings: SettingsOption = None,
) -> None:
    """Start database, Dagster web server and daemon on 127.0.0.1; stop them on Ctrl-C."""
    from tagging_assets.commands.session import open_session
    from tagging_assets.commands.up import up as serve

    with open_session(settings) as session:
        serve(session, port)


@app.command()
def status(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Photos, batches, and per stage what stands, failed and would be computed, and why."""
    from tagging_assets.commands import overview
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        told = overview.status(session)
    print_json(told) if as_json else overview.show_status(told)


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
def explain(
    image: Annotated[str, typer.Argument(help="Path, file name, or the first digits of an image_id.")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """The chain from photo to decision, for every tag."""
    from tagging_assets.commands.explain import explanation, find_image, show
    from tagging_assets.commands.session import open_session

    with open_session(settings) as session:
        told = explanation(session, find_image(session, image))
    print_json(told) if as_json else show(told)


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


@models_app.command("list")
def models_list(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Models of the catalogue, with licence, and whether their weights are here."""
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
def models_verify(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Hash the weights that are here again."""
    from tagging_assets.commands import models

    told = models.verify(settings)
    print_json(told) if as_json else models.show(told)
    raise typer.Exit(0 if all(one["state"] != "damaged" for one in told) else 2)


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


def main() -> None:
    """Entry point: one line and exit code 2 for every error that is not one image's own."""
    try:
        app()
    except TaggingError as error:
        stderr.print(f"[red]{error.kind}[/red]: {error}", highlight=False, soft_wrap=True)
        raise SystemExit(2) from error
    except KeyboardInterrupt as error:
        stderr.print("Interrupted; the same command goes on where this one stopped.")
        raise SystemExit(130) from error


if __name__ == "__main__":
    main()
