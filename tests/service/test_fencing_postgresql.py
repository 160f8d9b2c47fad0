"""The same promises of fencing with the store on PostgreSQL."""

import pytest

from tests.service.test_fencing import (
    test_build_that_another_one_finishes,
    test_build_whose_instance_another_one_deletes,
    test_call_that_lands_after_everything_was_taken_back_is_made_good,
    test_delete_that_another_one_finishes,
    test_undo_that_another_one_finishes,
)
from tests.service.test_postgresql import lab, postgresql

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

__all__ = [
    "lab",
    "postgresql",
    "test_build_that_another_one_finishes",
    "test_build_whose_instance_another_one_deletes",
    "test_call_that_lands_after_everything_was_taken_back_is_made_good",
    "test_delete_that_another_one_finishes",
    "test_undo_that_another_one_finishes",
]
