"""Pictures of the results, as SVG that suits light and dark paper.

Small panels beside each other share what is on the horizontal axis; each has one measure, which
begins at nought, so that a line that looks flat is flat.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.results import Results
from benchmarks.tables import TITLES, VERBS, number
from vmwright.views.palette import DARK, LIGHT, Paper

_WIDTH, _HEIGHT, _GAP = 250, 150, 42
_LEFT, _TOP, _BOTTOM, _RIGHT = 24, 74, 56, 24
_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_BAR, _BAR_GAP, _NAMES, _BARS = 22, 10, 170, 420


@dataclass(frozen=True)
class Series:
    """One line: heights over the shared steps, None where nothing was measured."""

    name: str
    """Empty if it is the only one."""
    values: Sequence[float | None]
    tone: str
    """`first` or `second`."""


@dataclass(frozen=True)
class Panel:
    title: str
    series: Sequence[Series]


def history_chart(results: Results) -> str:
    """The cost of create, list and resume by finished operations in the store."""
    sizes = sorted({int(name.split("/")[1]) for name in results.names("history/")})
    panels = [
        Panel(
            f"CPU ms of one {word}",
            [
                _series(results, "store without a history", "beside", sizes, verb, "second"),
                _series(results, "with one", "history", sizes, verb, "first"),
            ],
        )
        for verb, word in VERBS.items()
    ]
    steps = [_short(size) for size in sizes]
    return drawn("Cost by history", "finished operations in the store", steps, panels)


def _series(
    results: Results, name: str, where: str, sizes: Sequence[int], verb: str, tone: str
) -> Series:
    values = [results.value(f"{where}/{size}/{verb}", "cpu_ms") for size in sizes]
    return Series(name, values, tone)


def clients_chart(results: Results) -> str:
    """What a create costs by the number of clients that want one at the same time."""
    clients = sorted(int(name.split("/")[1]) for name in results.names("clients/"))
    panels = [
        Panel(
            title,
            [Series("", [results.value(f"clients/{one}", what) for one in clients], "first")],
        )
        for title, what in (
            ("creates per second", "per_second"),
            ("CPU ms of one create", "cpu_ms"),
            ("ms until it is active, median", "p50_ms"),
        )
    ]
    steps = [str(one) for one in clients]
    return drawn("Cost by concurrency", "clients that create at the same time", steps, panels)


def peers_chart(results: Results) -> str:
    """Workflows of six no-op tasks per second, ours and the peers'."""
    rows = [
        (f"{TITLES[who].strip('*')}, {TITLES[database]}", who, value)
        for name in results.names("engine/")
        for _, database, who, mode in [name.split("/")]
        if mode == "crowd" and (value := results.value(name, "per_second")) is not None
    ]
    most = max((value for _, _, value in rows), default=1.0)
    parts = [_text(_LEFT, 30, "Workflows of six durable no-op tasks per second", "heading")]
    parts.append(_text(_LEFT, 50, "50 at once, the same durability, more is better", "muted"))
    for place, (name, who, value) in enumerate(rows):
        top = _TOP + place * (_BAR + _BAR_GAP)
        tone = "first" if who == "vmwright" else "second"
        width = max(1.5, _BARS * value / most)
        middle = top + _BAR / 2 + 4
        parts.append(_text(_LEFT + _NAMES, middle, name, "end"))
        parts.append(
            f'<rect class="{tone} bar" x="{_LEFT + _NAMES + 10}" y="{top}"'
            f' width="{width:.1f}" height="{_BAR}" rx="2"/>'
        )
        parts.append(_text(_LEFT + _NAMES + 18 + width, middle, number(value), "value"))
    height = _TOP + len(rows) * (_BAR + _BAR_GAP) + 12
    return _document(_LEFT + _NAMES + 10 + _BARS + 80, height, parts)


def drawn(title: str, axis: str, steps: Sequence[str], panels: Sequence[Panel]) -> str:
    """Panels in a row, under one heading and with one legend."""
    width = _LEFT + len(panels) * (_WIDTH + _GAP) - _GAP + _RIGHT
    height = _TOP + _HEIGHT + _BOTTOM
    parts = [_text(_LEFT, 30, title, "heading")]
    for place, panel in enumerate(panels):
        left = _LEFT + place * (_WIDTH + _GAP)
        parts += _panel(left, panel, steps)
    parts.append(_text(_LEFT, height - 12, axis, "muted"))
    parts += _legend(width - _RIGHT, panels[0].series if panels else ())
    return _document(width, height, parts)


def _panel(left: float, panel: Panel, steps: Sequence[str]) -> Iterator[str]:
    known = [value for one in panel.series for value in one.values if value is not None]
    top = _ceiling(max(known, default=1.0))
    base = _TOP + _HEIGHT
    yield _text(left, _TOP - 12, panel.title, "name")
    for part in (0.5, 1.0):
        level = base - part * _HEIGHT
        yield f'<path class="grid" d="M{left} {level:.1f}h{_WIDTH}"/>'
        yield _text(left + _WIDTH, level - 4, f"{part * top:g}", "tick")
    yield f'<path class="axis" d="M{left} {base}h{_WIDTH}"/>'
    places = [left + _WIDTH * (place + 0.5) / len(steps) for place in range(len(steps))]
    for x, step in zip(places, steps, strict=True):
        yield _text(x, base + 16, step, "step")
    for one in panel.series:
        points = [
            (x, base - _HEIGHT * value / top)
            for x, value in zip(places, one.values, strict=True)
            if value is not None
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f'<polyline class="{one.tone} line" points="{line}"/>'
        yield from (
            f'<circle class="{one.tone} dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points
        )


def _legend(right: float, series: Sequence[Series]) -> Iterator[str]:
    """From the right end of the heading's line leftwards."""
    for one in series:
        if not one.name:
            continue
        yield _text(right, 30, one.name, "legend")
        right -= 6.4 * len(one.name) + 10
        yield f'<circle class="{one.tone} dot" cx="{right:.1f}" cy="26" r="4"/>'
        right -= 18


def _ceiling(most: float) -> float:
    """A round number that is not below it."""
    if most <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(most))
    steps: Sequence[float] = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return next(step * unit for step in steps if step * unit >= most)


def _short(size: int) -> str:
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g}{letter}"
    return str(size)


def _text(x: float, y: float, text: str, tone: str) -> str:
    return f'<text class="{tone}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _document(width: float, height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bench" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" role="img">\n<style>{_style()}</style>\n'
        f'<rect class="canvas" width="100%" height="100%" rx="6"/>\n{body}\n</svg>\n'
    )


def _style() -> str:
    light, dark = _colours(LIGHT, "#1f6feb"), _colours(DARK, "#4a93ff")
    return f"""
.bench text {{ font-family: {_FONT}; font-size: 12px; font-variant-numeric: tabular-nums; }}
.bench .heading {{ font-size: 16px; font-weight: 600; }}
.bench .name {{ font-weight: 600; }}
.bench .tick, .bench .step {{ font-size: 11px; }}
.bench .step {{ text-anchor: middle; }}
.bench .tick, .bench .legend, .bench .end {{ text-anchor: end; }}
.bench .line {{ fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }}
.bench .second.line {{ stroke-dasharray: 5 4; }}
.bench .grid, .bench .axis {{ fill: none; stroke-width: 1; }}
{light}@media (prefers-color-scheme: dark) {{
{dark}}}
"""


def _colours(paper: Paper, accent: str) -> str:
    rules = [
        f".canvas {{ fill: {paper.canvas}; }}",
        f"text {{ fill: {paper.muted}; }}",
        f".heading, .bench .name, .bench .value {{ fill: {paper.text}; }}",
        f".grid {{ stroke: {paper.faint}; stroke-opacity: 0.5; }}",
        f".axis {{ stroke: {paper.edge}; }}",
        f".first.line {{ stroke: {accent}; }}",
        f".first.dot, .bench .first.bar {{ fill: {accent}; }}",
        f".second.line {{ stroke: {paper.edge}; }}",
        f".second.dot, .bench .second.bar {{ fill: {paper.edge}; }}",
    ]
    return "".join(f".bench {rule}\n" for rule in rules)
