"""Queries are checked before anything is stored, and say what they ask for where they fail."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_flows import UNHURRIED
from tests.support.scheduling import a_host
from vmwright.host_query import (
    MAX_DEPTH,
    MAX_LENGTH,
    VARIABLES,
    Combination,
    checked_query,
    why_unmet,
)
from vmwright.scheduler.filters.query import values_of

VALUES = values_of(a_host("host1", zone="east", builds=2))
"""4096 MiB and 8 vCPUs free, hypervisor not known."""


def holds(condition: list) -> bool:
    return checked_query(json.dumps(condition)).holds(VALUES)


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        (["=", "$vcpus_total", 8], True),
        (["=", "$vcpus_total", 8, 8.0], True),
        (["=", "$vcpus_total", 8, 9], False),
        (["=", "$host", "host1"], True),
        (["<", "$num_io_ops", 3, 4], True),
        (["<", "$num_io_ops", 3, 2], False),
        (["<=", "$num_io_ops", 2], True),
        ([">", "$num_io_ops", 2], False),
        ([">=", 2, "$num_io_ops"], True),
        (["in", "$availability_zone", "west", "east"], True),
        (["in", "$availability_zone", "west", "north"], False),
        (["in", "$vcpus_used", 1, 0], True),
        (["=", "$hypervisor_type", "kvm"], False),
        (["in", "$hypervisor_type", "kvm", "qemu"], False),
        (["=", "$hypervisor_type", "$host_ip"], False),
        (["not", ["=", "$hypervisor_type", "kvm"]], True),
        (["not", ["=", "$host", "host1"]], False),
        (["and", ["=", 1, 1], ["not", ["=", 1, 2]]], True),
        (["and", ["=", 1, 1], ["not", ["=", 1, 1]]], False),
        (["or", ["=", 1, 2], ["=", 1, 1]], True),
        (["or", ["=", 1, 2], ["=", 2, 1]], False),
    ],
)
def test_query_holds_or_not(condition: list, outcome: bool) -> None:
    assert holds(condition) == outcome


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a query is JSON such as"),
        ("$free_ram_mb > 1", "a query is JSON such as"),
        ('["=", 1, NaN]', "NaN is no number that a query can compare"),
        ('["=", 1, 1e999]', "a number of a query is too large"),
        ("[]", "a condition is a list such as"),
        ('{"=": [1, 1]}', "a condition is a list such as"),
        ('["and", true]', "a condition is a list such as"),
        ('["~", 1, 1]', 'a condition begins with one of = < > <= >= in not or and, not with "~"'),
        ("[[], 1]", "a condition begins with one of"),
        ('["and"]', "'and' takes at least one condition"),
        ('["not", ["=", 1, 1], ["=", 1, 1]]', "'not' takes one condition, these are 2"),
        ('["not"]', "'not' takes one condition, these are 0"),
        ('["=", "$free_ram_mb"]', "'=' compares at least two values"),
        ('["=", "$free_ram_mb", true]', "a value is a number, a text or a $name, not true"),
        ('["=", "$free_ram_mb", null]', "a value is a number, a text or a $name, not null"),
        ('["in", 1, [1, 2]]', "a value is a number, a text or a $name, not [1, 2]"),
        ('[">", "$free_ram_mb", "1024"]', "'>' compares numbers, and \"1024\" is text"),
        ('[">", "$host", 5]', "'>' compares numbers, and \"$host\" is text"),
        ('["=", "$free_ram_mb", "1024"]', "'=' compares numbers with numbers and text with text"),
        ('["in", "$host", "a", 5]', "'in' compares numbers with numbers and text with text"),
        ('["=", "$password", "x"]', '"$password" is nothing that hosts have: they have $avail'),
        ('["=", "$service.host", "x"]', '"$service.host" is nothing that hosts have'),
        (json.dumps(["=", "$host", "x" * MAX_LENGTH]), "a query has at most 2048 characters"),
        ("[" * 1000 + "]" * 1000, "a query has at most 8 lists within each other"),
        ('["not",' * 100 + '["=",1,1]' + "]" * 100, "a query has at most 8 lists"),
    ],
)
def test_broken_query_is_refused_with_a_sentence(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as refused:
        checked_query(text)
    assert complaint in str(refused.value)


def test_complaint_repeats_little_and_nothing_invisible() -> None:
    with pytest.raises(ValueError) as refused:
        checked_query(json.dumps(["\u202e" * 100, 1, 1]))
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 200


def nested(depth: int) -> str:
    return '["not", ' * (depth - 1) + '["=", 1, 1]' + "]" * (depth - 1)


def test_queries_are_as_deep_as_is_said_and_no_deeper() -> None:
    assert isinstance(checked_query(nested(MAX_DEPTH)), Combination)
    with pytest.raises(ValueError, match="at most 8 lists within each other"):
        checked_query(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (["=", "$vcpus_total", 8], None),
        (["=", 1, 2], '["=", 1, 2] does not hold'),
        (
            ["=", "$hypervisor_type", "kvm"],
            '["=", "$hypervisor_type", "kvm"] does not hold: $hypervisor_type is not known',
        ),
        (
            ["and", ["=", 1, 1], ["and", ["<", "$vcpus_total", 4], ["=", 1, 2]]],
            '["<", "$vcpus_total", 4] does not hold: $vcpus_total is 8',
        ),
        (
            ["or", ["<", "$vcpus_total", 4], ["not", ["=", "$host", "host1", "$host"]]],
            '["or", ["<", "$vcpus_total", 4], ["not", ["=", "$host", "host1", "$host"]]] '
            "does not hold: $vcpus_total is 8, $host is host1",
        ),
    ],
)
def test_reason_names_the_part_that_fails_and_its_values(condition, reason) -> None:
    assert why_unmet(checked_query(json.dumps(condition)), VALUES) == reason


def test_reason_of_a_long_query_is_cut() -> None:
    query = checked_query(json.dumps(["in", "$host", *(f"other{n}" for n in range(150))]))
    reason = why_unmet(query, VALUES)
    assert reason is not None
    assert len(reason) <= 300
    assert reason.endswith("...")


SCALARS = st.one_of(
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.booleans(),
    st.none(),
    st.sampled_from([f"${name}" for name in VARIABLES]),
)
OPERATORS = st.sampled_from(["=", "<", ">", "in", "<=", ">=", "not", "or", "and"])
CONDITIONS = st.recursive(
    st.lists(SCALARS, max_size=3),
    lambda inner: st.tuples(OPERATORS, st.lists(inner | SCALARS, max_size=3)).map(
        lambda pair: [pair[0], *pair[1]]
    ),
    max_leaves=20,
)


@UNHURRIED
@given(CONDITIONS)
def test_what_is_not_refused_at_once_can_be_asked_of_every_host(condition: list) -> None:
    try:
        query = checked_query(json.dumps(condition))
    except ValueError:
        return
    for values in (VALUES, dict.fromkeys(VARIABLES)):
        assert (why_unmet(query, values) is None) == query.holds(values)


@UNHURRIED
@given(st.text(max_size=50))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    with suppress(ValueError):
        checked_query(text)
