"""What an embedder imports is there, by the names that are promised."""

import pytest

import vmwright


@pytest.mark.parametrize("name", vmwright.__all__)
def test_public_name_is_there(name: str) -> None:
    assert getattr(vmwright, name).__name__ == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        vmwright.nothing  # noqa: B018
