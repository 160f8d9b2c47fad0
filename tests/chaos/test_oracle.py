"""The judge of every kill can find somebody guilty: of each kind, one is planted."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.oracle import Verdict, judge
from tests.chaos.secrets_in_clear import found
from tests.chaos.store import Store
from tests.chaos.world import SimulatedWorld
from tests.support import lab as labs
from tests.support.lab import Lab, copy_of

Plant = Callable[[Lab], object]


@pytest.fixture(scope="module")
def built(preloaded: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment with one guest."""
    home = tmp_path_factory.mktemp("built") / "lab"
    home.mkdir()
    lab = Lab(home).prepared()
    assert lab.child(labs.create).output.split() == ["done"]
    return home


@pytest.fixture
def lab(built: Path, tmp_path: Path) -> Lab:
    return copy_of(built, tmp_path / "lab")


def store_of(lab: Lab) -> Store:
    return Store(f"sqlite:///{lab.home}/store.db")


def judged(lab: Lab, *accepted: str) -> Verdict:
    return judge(store_of(lab), SimulatedWorld(lab.home / "world"), accepted)


def files(lab: Lab, kind: str) -> list[Path]:
    return sorted((lab.home / "world" / "hosts" / "host1" / kind).glob("*.json"))


def twin(lab: Lab, kind: str) -> None:
    """The same thing on another host."""
    folder = lab.home / "world" / "hosts" / "host2" / kind
    folder.mkdir(parents=True)
    shutil.copy2(files(lab, kind)[0], folder)


def switch_off(lab: Lab) -> None:
    (file,) = files(lab, "domains")
    file.write_text(
        json.dumps(json.loads(file.read_text()) | {"state": "shutdown", "off_by": None})
    )


def test_a_whole_guest_is_innocent(lab: Lab) -> None:
    verdict = judged(lab)
    assert verdict.complaints() == []
    assert verdict.line(3) == "kills=3 active=1 undone=0 parked=0 leaked=0 lost=0 duplicates=0"


LEAKS: dict[str, Plant] = {
    "volume": lambda lab: twin(lab, "volumes"),
    "reservation": lambda lab: twin(lab, "reservations"),
    "lease": lambda lab: twin(lab, "leases"),
    "guest": lambda lab: lab.execute("UPDATE vmwright_instances SET vm_state = 'error'"),
    "secret": lambda lab: lab.execute("UPDATE vmwright_secrets SET ciphertext = 'x'"),
    "debt": lambda lab: lab.execute(
        "INSERT INTO vmwright_debts (id, host_id, kind, key, whose, reason, not_before, tries,"
        " created_at) VALUES ('d', 'h', 'volume', 'v', '{}', 'host_away', 0, 0, 0)"
    ),
}

LOSSES: dict[str, Plant] = {
    "no guest": lambda lab: files(lab, "domains")[0].unlink(),
    "no power": switch_off,
    "no volume": lambda lab: files(lab, "volumes")[0].unlink(),
    "no address": lambda lab: [file.unlink() for file in files(lab, "reservations")],
    "is running": lambda lab: lab.execute(
        "UPDATE vmwright_operations SET state = 'running', finished_at = NULL"
    ),
    "no claim": lambda lab: lab.execute("DELETE FROM vmwright_claims"),
    "to do": lambda lab: lab.execute("UPDATE vmwright_instances SET operation_id = 'o'"),
    "flow REVERTED": lambda lab: lab.execute("UPDATE flowdetails SET state = 'REVERTED'"),
}


@pytest.mark.parametrize("word", LEAKS)
def test_what_nobody_has_is_leaked(lab: Lab, word: str) -> None:
    LEAKS[word](lab)
    assert any(word in text for text in judged(lab).leaked)


@pytest.mark.parametrize("word", LOSSES)
def test_what_was_promised_and_is_not_there_is_lost(lab: Lab, word: str) -> None:
    LOSSES[word](lab)
    lost = " ".join(judged(lab).lost).replace("has no 10.", "has no address 10.")
    assert all(part in lost for part in word.split())


def test_an_accepted_operation_without_a_row_is_lost(lab: Lab) -> None:
    assert judged(lab, "unheard-of").lost == [
        "operation unheard-of was accepted and is not in the store"
    ]


def test_a_guest_on_two_hosts_is_a_duplicate(lab: Lab) -> None:
    twin(lab, "domains")
    (known,) = judged(lab).duplicates
    assert known.startswith("guest ")


def test_a_stuck_operation_is_counted_and_may_hold_what_it_has(lab: Lab) -> None:
    lab.execute("UPDATE vmwright_operations SET state = 'stuck'")
    lab.execute("UPDATE vmwright_instances SET vm_state = 'error'")
    verdict = judged(lab)
    assert verdict.is_clean, verdict.complaints()
    assert len(verdict.parked) == 1


@pytest.mark.parametrize("form", [labs.MARKER, base64.b64encode(b"x" + labs.MARKER + b"yz")])
def test_a_secret_in_clear_is_found_in_files_and_rows(lab: Lab, form: bytes) -> None:
    store = store_of(lab)
    assert found(labs.MARKER, lab.home, store, lambda _: False) == []
    (lab.home / "some.log").write_bytes(b"so: " + form + b".")
    lab.execute(f"UPDATE vmwright_instances SET fault = '{json.dumps(form.decode())}'")
    assert "a row of vmwright_instances" in found(labs.MARKER, lab.home, store, lambda _: False)
    spared = found(labs.MARKER, lab.home, store, lambda path: "store.db" in path.name)
    assert str(lab.home / "some.log") in spared
