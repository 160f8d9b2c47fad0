"""The commands for what does not mend itself: what they show, what they end with."""

import pytest

from tests.support.command_line import BUILD, CommandLine
from tests.support.through_service import in_both_ways

WHY = ("--why", "the host is broken")
STUBBORN = "ensure_running:1:before,ensure_no_domain:1+:refuse"


@pytest.fixture
def stuck(vmwright: CommandLine) -> str:
    """A build whose guest cannot be removed."""
    vmwright.configure(faults=STUBBORN)
    called = vmwright("create", "web", *BUILD, "-q", "-f", "json")
    assert called.code == 3
    assert "held: domain" in called.err
    assert "skip" in called.err
    return str(called.data["operation_id"])


def test_stuck_operation_shows_why_and_what_it_holds(vmwright: CommandLine, stuck: str) -> None:
    shown = vmwright("operation", "show", stuck, "-f", "json").data
    assert shown["error"]["blocked"]["task"] == "spawn"
    assert shown["undo_tries"] >= 1
    (spawn, *_) = shown["held"]
    assert (spawn["task"], spawn["host"]) == ("spawn", "host1")
    assert any(thing.startswith("domain ") for thing in spawn["things"])
    assert spawn["since"] >= shown["started_at"]
    assert vmwright("show", "web", "-f", "json").data["held"] == shown["held"]
    table = vmwright("operation", "list").out
    assert "spawn on host1: domain" in " ".join(table.split())


def test_abandoned_build_is_owed_until_its_debts_are_paid_or_dropped(
    vmwright: CommandLine, stuck: str
) -> None:
    assert vmwright("operation", "abandon", stuck).code == 2
    assert vmwright("operation", "abandon", stuck, "--why", " ").code == 2
    abandoned = vmwright("operation", "abandon", stuck, *WHY, "-f", "json")
    assert (abandoned.code, abandoned.data["state"]) == (3, "undone")
    assert "was abandoned by admin" in abandoned.err
    assert vmwright("operation", "abandon", stuck, *WHY).code == 5
    owed = vmwright("debt", "list", "-f", "json").data
    assert {debt["id"] for debt in owed} == {debt["id"] for debt in abandoned.data["owes"]}
    fault = vmwright("show", "web", "-f", "json").data["fault"]
    assert fault["abandoned"] == {"by": "admin", "why": "the host is broken"}
    assert len(fault["owed"]) == len(owed)

    vmwright.configure(faults="ensure_no_domain:1+:refuse")
    assert vmwright("resume", "-q").code == 3
    (domain,) = [d for d in vmwright("debt", "list", "-f", "json").data if d["kind"] == "domain"]
    assert (domain["tries"], domain["error"]["code"]) == (1, "Refused")
    assert vmwright("debt", "drop", domain["id"]).code == 2
    assert vmwright("debt", "drop", domain["id"], *WHY).code == 0
    assert vmwright("debt", "drop", domain["id"], *WHY).code == 4


@in_both_ways
def test_skipped_task_is_owed_and_the_operation_ends(vmwright: CommandLine, stuck: str) -> None:
    wrong = vmwright("operation", "skip", stuck, "plug_network", *WHY)
    assert wrong.code == 5
    assert "it is stuck in spawn" in wrong.err
    assert vmwright("operation", "skip", "nothing", "spawn", *WHY).code == 4
    vmwright.configure()
    skipped = vmwright("operation", "skip", stuck, "spawn", *WHY, "-q", "-f", "json")
    assert skipped.code == 3
    assert {debt["reason"] for debt in skipped.data["owes"]} == {"given up"}
