"""The answer of ``tagging explain`` as one self-contained page: the drawing, and every number behind it.

No scripts, no fonts, no other files, and a content security policy that says so. What does not belong here: the
drawing itself (``lineage_drawing``).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from tagging_assets.domain.lineage_facts import event_line, worth
from tagging_assets.domain.page import escaped, page
from tagging_assets.domain.verdicts import PERSON_SOURCE, StandingVerdict

Row = Mapping[str, Any]

_SHORT = 12


def render_page(told: Row, drawing: str) -> str:
    """The page.

    Args:
        told: as ``commands.explain`` gives it.
        drawing: the graph as SVG.
    """
    asked = told["asked"]
    cards = _missing(asked) if asked else "".join(_tag(tag, told["decisions"]) for tag in told["tags"])
    name = PurePath(told["image"]).name
    body = _BODY.format(
        drawing=drawing,
        tags=f'<section><h2>{"The numbers" if cards else "No tags"}</h2><div class="cards">{cards}</div></section>',
        stages=_stages(told["chain"]),
        where=escaped(f"{told['image']} · image {told['image_id']} · batch {told['batch']}"),
    )
    title = f"Why these tags: {name}" if asked is None else f"Why not {asked['tag']}: {name}"
    return page(title, _STYLE, body)


def _tag(tag: Row, decisions: Sequence[Row]) -> str:
    said = [one for one in decisions if one["tag"] == tag["tag"]]
    words = [StandingVerdict.from_row(one).sentence for one in said]
    verdicts = "".join(f'<p class="said">{escaped(one)}</p>' for one in words)
    # A reason often is the verdict already.
    reason = "" if tag["reason"] in words else f"<p>{escaped(tag['reason'])}</p>"
    doubts = [f"(1 − {worth(one):.2f})" for one in tag["sources"] if worth(one) > 0.0]
    total = f'<p class="sum">1 − {" ".join(doubts)} = {tag["score"]:.2f}</p>' if len(doubts) > 1 else ""
    status = tag["status"].replace("_", " ")
    return (
        f'<article class="{escaped(tag["status"])}"><h3>{escaped(tag["tag"])} '
        f'<span class="score">{tag["score"]:.2f}</span>'
        f'<span class="status">{escaped(status)}</span></h3>'
        f'<div class="meter"><span style="width:{min(1.0, max(0.0, tag["score"])):.0%}"></span></div>'
        f"{reason}{verdicts}{_sources(tag['sources'])}{total}"
        f"{_history(tag.get('history', ()))}</article>"
    )


def _missing(asked: Row) -> str:
    return (
        f'<article class="rejected"><h3>{escaped(asked["tag"])} <span class="status">not a tag</span></h3>'
        f"<p>{escaped(asked['reason'])}</p>{_sources(asked['scores'])}{_history(asked['history'])}</article>"
    )


_COLUMNS = ("Source", "Says", "Raw", "Threshold", "Confidence", "Weight", "Adds")


def _sources(sources: Sequence[Row]) -> str:
    if not sources:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(map(_source, sources))}</tbody>'
        "</table></div>"
    )


def _source(source: Row) -> str:
    counts = source.get("counts", True) and worth(source) > 0.0
    where = f", {source['subject']}" if source["subject"].startswith("person") else ""
    cells = [
        f"“{escaped(source['label'])}”{escaped(where)}",
        *(f"{source[name]:.3f}" for name in ("score", "threshold", "confidence", "weight")),
        f"{worth(source):.3f}" if counts else "nothing",
    ]
    kinds = ["", *["n"] * 5]
    data = "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in zip(kinds, cells, strict=True))
    made = {
        "model": source["model"],
        "revision": source["revision"],
        "label set": " ".join(one for one in (source["label_set"], source["label_set_hash"]) if one),
        "prompt": " ".join(one for one in (source["prompt_id"], source["prompt_hash"]) if one),
        "request": source["request_hash"],
        "recipe": source["recipe"],
        "run": source["run_id"],
    }
    kind = "" if counts else ' class="faint"'
    verb = "said" if source["source"] == PERSON_SOURCE else "made"
    return (
        f'<tr{kind}><th scope="row">{escaped(source["source"])}</th>{data}</tr>'
        f'<tr class="made"><td colspan="{len(_COLUMNS)}"><details>'
        f"<summary>{verb} by {escaped(source['model'])}</summary>"
        f"{_pairs(made.items())}</details></td></tr>"
    )


def _history(events: Sequence[Row]) -> str:
    if not events:
        return ""
    lines = "".join(f"<li>{escaped(event_line(event))}</li>" for event in reversed(events))
    return f"<h4>History, newest first</h4><ul>{lines}</ul>"


def _stages(chain: Sequence[Row]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Stage", "State", "Rows", "Made", "Run", "Recipe"))
    return (
        '<section><h2>The stages</h2><div class="wide"><table class="stages">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(map(_stage, chain))}</tbody></table></div></section>"
    )


def _stage(link: Row) -> str:
    body = {name: value for name, value in (link["recipe_body"] or {}).items() if name != "stage"}
    told = [(name, value if isinstance(value, str) else json.dumps(value, indent=1)) for name, value in body.items()]
    hashes = [(name, link[name] or "") for name in ("recipe", "inputs", "output")]
    state = f"failed: {link['error']}" if link["status"] == "failed" else link["state"]
    made = f"{link['computed_at']:%Y-%m-%d %H:%M:%S}" if link["computed_at"] else ""
    return (
        f'<tr class="{escaped(link["state"])}"><th scope="row">{escaped(link["stage"].replace("_", " "))}</th>'
        f'<td>{escaped(state)}</td><td class="n">{"" if link["rows"] is None else link["rows"]}</td>'
        f"<td>{made}</td><td><code>{escaped(link['run_id'][:8])}</code></td>"
        f"<td><details><summary><code>{escaped(link['recipe'][:_SHORT])}…</code></summary>"
        f"{_pairs([*hashes, *told])}</details></td></tr>"
    )


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in pairs if value)
    return f"<dl>{items}</dl>"


_BODY = """<main>
<figure>{drawing}</figure>
{tags}
{stages}
</main>
<footer>{where}</footer>
"""

_STYLE = """
:root{--page:#f4f4f1;--card:#fff;--ink:#1d2126;--soft:#5b6470;--line:#dcdcd6;--auto:#2f9467;--review:#b5730f;
--hand:#2f6fc4;--bad:#b02c30;--past:#7a4fb5}
@media(prefers-color-scheme:dark){:root{--page:#14161a;--card:#1e2126;--ink:#eceef1;--soft:#a5aeb9;--line:#31363d;
--auto:#4fbf8b;--review:#e3a33d;--hand:#6aa5f2;--bad:#ff9b98;--past:#b592ec}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
figure{margin:0;overflow-x:auto}
figure svg{display:block;margin:0 auto;max-width:100%;height:auto;min-width:min(100%,960px)}
section,footer{max-width:1400px;margin:0 auto;padding:0 24px 1.6rem}
h2{font-size:1.05rem;margin:.6rem 0 .8rem}
h3{font-size:1.05rem;margin:0;display:flex;gap:.6rem;align-items:baseline;overflow-wrap:anywhere}
h4{font-size:.82rem;margin:.9rem 0 .2rem;color:var(--soft)}
p{margin:.35rem 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,40rem),1fr));gap:1rem;align-items:start}
article{--state:var(--auto);background:var(--card);border:1px solid var(--line);border-left:5px solid var(--state);
border-radius:10px;padding:.9rem 1.1rem;min-width:0}
.needs_review{--state:var(--review)}.accepted,.added{--state:var(--hand)}article.rejected{--state:var(--bad)}
.score,.n,.sum{font-variant-numeric:tabular-nums}
.status{margin-left:auto;font-size:.8rem;font-weight:500;color:var(--state)}
.meter{height:5px;border-radius:3px;background:var(--line);margin:.5rem 0;overflow:hidden}
.meter span{display:block;height:100%;background:var(--state)}
.said{color:var(--hand)}
.sum{color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.86rem;margin-top:.5rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-top:1px solid var(--line)}
thead th{border:0;color:var(--soft);font-weight:500}
th.n,td.n{text-align:right}
thead th:nth-child(n+3):not(.stages th),.stages th:nth-child(3){text-align:right}
.made td{border:0;padding-top:0}
.faint th,.faint td{color:var(--soft)}
.failed td:nth-child(2){color:var(--bad)}
.stale td:nth-child(2),.superseded td:nth-child(2),.lost td:nth-child(2){color:var(--past)}
.stages{background:var(--card);border:1px solid var(--line);border-radius:10px}
.stages th,.stages td{padding:.4rem .8rem}
details{font-size:.82rem;color:var(--soft)}
summary{cursor:pointer}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.1rem .8rem;margin:.3rem 0}
dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap;font-family:ui-monospace,monospace}
ul{margin:.2rem 0;padding-left:1.1rem;color:var(--soft)}
footer{color:var(--soft);font-size:.82rem;overflow-wrap:anywhere}
@media print{article{break-inside:avoid}}
"""
