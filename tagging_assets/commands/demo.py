"""``tagging demo``: the sample photos that public packages carry, tagged, as a table and a contact sheet."""

from pathlib import Path

from resources.contact_sheet import encode_jpeg, render_png
from resources.files import storage_error, write_output
from resources.samples import fetch_samples
from tagging_assets.commands.console import print_note
from tagging_assets.commands.overview import show_tags, tags
from tagging_assets.commands.run import RunReport, run_paths, say
from tagging_assets.commands.session import PROJECT, Session, open_session
from tagging_assets.domain.contact_sheet import Entry, render_html

#: Settings of the demo; people's attributes are on, because its photos show adults.
DEMO_SETTINGS = PROJECT / "demo" / "tagging.yaml"


def run_demo(settings_path: Path) -> int:
    """Fetch, tag, show; exit code."""
    with open_session(settings_path) as session:
        folder = session.settings.sources[0].path
        fetch_samples(session.toolbox.weights, folder)
        report = run_paths(session, [folder])
        told = tags(session, [folder])
        sheets = write_sheets(session, report, session.settings.data_dir.parent)
    show_tags(told)
    say(report)
    for sheet in sheets:
        print_note(f"contact sheet: {sheet}")
    print_note(f"why: .venv/bin/tagging explain -s {settings_path} chelsea.png")
    return 1 if report.failed else 0


def write_sheets(session: Session, report: RunReport, folder: Path) -> list[Path]:
    """The contact sheet as HTML and PNG."""
    entries = sheet_entries(session, report)
    seconds = None if report.nothing_to_do else report.seconds
    page = render_html(entries, "Tagged photos", encode_jpeg=encode_jpeg, seconds=seconds)
    html, png = folder / "contact_sheet.html", folder / "contact_sheet.png"
    for path, content in ((html, page.encode()), (png, render_png(entries, title="Tagged photos"))):
        try:
            write_output(path, content)
        except OSError as error:
            raise storage_error(error, path) from error
    return [html, png]


def sheet_entries(session: Session, report: RunReport) -> list[Entry]:
    """Entries of the photos of a run, in order of their names."""
    tools = session.toolbox
    errors = {image_id: report.failed.get(uri, "") for image_id, uri in report.images.items()}
    entries = []
    for batch in tools.manifest.batches():
        ids = [ref.image_id for ref in tools.manifest.images(batch) if ref.image_id in report.images]
        entries += tools.gallery.entries(batch, ids, failed=errors)
    return sorted(entries, key=lambda entry: entry.title)
