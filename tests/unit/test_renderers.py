"""Every renderer shows the whole graph, whatever stands in it."""

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pydot
import pytest

from tests.support.mermaid_reader import read_mermaid
from tests.support.sample_graphs import HOSTILE, NO_SPACE, SAMPLES
from vmwright.terminal.words import Glyphs, duration_words, printable
from vmwright.views import RENDERERS, mermaid, text
from vmwright.views.elements import nodes_of
from vmwright.views.graph import Graph

GOLDEN = Path(__file__).with_name("golden")
SVG = "{http://www.w3.org/2000/svg}"
each_sample = pytest.mark.parametrize("sample", SAMPLES)
each_renderer = pytest.mark.parametrize("renderer", RENDERERS)

Edges = dict[tuple[str, str], str]
"""The values of each edge, in one text without spaces: some formats break lines."""


def joined(values: str) -> str:
    return "".join(values.split())


def expected(graph: Graph) -> tuple[list[str], Edges]:
    edges = {
        (printable(one), printable(other)): joined(", ".join(map(printable, values)))
        for one, other, values in graph.edges.data("values")
    }
    return sorted(map(printable, graph)), edges


def unescaped_dot(label: str) -> str:
    """The text of a label: a backslash before `n` ends a line, before itself it is one."""
    plain = re.sub(r"\\(.)", lambda match: " " if match[1] == "n" else match[1], label)
    return html.unescape(plain)


@pytest.fixture(scope="module")
def graphviz() -> Callable[[str], dict[str, Any]]:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is missing: apt-get install graphviz")

    def read(source: str) -> dict[str, Any]:
        run = ["dot", "-Tjson0"]
        answer = subprocess.run(run, input=source.encode(), capture_output=True, check=False)
        assert (answer.returncode, answer.stderr) == (0, b"")
        document: dict[str, Any] = json.loads(answer.stdout)
        return document

    return read


@pytest.fixture(scope="module")
def diagrams() -> dict[str, dict[str, Any]]:
    """All samples, read by Mermaid in one go."""
    texts = [mermaid.render(make()) for make in SAMPLES.values()]
    return dict(zip(SAMPLES, read_mermaid(texts), strict=True))


@each_renderer
@each_sample
def test_renders_anything_as_text_that_can_be_stored(renderer: str, sample: str):
    document = RENDERERS[renderer](SAMPLES[sample]())
    assert document.encode()
    assert document.endswith("\n")
    assert "\x1b" not in document


@each_renderer
def test_same_graph_gives_the_same_document(renderer: str):
    graph = SAMPLES["failing_create"]()
    assert RENDERERS[renderer](graph) == RENDERERS[renderer](SAMPLES["failing_create"]())


@each_renderer
def test_rendering_changes_nothing_in_the_graph(renderer: str):
    graph = SAMPLES["failing_create"]()
    before = json.dumps([dict(graph.nodes.data()), list(graph.edges.data())], default=str)
    RENDERERS[renderer](graph)
    assert before == json.dumps([dict(graph.nodes.data()), list(graph.edges.data())], default=str)


@each_renderer
@pytest.mark.parametrize("sample", ["failing_create", "failed_create"])
def test_failure_is_shown_with_its_message(renderer: str, sample: str):
    document = html.unescape(RENDERERS[renderer](SAMPLES[sample]()))
    document = re.sub(r"#(\d+);", lambda match: chr(int(match[1])), document)
    assert joined(NO_SPACE["message"]) in joined(document.replace("\\n", " "))


@each_sample
def test_json_holds_every_task_and_value(sample: str):
    graph = SAMPLES[sample]()
    document = json.loads(RENDERERS["json"](graph))
    edges = {
        (printable(edge["source"]), printable(edge["target"])): joined(
            ", ".join(map(printable, edge["values"]))
        )
        for edge in document["edges"]
    }
    assert (sorted(printable(node["id"]) for node in document["nodes"]), edges) == expected(graph)


def test_json_keeps_its_keys_and_facts():
    document = json.loads(RENDERERS["json"](SAMPLES["failing_create"]()))
    assert list(document) == [
        "flow",
        "inputs",
        "operation",
        "elapsed",
        "nodes",
        "edges",
        "critical_path",
    ]
    spawn = next(node for node in document["nodes"] if node["id"] == "spawn")
    assert spawn["error"] == NO_SPACE
    assert (spawn["state"], spawn["duration"], spawn["undo_duration"]) == ("REVERTED", 4.35, 0.9)
    assert document["operation"]["state"] == "undoing"
    assert document["operation"]["owes"]
    assert "plug_network" not in document["critical_path"]


def test_json_of_a_flow_has_no_operation():
    document = json.loads(RENDERERS["json"](SAMPLES["plain_create"]()))
    assert (document["flow"], document["inputs"], document["operation"]) == (
        "create",
        ["spec"],
        None,
    )


@each_sample
def test_graphviz_reads_every_task_and_value(
    sample: str, graphviz: Callable[[str], dict[str, Any]]
):
    graph = SAMPLES[sample]()
    document = graphviz(RENDERERS["dot"](graph))
    objects = document.get("objects", [])
    names = {
        entry["_gvid"]: printable(entry["name"].replace("\\\\", "\\"))
        for entry in objects
        if not entry["name"].startswith("cluster_")
    }
    edges = {
        (names[edge["tail"]], names[edge["head"]]): joined(unescaped_dot(edge["label"]))
        for edge in document.get("edges", [])
    }
    assert (sorted(names.values()), edges) == expected(graph)


# pydot calls its own parser by names that the parser's makers have replaced.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@each_sample
def test_pydot_reads_every_task(sample: str):
    graph = SAMPLES[sample]()
    (document,) = pydot.graph_from_dot_data(RENDERERS["dot"](graph)) or ()
    nodes = [*document.get_nodes(), *(n for s in document.get_subgraphs() for n in s.get_nodes())]
    names = [node.get_name() for node in nodes if node.get_name() not in ("node", "edge", "graph")]
    assert len(names) == len(graph)
    assert len(document.get_edges()) == graph.number_of_edges()


def test_graphviz_shows_hostile_text_as_it_is(graphviz: Callable[[str], dict[str, Any]]):
    document = graphviz(RENDERERS["dot"](SAMPLES["hostile"]()))
    node = next(entry for entry in document["objects"] if entry["name"] == "plug_network")
    assert joined(unescaped_dot(node["tooltip"])) == joined(printable(HOSTILE)) * 2


@each_sample
def test_mermaid_reads_every_task_and_value(sample: str, diagrams: dict[str, dict[str, Any]]):
    graph, diagram = SAMPLES[sample](), diagrams[sample]
    names = {node["id"]: node["text"].split("<br>")[0] for node in diagram["nodes"]}
    edges = {
        (names[edge["start"]], names[edge["end"]]): joined(edge["text"])
        for edge in diagram["edges"]
    }
    assert (sorted(names.values()), edges) == expected(graph)


@each_sample
def test_mermaid_gives_every_task_the_class_of_its_state(
    sample: str, diagrams: dict[str, dict[str, Any]]
):
    classes = {node["text"].split("<br>")[0]: node["classes"] for node in diagrams[sample]["nodes"]}
    for node in nodes_of(SAMPLES[sample]()):
        assert classes[printable(node.name)][0] == (node.state.lower() if node.state else "task")


def test_mermaid_frames_what_is_retried(diagrams: dict[str, dict[str, Any]]):
    (scope,) = diagrams["plain_create"]["scopes"]
    assert scope["title"] == "on_host"
    assert sorted(scope["nodes"]) == [
        "task_claim_host",
        "task_map_block_devices",
        "task_plug_network",
        "task_spawn",
    ]


def test_mermaid_shows_hostile_text_as_it_is(diagrams: dict[str, dict[str, Any]]):
    node = next(n for n in diagrams["hostile"]["nodes"] if n["id"] == "task_plug_network")
    message = node["text"].split("<br>")[-1]
    assert printable(HOSTILE).startswith(message.removesuffix("…"))
    assert len(message) > 100


@each_sample
def test_svg_holds_every_task_and_value(sample: str):
    graph = SAMPLES[sample]()
    root = ET.fromstring(RENDERERS["svg"](graph))
    names = [task.get("data-task") for task in root.iter() if task.get("data-task") is not None]
    edges = {
        (edge.get("data-source"), edge.get("data-target")): joined(edge.get("data-values", ""))
        for edge in root.iter(f"{SVG}g")
        if edge.get("data-source") is not None
    }
    assert (sorted(map(str, names)), edges) == expected(graph)


@each_sample
def test_svg_tells_what_it_shows_to_those_who_cannot_see_it(sample: str):
    graph = SAMPLES[sample]()
    root = ET.fromstring(RENDERERS["svg"](graph))
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root.findtext(f"{SVG}desc", "").startswith(f"{len(graph)} task")
    for task in root.iter(f"{SVG}g"):
        if task.get("data-task") is not None:
            assert task.findtext(f"{SVG}title", "").startswith(str(task.get("data-task")))


def test_svg_classes_are_the_states():
    root = ET.fromstring(RENDERERS["svg"](SAMPLES["failing_create"]()))
    classes = {task.get("data-task"): task.get("class") for task in root.iter(f"{SVG}g")}
    assert classes["check_not_created"] == "task success critical"
    assert classes["plug_network"] == "task reverting"
    assert classes["map_block_devices"] == "task reverted critical"
    assert classes["mark_active"] == "task pending"


@each_sample
def test_svg_needs_nothing_from_elsewhere(sample: str):
    root = ET.fromstring(RENDERERS["svg"](SAMPLES[sample]()))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "g",
        "path",
        "polygon",
        "text",
    }
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or name.endswith(("href", "style")) for name in attributes)
    style = root.findtext(f"{SVG}style", "")
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_text_shows_values_and_siblings():
    lines = text.render(SAMPLES["plain_create"]()).splitlines()
    assert "┌○ plug_network       host, network_info → interfaces" in lines
    assert "└○ map_block_devices  host → block_devices" in lines


@each_sample
def test_text_names_every_task_in_order(sample: str):
    graph = SAMPLES[sample]()
    document = text.render(graph)
    places = [document.rindex(f" {printable(node.name)}") for node in nodes_of(graph)]
    assert len(places) == len(graph)


@each_sample
def test_text_in_ascii_is_ascii(sample: str):
    assert text.render(SAMPLES[sample](), Glyphs.ASCII).isascii()


@pytest.mark.parametrize(
    ("encoding", "glyphs"),
    [
        ("utf-8", Glyphs.UNICODE),
        ("ascii", Glyphs.ASCII),
        ("latin-1", Glyphs.ASCII),
        ("nonsense", Glyphs.ASCII),
    ],
)
def test_glyphs_are_those_that_the_stream_can_carry(encoding: str, glyphs: Glyphs):
    assert Glyphs.for_encoding(encoding) is glyphs


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.0, "0 ms"),
        (0.012, "12 ms"),
        (0.9996, "1.0 s"),
        (18.52, "18.5 s"),
        (59.96, "1 min 00 s"),
        (65.2, "1 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7380, "2 h 03 min"),
    ],
)
def test_durations_are_in_the_unit_that_a_person_would_choose(seconds: float | None, words: str):
    assert duration_words(seconds) == words


def test_printable_text_is_one_line_without_control():
    cleaned = printable(HOSTILE)
    assert cleaned.isprintable()
    assert "[31mred" in cleaned
    assert cleaned.startswith("\"quotes\" 'single' `ticks` <b>&amp; ]]> -->")


@pytest.mark.parametrize("renderer", sorted(set(RENDERERS) - {"svg"}))
@pytest.mark.parametrize(
    "sample", ["plain_create", "failing_create", "running_delete", "recorded_second_attempt"]
)
def test_document_is_as_it_was_approved(renderer: str, sample: str):
    """Set VMWRIGHT_UPDATE_GOLDEN=1 to approve what is rendered now."""
    document, file = RENDERERS[renderer](SAMPLES[sample]()), GOLDEN / f"{sample}.{renderer}"
    if os.getenv("VMWRIGHT_UPDATE_GOLDEN") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(document, encoding="utf-8")
    assert document == file.read_text(encoding="utf-8")
