"""The same promises of fencing with the store on PostgreSQL."""

from pathlib import Path

import pytest

from tests.service.test_fencing import (
    test_build_that_another_one_finishes,
    test_build_whose_instance_another_one_deletes,
    test_call_that_lands_after_everything_was_taken_back_is_made_good,
    test_delete_that_another_one_finishes,
    test_undo_that_another_one_finishes,
)
from tests.support.databases import PostgreSQL
from tests.support.lab import Lab

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

__all__ = [
    "test_build_that_another_one_finishes",
    "test_build_whose_instance_another_one_deletes",
    "test_call_that_lands_after_everything_was_taken_back_is_made_good",
    "test_delete_that_another_one_finishes",
    "test_undo_that_another_one_finishes",
]


@pytest.fixture
def lab(postgresql: PostgreSQL, tmp_path: Path) -> Lab:
    return Lab(tmp_path, url=postgresql.ready().connection).prepared()
