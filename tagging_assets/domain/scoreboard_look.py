"""Style and script of a scoreboard's page."""

STYLE = """
:root{--page:#f4f4f1;--card:#fff;--ink:#1d2126;--soft:#5b6470;--line:#dcdcd6;--mat:#e8e8e3;--mark:#1f569c;
--gold:#6b4a00;--gold-bg:#fbe9b5;--good:#155f3c;--good-bg:#e3f1e9;--few:#1f569c;--few-bg:#e4edf8;
--own:#6a3a94;--own-bg:#f0e6f8;--bad:#962024;--bad-bg:#fae6e5;--worst-bg:#962024;--worst:#fff;--none-bg:#ebebe7}
@media(prefers-color-scheme:dark){:root{--page:#14161a;--card:#1e2126;--ink:#eceef1;--soft:#a5aeb9;--line:#31363d;
--mat:#0d0f12;--mark:#a5c9f8;--gold:#ffd978;--gold-bg:#3d3112;--good:#8fdcb3;--good-bg:#18291f;--few:#a5c9f8;
--few-bg:#18243a;--own:#d9b8f5;--own-bg:#2c1d3a;--bad:#ffaaa6;--bad-bg:#331a1b;--worst-bg:#ffaaa6;--worst:#2b0f10;
--none-bg:#2a2e34}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:92rem;padding:2rem clamp(1rem,3vw,3rem);background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
font-variant-numeric:tabular-nums}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.3rem 1.2rem;margin-bottom:1.2rem}
h1{font-size:1.7rem;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:0 0 .6rem}
h3{font-size:.95rem;margin:1.2rem 0 .4rem}
.soft{color:var(--soft);margin:0}
section{margin-bottom:1.6rem}
section>ul{margin:.6rem 0 0;padding-left:1.2rem;max-width:60rem}
li{overflow-wrap:anywhere}
.lead{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--mark);border-radius:12px;
padding:1rem 1.3rem}
.lead h2{font-size:1.35rem;margin-bottom:.2rem;overflow-wrap:anywhere}
.lead p{margin:0}
.lead ul{color:var(--soft)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:1.2rem}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:.9rem 1rem}
figcaption{font-weight:600;margin-bottom:.4rem}
figure img{display:block;width:100%;height:auto;max-width:60rem;margin:0 auto}
.wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:12px}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:right;vertical-align:top;padding:.45rem .8rem;border-top:1px solid var(--line);white-space:nowrap}
th{font-weight:600}
.words{text-align:left;white-space:normal;min-width:11rem;overflow-wrap:anywhere}
tbody th.words{background:var(--card);min-width:9rem}
.sortable tbody th.words{position:sticky;left:0;max-width:24rem}
thead th{border:0;color:var(--soft);font-weight:500;vertical-align:bottom}
thead button{all:unset;cursor:pointer;white-space:nowrap}
thead button:focus-visible,.tools button:focus-visible,summary:focus-visible,.wide:focus-visible
{outline:2px solid var(--mark);outline-offset:2px;border-radius:4px}
thead button::after{content:" ↕";opacity:.45}
th[aria-sort=ascending] button::after{content:" ↑";opacity:1}
th[aria-sort=descending] button::after{content:" ↓";opacity:1}
th[aria-sort] button{color:var(--ink)}
td .under{white-space:normal}
.standings td,.standings th{padding-inline:.5rem}
.standings td{min-width:4.6rem}
.under{display:block;font-size:.78rem;font-weight:400;color:var(--soft)}
.heat{color:#1d2126}
.recall td,.recall th{border-top:1px solid var(--line)}
.scale{white-space:nowrap}
.scale span{display:inline-block;width:1.1em;height:.8em;border:1px solid #0002}
.chips{display:flex;flex-wrap:wrap;gap:.35rem;list-style:none;margin:0;padding:0;max-width:none}
.chip{display:inline-block;padding:.08rem .55rem;border-radius:999px;border:1px solid transparent;font-size:.86rem;
background:var(--none-bg);color:var(--ink)}
.chip.gold{background:var(--gold-bg);color:var(--gold)}
.chip.missing-gold{background:none;border:1px dashed var(--gold);color:var(--gold)}
.chip.middle{background:var(--good-bg);color:var(--good)}
.chip.minority{background:var(--few-bg);color:var(--few)}
.chip.unique{background:var(--own-bg);color:var(--own)}
.chip.irrelevant{background:var(--bad-bg);color:var(--bad)}
.chip.hallucinated{background:var(--worst-bg);color:var(--worst)}
.chip.reference{background:none;border-color:var(--soft);border-radius:5px}
.chip .points{font-size:.78rem;opacity:.85}
.legend{margin-bottom:.9rem}
details{background:var(--card);border:1px solid var(--line);border-radius:12px;margin-bottom:.7rem;padding:.6rem .9rem}
summary{display:flex;gap:.9rem;align-items:center;cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary::after{content:"▸";margin-left:auto;color:var(--soft)}
details[open]>summary::after{content:"▾"}
summary img,.nothing{flex:none;width:72px;height:54px;object-fit:cover;border-radius:6px;background:var(--mat)}
details[open]>summary{align-items:flex-start;margin-bottom:.7rem}
details[open]>summary img{width:min(18rem,42vw);height:auto;max-height:16rem;object-fit:contain}
.about{display:block;min-width:0}
.title{display:block;font-weight:600;overflow-wrap:anywhere}
.strip{display:flex;flex-wrap:wrap;gap:.1rem .9rem;font-size:.83rem;color:var(--soft)}
.strip b{color:var(--ink)}
.strip .best b{color:var(--mark);text-decoration:underline;text-underline-offset:.2em}
.about-photo{font-size:.86rem;margin:.2rem 0 .35rem}
.answers{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;margin:.8rem 0 0;font-size:.9rem}
.answers dt,.answers dd{margin:0;padding:.45rem 0;border-top:1px solid var(--line)}
.answers dt{padding-right:1.2rem;max-width:15rem;overflow-wrap:anywhere}
.answers .bad{margin:0;color:var(--bad);overflow-wrap:anywhere}
.tools{display:flex;gap:.6rem;margin:0 0 .8rem}
.tools button{font:inherit;font-size:.86rem;color:var(--ink);background:var(--card);border:1px solid var(--line);
border-radius:8px;padding:.2rem .8rem;cursor:pointer}
.quiet{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media(max-width:40rem){.answers{grid-template-columns:1fr}.answers dt{max-width:none;padding-bottom:0}
.answers dd{border:0;padding-top:.2rem}.sortable tbody th.words,.sortable thead th.words
{min-width:6.5rem;max-width:8.5rem}
.words{min-width:8rem}th,td{padding-inline:.5rem}}
@media print{body{padding:0;max-width:none}details,tr,figure{break-inside:avoid}.tools{display:none}}
"""

#: Buttons appear only where this runs, so that nobody meets one that does nothing.
SCRIPT = """
"use strict";
const value = (row, column) => row.cells[column].dataset.order;
function compare(one, other, column, up) {
  const [a, b] = [value(one, column), value(other, column)];
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  const way = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  return up ? way : -way;
}
function sort(table, head, column) {
  const body = table.tBodies[0];
  const before = head.getAttribute("aria-sort");
  const up = before ? before === "descending" : head.classList.contains("words");
  for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...[...body.rows].sort((one, other) => compare(one, other, column, up)));
}
for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head, column));
    head.append(button);
  });
}
const photos = [...document.querySelectorAll(".photos details")];
const openAll = (open) => photos.forEach((one) => { one.open = open; });
if (photos.length > 1) {
  const tools = document.createElement("p");
  tools.className = "tools";
  for (const [name, open] of [["Open all photos", true], ["Close all", false]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => openAll(open));
    tools.append(button);
  }
  photos[0].before(tools);
}
addEventListener("beforeprint", () => openAll(true));
"""
