"""Pool and volume XML, written and read back."""

from pathlib import Path

import pytest

from vmwright.backends.libvirt.volume_xml import facts_of, pool_uuid, pool_xml, volume_xml
from vmwright.ids import DeploymentId, new_id

GOLDEN = Path(__file__).parent / "golden"
DEPLOYMENT = DeploymentId("22222222-2222-4222-8222-222222222222")

OVERLAY = """
<volume type='file'>
  <name>root.qcow2</name>
  <capacity unit='bytes'>1073741824</capacity>
  <physical unit='bytes'>196616</physical>
  <target><path>/pool/root.qcow2</path><format type='qcow2'/></target>
  <backingStore><path>/pool/base.qcow2</path><format type='qcow2'/></backingStore>
</volume>
"""


@pytest.mark.parametrize(
    ("golden", "xml"),
    [
        ("pool.xml", pool_xml(DEPLOYMENT, "/pools/<R&D>")),
        ("volume-blank.xml", volume_xml("data.raw", "raw", 512)),
        (
            "volume-overlay.xml",
            volume_xml("root.qcow2", "qcow2", 1024, ("/pool/base.raw", "raw")),
        ),
    ],
)
def test_storage_is_described_as_in_the_golden_file(golden: str, xml: str) -> None:
    assert xml + "\n" == (GOLDEN / golden).read_text()


def test_names_and_paths_may_hold_whatever_a_file_system_bears() -> None:
    path, odd = "/pools/<R&D> \"a\" 'b'/base", "a<b>&amp;'\""
    facts = facts_of(
        volume_xml(odd, odd, 7, (path, odd)).replace("<target>", "<target><path>p</path>")
    )
    assert (facts.backing, facts.disk_format) == (path, odd)


def test_pool_of_a_deployment_always_has_the_same_uuid() -> None:
    assert pool_uuid(DEPLOYMENT) == pool_uuid(DEPLOYMENT)
    assert pool_uuid(DEPLOYMENT) != pool_uuid(DeploymentId(new_id()))


def test_facts_of_an_overlay() -> None:
    facts = facts_of(OVERLAY)
    assert (facts.path, facts.disk_format) == ("/pool/root.qcow2", "qcow2")
    assert (facts.backing, facts.size_as("qcow2")) == ("/pool/base.qcow2", 1 << 30)


def test_size_of_a_raw_volume_is_the_length_of_its_file() -> None:
    """A guest can write a header into its disk that promises any size."""
    assert facts_of(OVERLAY).size_as("raw") == 196616


def test_volume_of_which_little_is_said_is_raw_and_has_no_base() -> None:
    facts = facts_of("<volume><capacity>7</capacity></volume>")
    assert (facts.disk_format, facts.backing, facts.size_as("raw")) == ("raw", None, 7)
