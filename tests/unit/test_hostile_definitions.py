"""What a user writes is text in a guest's definition and on its config drive, and nothing else."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from tests.support.drives import files_on
from tests.support.hostile_texts import OTHER, SQL
from tests.support.seeds import PLAIN
from tests.unit.test_domain_xml import GUEST, MARK, NETWORKS, STORAGE
from vmwright.backends.guest_data import InjectedFile, Layout, config_drive
from vmwright.backends.libvirt.domain_xml import domain_xml, files_of

TEXTS = (*SQL, *OTHER)
PATHS = (
    "../../../../etc/shadow",
    "/etc/../../root/.ssh/authorized_keys",
    "/openstack/latest/meta_data.json",
    "/proc/self/mem",
    "//host/share",
    "C:\\Windows\\win.ini",
    "relative",
    ".",
    "..",
    "/",
    "~root/x",
    "/a\nb",
    "/\u202egnp",
    "/" + "x" * 5000,
)


def defined(title: str) -> str:
    guest = replace(GUEST, title=title)
    return domain_xml(guest, MARK, virt_type="qemu", storage=STORAGE, networks=NETWORKS)


def shape(definition: str) -> list[tuple[str, dict[str, str], str | None]]:
    """Every element with all that it says, but for the title's text."""
    root = ET.fromstring(definition)
    return [
        (
            element.tag,
            element.attrib,
            None if element.tag == "title" else (element.text or "").strip(),
        )
        for element in root.iter()
    ]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:20])
def test_a_title_adds_nothing_to_a_definition(text: str) -> None:
    definition = defined(text)
    assert shape(definition) == shape(defined("plain"))
    assert files_of(definition) == files_of(defined("plain"))
    (title,) = ET.fromstring(definition).iterfind("title")
    assert title.text
    assert len(title.text) <= 255
    assert title.text.isprintable()


@pytest.mark.parametrize("layout", Layout)
def test_paths_of_injected_files_name_nothing_on_the_drive(layout: Layout) -> None:
    """They are data in a document; what lies on the drive is named by us."""
    files = tuple(InjectedFile(path=path, content=path.encode()) for path in PATHS)
    plain = tuple(InjectedFile(path=f"/{n}", content=b"x") for n in range(len(PATHS)))
    hostile = files_on(config_drive(replace(PLAIN, files=files), layout))
    assert hostile.keys() == files_on(config_drive(replace(PLAIN, files=plain), layout)).keys()
    if layout is Layout.CONFIG_2:
        said = json.loads(hostile["/openstack/latest/meta_data.json"])
        assert [file["path"] for file in said["files"]] == list(PATHS)
        for file in said["files"]:
            assert hostile[f"/openstack{file['content_path']}"] == file["path"].encode()


@pytest.mark.parametrize(
    "text", [text for text in TEXTS if "\ud800" not in text and len(text) < 999]
)
def test_metadata_stays_where_it_belongs(text: str) -> None:
    plain = files_on(config_drive(PLAIN))
    told = files_on(config_drive(replace(PLAIN, name=text, metadata={"key": text})))
    assert told.keys() == plain.keys()
    said = json.loads(told["/openstack/latest/meta_data.json"])
    assert (said["name"], said["meta"]) == (text, {"key": text})
    assert said.keys() == json.loads(plain["/openstack/latest/meta_data.json"]).keys()
