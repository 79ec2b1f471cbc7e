"""The summary of a class as one HTML page: bars and sentences, without network and scripts."""

import html

from miniae.exercises.classroom.report import of_points
from miniae.exercises.classroom.summary import COMMONEST, STATES

COLOURS = {
    "done": "#2a9d5c", "begun": "#9bd3ae", "wrong": "#e07a3f", "error": "#b5404a",
    "not started": "#b9bfc7", "missing": "var(--bar)",
}  # fmt: skip
STYLE = """
:root { color-scheme: light dark; --text: #1c2530; --grey: #56616e; --back: #fff; --bar: #eceef1; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e7ec; --grey: #a3adb9; --back: #14181d; --bar: #39424d; } }
body { font: 17px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back);
  margin: 2em auto; max-width: 60em; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: .2em; } h2 { font-size: 1.25em; margin-top: 2em; }
h3 { font-size: 1em; margin: 0 0 .3em; } section { margin: 1.3em 0; }
.bar { display: flex; height: 1.3em; border-radius: 4px; overflow: hidden;
  background: var(--bar); }
.bar i { display: block; }
.bar, i { forced-color-adjust: none; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
.key span { margin-right: 1.2em; white-space: nowrap; } .key i { display: inline-block;
  width: .8em; height: .8em; border-radius: 2px; margin-right: .35em; }
table { border-collapse: collapse; width: 100%; margin-top: .5em; }
td { padding: .25em .5em; vertical-align: top; overflow-wrap: anywhere; }
pre { overflow-x: auto; }
td.n { text-align: right; width: 2em; font-weight: bold; } td.meter { width: 8em; }
td.wide { width: 40%; } td.done { white-space: nowrap; text-align: right; color: var(--grey); }
td.meter .bar { height: .8em; margin-top: .4em; } code { font-size: .85em; color: var(--grey); }
h2, h3 { break-after: avoid; } tr { break-inside: avoid; }
@media (max-width: 40em) { .all tr { display: grid; grid-template-columns: 1fr auto; }
  .all td.wide { grid-area: 2 / 1 / 3 / 3; width: auto; } td.meter { width: 3em; } }
"""


def page(summary, title, groups=()):
    """Return the page as text.

    Parameters
    ----------
    summary : dict, see `summary.summarise`
    title : str
    groups : list of (heading, lines), the groups of wrong answers without a diagnosis
    """
    n = len(summary["students"])
    parts = [
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escaped(title)}</h1><p>{n} student{'s' if n != 1 else ''}, "
        f"{len(summary['exercises'])} exercise{'s' if len(summary['exercises']) != 1 else ''}</p>",
        "<p class='key'>",
        *(f"<span><i style='background:{COLOURS[s]}'></i>{s}</span>" for s in STATES),
        "</p>",
        "<table class='all'>",
        *map(overview, summary["exercises"]),
        "</table><h2>Misconceptions</h2>",
        *map(section, summary["exercises"]),
        "<h2>Students</h2><table>",
        *map(student, summary["students"]),
        "</table>",
    ]
    if groups:
        parts.append("<h2>Wrong answers without a diagnosis, by what they compute</h2>")
    for heading, lines in groups:
        code = escaped("\n".join(lines))
        parts.append(f"<section><h3>{escaped(heading)}</h3><pre>{code}</pre></section>")
    if summary["skipped"]:
        parts.append("<h2>Not graded</h2><table>")
        for one in summary["skipped"]:
            parts.append(f"<tr>{cell(one['file'])}{cell(one['reason'])}</tr>")
        parts.append("</table>")
    return "\n".join(parts) + "\n</body></html>\n"


def escaped(text):
    """Return text for HTML; what UTF-8 cannot write is written as an escape."""
    return html.escape(str(text).encode("utf-8", "backslashreplace").decode())


def cell(text):
    """Return a cell of a table."""
    return f"<td>{escaped(text)}</td>"


def stripes(shares):
    """Return a bar: a list of (colour, share, title)."""
    inside = "".join(
        f"<i style='width:{100 * share:.2f}%;background:{colour}' title='{escaped(title)}'></i>"
        for colour, share, title in shares
        if share > 0
    )
    return f"<div class='bar'>{inside}</div>"


def overview(one):
    """Return the row of an exercise: who is done, as a bar."""
    n, title = one["students"], f"{one['number']}. {one['title']}"
    bar = stripes([(COLOURS[s], one[s] / n, f"{one[s]} {s}") for s in STATES])
    return (
        f"<tr>{cell(title)}<td class='wide'>{bar}</td>"
        f"<td class='done'>{one['done']} of {n} done</td></tr>"
    )


def section(one):
    """Return the commonest misconceptions of an exercise; "" if there is none."""
    n, rows = one["students"], []
    if not one["misconceptions"]:
        return ""
    for wrong in one["misconceptions"][:COMMONEST]:
        meter = stripes([(COLOURS["wrong"], wrong["count"] / n, f"{wrong['count']} of {n}")])
        rows.append(
            f"<tr><td class='n'>{wrong['count']}</td><td class='meter'>{meter}</td>"
            f"<td>{escaped(wrong['sentence'])} <code>{escaped(wrong['diagnosis'])}</code></td></tr>"
        )
    more = len(one["misconceptions"]) - COMMONEST
    if more > 0:
        rows.append(f"<tr><td></td><td></td><td>and {more} more</td></tr>")
    return (
        f"<section><h3>{one['number']}. {escaped(one['title'])}</h3>"
        f"<table>{''.join(rows)}</table></section>"
    )


def student(total):
    """Return the row of a student."""
    share = total["points"] / total["max_points"] if total["max_points"] else 0
    meter = stripes([(COLOURS["done"], share, f"{100 * share:.0f} %")])
    return (
        f"<tr>{cell(total['student'])}<td class='meter'>{meter}</td>"
        f"<td>{total['done']} of {total['exercises']} done, "
        f"{of_points(total['points'], total['max_points'])}</td></tr>"
    )
