"""Several requests in one call: all of them are accepted, or none is."""

import pytest

from tests.service.test_several import everything, opened, wish
from tests.support.lab import Lab
from vmwright.errors import Conflict, QuotaExceeded


def test_requests_at_once_share_what_a_quota_leaves(lab: Lab) -> None:
    """All of them are accepted, or none is; each takes what those before it have left."""
    with opened(lab, instances=4, cores=100) as controller:
        before = everything(lab)
        with pytest.raises(QuotaExceeded, match="Requested 3, but already used 2 of 4 instances"):
            controller.submit_all(wish(name="a", min_count=2), wish(name="b", min_count=3))
        assert everything(lab) == before
        first, second = controller.submit_all(
            wish(name="a", min_count=2), wish(name="b", min_count=1, max_count=3)
        )
        assert (len(first.operations), len(second.operations)) == (2, 2)


def test_requests_at_once_know_the_instances_of_those_before_them(lab: Lab) -> None:
    with opened(lab) as controller:
        beside = wish(name="b", scheduler_hints={"same_host": ["a"]})
        (first,), (second,) = (
            reservation.operations for reservation in controller.submit_all(wish(name="a"), beside)
        )
        known = controller.instance_of(second)
        assert known.request["placement"]["same_host"] == [first.instance_id]


def test_one_key_twice_in_one_call_is_one_request(lab: Lab) -> None:
    with opened(lab) as controller:
        asked = wish(idempotency_key="k")
        first, second = controller.submit_all(asked, asked)
        assert first == second
        with pytest.raises(Conflict, match="another request"):
            controller.submit_all(
                wish(name="c", idempotency_key="l"), wish(name="d", idempotency_key="l")
            )
    assert len(lab.rows("SELECT id FROM vmwright_instances")) == 1
