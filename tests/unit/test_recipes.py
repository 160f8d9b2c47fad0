"""A version of a flow is for ever: what an operation began with is what it goes on with."""

import pytest

from tests.support.recipes import key, made_of, pinned
from vmwright.flows import RECIPES, newest, recipe

CHANGED = """
{name} is not what it was when operations began with it. Those that were interrupted would find
other tasks than the ones that they ran: some would run twice, some would never be undone.
Take the change back, and make it in a new version, as docs/how-to/changing-a-flow.md says.
"""
NOT_PINNED = """
{name} is new, and nothing holds it to what it is. If it is finished, pin it with
    python -m tests.support.recipes
and record a deployment of the release before, as docs/how-to/changing-a-flow.md says.
"""
GONE = """
{name} was taken away. Operations that began with it would be parked at the next start. Put it back,
or say in CHANGELOG.md that none of it may be in flight, as docs/how-to/changing-a-flow.md says.
"""


@pytest.mark.parametrize("known", RECIPES, ids=key)
def test_version_of_a_flow_never_changes(known):
    name = key(known)
    assert name in pinned(), NOT_PINNED.format(name=name)
    assert made_of(known) == pinned()[name], CHANGED.format(name=name)


@pytest.mark.parametrize("name", pinned())
def test_version_of_a_flow_never_goes(name):
    assert name in {key(known) for known in RECIPES}, GONE.format(name=name)


@pytest.mark.parametrize("known", RECIPES, ids=key)
def test_recipe_is_found_by_name_and_version(known):
    assert recipe(known.name, known.version) is known


def test_new_operations_run_the_newest_version():
    for kind in {known.kind for known in RECIPES}:
        versions = [known.version for known in RECIPES if known.kind == kind]
        assert newest(kind).version == max(versions)
        assert versions == sorted(set(versions)), "versions come in order, and once"
