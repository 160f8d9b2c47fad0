"""What the settings of a simulated world may ask for, and which call meets it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright.backends.host import Host
from vmwright.backends.simulated.faults import (
    CHANGES,
    LOOKS,
    Fault,
    FaultKind,
    count_call,
    parse_faults,
    parse_latency,
)
from vmwright.errors import InvalidRequest

hosts = st.none() | st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True)
faults = st.builds(
    Fault,
    verb=st.sampled_from(sorted(CHANGES)),
    host=hosts,
    nth=st.integers(1, 10_000),
    onwards=st.booleans(),
    kind=st.sampled_from(FaultKind),
    seconds=st.just(0.0),
)


def written(fault: Fault) -> str:
    seconds = ":0" if fault.kind is FaultKind.LATE else ""
    return f"{fault.counter}:{fault.nth}{'+' * fault.onwards}:{fault.kind}{seconds}"


def verbs_met(entry: str, calls: list[tuple[str, str]]) -> list[int]:
    """The numbers of the calls, from 1, that meet the fault."""
    counts: dict[str, int] = {}
    met = []
    for number, (verb, host) in enumerate(calls, 1):
        fault, counts = count_call(parse_faults([entry]), counts, verb, host)
        if fault:
            met.append(number)
    return met


@given(faults)
def test_what_is_written_is_what_is_read(fault: Fault) -> None:
    assert parse_faults([written(fault)]) == (fault,)


def test_late_fault_has_its_seconds() -> None:
    (fault,) = parse_faults([" ensure_volume@host1:2:late:0.5 "])
    assert (fault.host, fault.nth, fault.seconds) == ("host1", 2, 0.5)


def test_every_verb_of_the_protocols_can_fail() -> None:
    """But for the one that asks nothing of the host."""
    nouns = Host.__annotations__.values()
    declared = {verb for noun in nouns for verb in vars(noun) if not verb.startswith("_")}
    assert declared - {"definition"} == LOOKS | CHANGES


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("", "it is not verb"),
        ("ensure_volume", "it is not verb"),
        ("ensure_volume:1", "it is not verb"),
        ("ensure_volume:first:after", "it is not verb"),
        ("ensure_volume:-1:after", "it is not verb"),
        ("ensure_volume@Host 1:1:after", "it is not verb"),
        ("ensure_volume:1:late:1:2", "it is not verb"),
        ("ensure_volume:0:after", "counted from 1"),
        ("ensure_volume:1:explode", "'explode' is not one of before, refuse"),
        ("make_volume:1:after", "'make_volume' is not a verb"),
        ("ensure_volume:1:late", "seconds are given"),
        ("ensure_volume:1:after:3", "seconds are given"),
        ("ensure_volume:1:late:soon", "'soon' is not a number"),
        ("ensure_volume:1:late:-1", "'-1' is not a number"),
        ("ensure_volume:1:late:inf", "'inf' is not a number"),
        ("volumes:1:late:1", "changes nothing"),
    ],
)
def test_unreadable_fault_is_named(entry: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_faults(["ensure_volume:1:after", entry])
    assert repr(entry) in refused.value.message
    assert reason in refused.value.message
    assert refused.value.hint


def test_fault_strikes_at_its_call_only() -> None:
    assert verbs_met("volumes:2:before", [("volumes", "a")] * 4) == [2]


def test_fault_with_plus_strikes_from_its_call_on() -> None:
    assert verbs_met("volumes:2+:before", [("volumes", "a")] * 4) == [2, 3, 4]


def test_calls_are_counted_on_all_hosts_together() -> None:
    calls = [("volumes", "a"), ("volumes", "b"), ("volumes", "a")]
    assert verbs_met("volumes:2:before", calls) == [2]


def test_calls_of_a_named_host_are_counted_alone() -> None:
    calls = [("volumes", "b"), ("volumes", "a"), ("domains", "a"), ("volumes", "a")]
    assert verbs_met("volumes@a:2:before", calls) == [4]


def test_two_faults_of_one_verb_share_its_count() -> None:
    entries = parse_faults(["volumes:1:before", "volumes:2:refuse"])
    first, counts = count_call(entries, {}, "volumes", "a")
    second, counts = count_call(entries, counts, "volumes", "a")
    third, counts = count_call(entries, counts, "volumes", "a")
    assert first
    assert second
    assert (first.kind, second.kind, third) == (FaultKind.BEFORE, FaultKind.REFUSE, None)
    assert counts == {"volumes": 3}


def test_one_latency_stands_for_all_verbs() -> None:
    assert parse_latency("0.25").seconds("ensure_volume") == 0.25


def test_latency_of_a_verb_goes_before_that_of_all() -> None:
    latency = parse_latency("ensure_volume:2, *:0.5")
    assert latency.seconds("ensure_volume") == 2
    assert latency.seconds("ensure_domain") == 0.5


def test_verb_without_latency_takes_no_time() -> None:
    assert parse_latency("ensure_volume:2").seconds("ensure_domain") == 0


@pytest.mark.parametrize("entry", ["soon", "-1", "nan", "volumes:1", "make:1", "ensure_volume:x"])
def test_unreadable_latency_is_named(entry: str) -> None:
    with pytest.raises(InvalidRequest, match="simulated latency") as refused:
        parse_latency(entry)
    assert repr(entry) in refused.value.message
