"""A calibration as one self-contained page: every diagram, what was refused, and how to read it.

No scripts, no fonts, no other files, and a content security policy that says so. What does not belong here: drawing
(``resources.reliability``).
"""

import base64
from collections.abc import Callable

from tagging_assets.domain.fitted import Fit, Fitted, Refused
from tagging_assets.domain.page import escaped, page


def calibration_page(fitted: Fitted, title: str, *, draw_png: Callable[[Fit], bytes]) -> str:
    """The page, light or dark as the reader's system is.

    Args:
        fitted: what was fitted and refused.
        title: heading and window title.
        draw_png: a fit to the bytes of a PNG file.
    """
    cards = "\n".join(_card(fit, fitted.precision, draw_png) for fit in fitted.fits)
    body = _BODY.format(
        title=escaped(title),
        summary=f"{len(fitted.fits)} fitted · {len(fitted.refused)} as in the catalogue",
        cards=cards or '<p class="soft">Nothing was fitted: the catalogue’s calibrations stay.</p>',
        refused=_refused(fitted.refused) if fitted.refused else "",
    )
    return page(title, _STYLE, body)


def threshold_words(fit: Fit, precision: float) -> str:
    """What a fit says about the chosen precision, in one sentence."""
    found = fit.threshold
    if found is None:
        return f"No raw score is shown to reach a precision of {precision:.0%}."
    return (
        f"From raw score {found.raw:.3f} on, {found.precision:.1%} of {found.decisions} were right: "
        f"at least {found.bound:.1%} with 95% confidence, where {precision:.0%} is asked for."
    )


def _card(fit: Fit, precision: float, draw_png: Callable[[Fit], bytes]) -> str:
    data = base64.b64encode(draw_png(fit)).decode("ascii")
    told = (
        f"{fit.name}, {fit.model}: {fit.right} of {fit.decisions} were right. Expected calibration error "
        f"{fit.before.ece:.3f} before, {fit.after.ece:.3f} after; Brier score {fit.before.brier:.3f} before, "
        f"{fit.after.brier:.3f} after. {threshold_words(fit, precision)}"
    )
    points = "".join(f"<tr><td>{raw:g}</td><td>{said:g}</td></tr>" for raw, said in fit.points)
    head = '<thead><tr><th scope="col">raw score</th><th scope="col">confidence</th></tr></thead>'
    return (
        f'<article><img src="data:image/png;base64,{data}" alt="{escaped(told)}"><p>{escaped(told)}</p>'
        f"<details><summary>The curve in numbers</summary><table>{head}<tbody>{points}</tbody></table></details>"
        "</article>"
    )


def _refused(refused: tuple[Refused, ...]) -> str:
    rows = "".join(
        f"<tr><td>{escaped(one.name)}</td><td>{escaped(one.model)}</td><td>{one.decisions}</td><td>{one.right}</td>"
        f"<td>{escaped(one.why)}</td></tr>"
        for one in refused
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Labels", "Model", "Decisions", "Right", "Why"))
    return (
        f"<section><h2>As in the catalogue</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        "</section>"
    )


_BODY = """<header><h1>{title}</h1><p class="soft">{summary}</p></header>
<p class="lead">Left: how sure the model was said to be, against the share that people accepted; dots on the diagonal
can be believed to the letter, lines are 95% intervals. Green dots are judged by curves that had not seen their photos.
Right: what a raw score is worth now, and was before. Only tags that were shown can be decided on, so nothing is known
in the shaded part, and what stands near it is flattered.</p>
<main>
{cards}
</main>
{refused}
"""

_STYLE = """
:root{--page:#f4f4f1;--card:#fff;--ink:#1d2126;--soft:#5b6470;--line:#dcdcd6}
@media(prefers-color-scheme:dark){:root{--page:#14161a;--card:#1e2126;--ink:#eceef1;--soft:#a5aeb9;--line:#31363d}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:66rem;padding:2rem clamp(1rem,3vw,3rem);background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.3rem 1.2rem}
h1{font-size:1.7rem;line-height:1.2;margin:0}
h2{font-size:1.1rem;margin:1.6rem 0 .5rem}
.soft{color:var(--soft);margin:0}
.lead{color:var(--soft);max-width:46rem}
main{display:grid;gap:1.2rem}
article{background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden;padding-bottom:.9rem}
img{display:block;width:100%;max-width:860px;height:auto;margin:0 auto;background:#fff}
article p,details{margin:.8rem 1.2rem 0;font-size:.9rem}
summary{cursor:pointer;color:var(--soft)}
section{overflow-x:auto}
table{border-collapse:collapse;margin-top:.4rem;font-size:.9rem}
th,td{text-align:left;padding:.28rem 1.2rem .28rem 0;border-top:1px solid var(--line)}
thead th{border:0;color:var(--soft);font-weight:500}
@media print{body{padding:0}article{break-inside:avoid}}
"""
