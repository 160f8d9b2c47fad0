"""Filters and weighers are found by their names, also those of other packages."""

import re
import subprocess
import sys
from dataclasses import fields, replace
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from vmwright.errors import InvalidRequest
from vmwright.host_query import VARIABLES
from vmwright.scheduler.loading import load_filters, load_scheduler, load_weighers
from vmwright.settings import SchedulerSettings, Settings

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "scheduling.md"
OTHERS = """
class Nameless:
    def why_not(self, host, request):
        return None

class Misnamed(Nameless):
    name = "other"

class Mute:
    name = "mute"
"""
ENTRY_POINTS = """
[vmwright.scheduler.filters]
nameless = others:Nameless
misnamed = others:Misnamed
mute = others:Mute
absent = others.absent:Filter
zone = others:Nameless

[vmwright.scheduler.weighers]
mute = others:Mute
"""
LOAD = """
import sys
from vmwright.errors import VmwrightError
from vmwright.scheduler.loading import load_filters, load_weighers

try:
    if sys.argv[1] == "filter":
        load_filters([sys.argv[2]])
    else:
        load_weighers({sys.argv[2]: 1.0})
except VmwrightError as error:
    print(f"{type(error).__name__}: {error.message}")
"""
FEW_BUILDS = """
from tests.support.scheduling import a_host, a_request
from vmwright.scheduler.decision import why_no_host
from vmwright.scheduler.loading import load_scheduler
from vmwright.settings import SchedulerSettings

scheduler = load_scheduler(SchedulerSettings(enabled_filters=["enabled", "few_builds"]))
hosts = [a_host("host1", builds=5), a_host("host2", builds=2)]
decision = scheduler.select_hosts(hosts, a_request())
print(decision.chosen.name)
print(why_no_host(decision.refusals))
"""


def installed(kind: str) -> set[str]:
    return {found.name for found in entry_points(group=f"vmwright.scheduler.{kind}")}


def run(program: str, *arguments: str, beside: Path) -> str:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=beside,
        env={"PYTHONPATH": f"{beside}:{root}", "XDG_CACHE_HOME": str(beside / "cache")},
    )
    return done.stdout.strip()


def install(directory: Path, module: str, source: str, points: str) -> Path:
    metadata = directory / f"{module}-1.dist-info"
    metadata.mkdir(parents=True)
    (directory / f"{module}.py").write_text(source)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(points)
    return directory


def test_default_settings_name_all_that_is_installed() -> None:
    settings = SchedulerSettings()
    assert set(settings.enabled_filters) == installed("filters")
    assert set(settings.weight_multipliers) == installed("weighers")


def test_what_is_loaded_has_the_names_and_the_order_of_the_settings() -> None:
    assert [each.name for each in load_filters(["zone", "enabled", "zone"])] == ["zone", "enabled"]
    weighers = load_weighers({"disk": 2.0, "build_failure": 3.0, "cpu": -1.0})
    assert [(each.name, multiplier) for each, multiplier in weighers] == [
        ("disk", 2.0),
        ("build_failure", 3.0),
        ("cpu", -1.0),
    ]


def test_packing_turns_round_what_weighs_room_and_nothing_else() -> None:
    settings = SchedulerSettings()
    packing = load_scheduler(replace(settings, placement="pack")).weighers
    spreading = load_scheduler(settings).weighers
    turned = {
        each.name: packed / spread
        for (each, packed), (_, spread) in zip(packing, spreading, strict=True)
    }
    room = dict.fromkeys(("ram", "cpu", "disk"), -1.0)
    assert turned == dict.fromkeys(settings.weight_multipliers, 1.0) | room


@pytest.mark.parametrize(
    ("changes", "message", "known"),
    [
        ({"enabled_filters": ["zone", "moon"]}, "filter 'moon' is not installed", "json_query"),
        ({"weight_multipliers": {"moon": 1.0}}, "weigher 'moon' is not installed", "soft_affinity"),
    ],
)
def test_unknown_name_is_invalid_and_the_known_are_listed(changes, message, known) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        load_scheduler(replace(SchedulerSettings(), **changes))
    assert known in refused.value.hint


@pytest.mark.parametrize("multiplier", [float("nan"), float("inf")])
def test_multiplier_that_is_no_number_is_invalid(multiplier: float) -> None:
    with pytest.raises(InvalidRequest, match="weigher 'ram' counts"):
        load_weighers({"ram": multiplier})


@pytest.mark.parametrize(
    ("noun", "name", "outcome"),
    [
        ("filter", "nameless", "InvalidRequest: filter 'nameless' cannot be used: Nameless has"),
        ("filter", "misnamed", "InvalidRequest: filter 'misnamed' cannot be used"),
        ("filter", "mute", "InvalidRequest: filter 'mute' cannot be used"),
        ("weigher", "mute", "InvalidRequest: weigher 'mute' cannot be used"),
        ("filter", "absent", "PackageMissing: filter 'absent' cannot be loaded from others.absent"),
        ("filter", "zone", "InvalidRequest: filter 'zone' is offered by more than one package"),
    ],
)
def test_broken_plug_in_is_named(tmp_path: Path, noun: str, name: str, outcome: str) -> None:
    others = install(tmp_path, "others", OTHERS, ENTRY_POINTS)
    assert run(LOAD, noun, name, beside=others).startswith(outcome)


# Configuration


def test_settings_are_read_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "vmwright.conf"
    file.write_text(
        "[scheduler]\nenabled_filters = zone,capacity\nweight_multipliers = ram:2,cpu:-0.5\n"
        "placement = pack\nfailure_window = 60\n"
        "default_availability_zone = east\ndefault_schedule_zone = west\n"
    )
    assert Settings.from_files(str(file)).scheduler == SchedulerSettings(
        enabled_filters=("zone", "capacity"),
        weight_multipliers={"ram": 2.0, "cpu": -0.5},
        placement="pack",
        failure_window=60.0,
        default_availability_zone="east",
        default_schedule_zone="west",
    )


def test_settings_without_a_file_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "vmwright.conf"
    file.touch()
    assert Settings.from_files(str(file)).scheduler == SchedulerSettings()


@pytest.mark.parametrize(
    "line", ["placement = tidy", "failure_window = -1", "weight_multipliers = ram:much"]
)
def test_wrong_setting_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "vmwright.conf"
    file.write_text(f"[scheduler]\n{line}\n")
    with pytest.raises(InvalidRequest, match=line.partition(" ")[0]):
        Settings.from_files(str(file))


# The page about it


def rows(heading: str) -> set[str]:
    """The names in the first column of the table under a heading of the page."""
    section = DOCS.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `\$?([a-z_]+)`", section, re.MULTILINE))


def test_page_explains_every_filter_weigher_setting_and_variable() -> None:
    assert rows("Filters") == installed("filters")
    assert rows("Weighers") == installed("weighers")
    assert rows("Settings") == {field.name for field in fields(SchedulerSettings)}
    assert rows("Queries") == set(VARIABLES)


def test_example_of_the_page_works(tmp_path: Path) -> None:
    source, declaration = (
        re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL).group(1)
        for language in ("python", "toml")
    )
    points = declaration.replace('[project.entry-points."', "[").replace('"]', "]")
    example = install(tmp_path, "few_builds", source, points.replace('"', ""))
    assert run(FEW_BUILDS, beside=example).splitlines() == [
        "host2",
        "no host can take the guest: host1: 5 builds run there, at most 4 may",
    ]
