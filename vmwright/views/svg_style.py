"""The style sheet of an SVG picture, for light and for dark screens."""

from vmwright.states import NodeState
from vmwright.views.palette import DARK, DARK_TONES, LIGHT, LIGHT_TONES, Paper, Tone

_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_SHAPES = f"""
.vmw text {{ font-family: {_FONT}; font-size: 12px; font-variant-numeric: tabular-nums; }}
.vmw .heading {{ font-size: 18px; font-weight: 600; }}
.vmw .name {{ font-size: 14px; font-weight: 600; }}
.vmw .pill text {{ font-weight: 600; text-anchor: middle; }}
.vmw .values text, .vmw .legend text, .vmw .frame text {{ font-size: 11px; }}
.vmw .values text, .vmw .frame text {{ text-anchor: middle; }}
.vmw .task > rect {{ stroke-width: 1.25; }}
.vmw .task.critical > rect {{ stroke-width: 2.5; }}
.vmw .task.pending > rect, .vmw .task.ignore > rect {{ stroke-dasharray: 5 4; }}
.vmw .frame rect {{ fill: none; stroke-width: 1.25; stroke-dasharray: 2 5; stroke-linecap: round; }}
.vmw .line, .vmw .halo {{ fill: none; }}
.vmw .line {{ stroke-width: 1.5; }}
.vmw .data .line {{ stroke-dasharray: 5 4; }}
.vmw .critical .line {{ stroke-width: 3.5; }}
.vmw .halo {{ stroke-width: 7; }}
.vmw .mark {{ fill: none; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }}
""".lstrip()


def style_sheet() -> str:
    """Rules for the class ``vmw`` and what is in it: nothing else on the page is touched."""
    light = _colours(LIGHT, LIGHT_TONES)
    dark = _colours(DARK, DARK_TONES)
    return f"\n{_SHAPES}{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"


def state_class(state: NodeState | None) -> str:
    """The class of what shows a state; a flow that nobody runs has none, so to say."""
    return "planned" if state is None else state.lower()


def _colours(paper: Paper, tones: dict[NodeState | None, Tone]) -> str:
    rules = [*_paper_rules(paper), *_edge_rules(paper, tones)]
    for state, tone in tones.items():
        rules += _tone_rules(f".vmw .{state_class(state)}", tone)
    return "".join(f"{rule}\n" for rule in rules)


def _paper_rules(paper: Paper) -> list[str]:
    return [
        f".vmw .canvas, .vmw .values rect {{ fill: {paper.canvas}; }}",
        f".vmw text {{ fill: {paper.muted}; }}",
        f".vmw .heading, .vmw .name, .vmw .values text {{ fill: {paper.text}; }}",
        f".vmw .halo {{ stroke: {paper.canvas}; }}",
        f".vmw .frame rect {{ stroke: {paper.edge}; }}",
        f".vmw .frame .behind {{ fill: {paper.canvas}; stroke: none; }}",
        f".vmw .track {{ fill: {paper.faint}; }}",
    ]


def _edge_rules(paper: Paper, tones: dict[NodeState | None, Tone]) -> list[str]:
    failed, back = tones[NodeState.FAILURE], tones[NodeState.REVERTED]
    return [
        f".vmw .line {{ stroke: {paper.edge}; }}",
        f".vmw .head {{ fill: {paper.edge}; }}",
        f".vmw .values rect {{ stroke: {paper.faint}; }}",
        f".vmw .ahead .line {{ stroke: {paper.faint}; }}",
        f".vmw .ahead .head {{ fill: {paper.faint}; }}",
        f".vmw .ahead.values text {{ fill: {paper.muted}; }}",
        f".vmw .critical .line {{ stroke: {paper.accent}; }}",
        f".vmw .critical .head {{ fill: {paper.accent}; }}",
        f".vmw .taken-back .line {{ stroke: {back.line}; }}",
        f".vmw .taken-back .head {{ fill: {back.line}; }}",
        f".vmw .error, .vmw .debt {{ fill: {failed.text}; }}",
    ]


def _tone_rules(where: str, tone: Tone) -> list[str]:
    return [
        f"{where} > rect {{ fill: {tone.fill}; stroke: {tone.line}; }}",
        f"{where} .bar {{ fill: {tone.line}; }}",
        f"{where} .mark {{ stroke: {tone.line}; }}",
        f"{where} .status, {where}.pill text {{ fill: {tone.text}; }}",
    ]
