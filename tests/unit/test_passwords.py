"""Passwords that are made for guests."""

from collections import Counter

from vmwright.admission.guest_data import new_password

MISTAKABLE = set("0O1Il")


def test_a_password_is_twelve_readable_characters_of_every_kind() -> None:
    for made in (new_password() for _ in range(500)):
        assert len(made) == 12
        assert made.isalnum()
        assert made.isascii()
        assert not set(made) & MISTAKABLE
        assert all(any(map(kind, made)) for kind in (str.islower, str.isupper, str.isdigit))


def test_no_character_is_likelier_than_another_of_its_kind() -> None:
    """Far apart would be a mistake in the making, and not chance: 24 lower-case letters have
    about 500 occurrences each, of which 50 more or less is two times the usual deviation."""
    found = Counter("".join(new_password() for _ in range(2500)))
    for kind in (str.islower, str.isupper, str.isdigit):
        numbers = [number for character, number in found.items() if kind(character)]
        assert max(numbers) < 1.5 * min(numbers)
    assert len(found) == 57
