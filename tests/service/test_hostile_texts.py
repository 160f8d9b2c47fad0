"""A hostile text is refused, or kept as it is: in every place of a request and the inventory."""

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.test_rights import LOOKS, VALUES, verbs
from tests.support.databases import PostgreSQL
from tests.support.hostile_texts import OTHER, PLAIN, SQL, places, with_text
from tests.support.lab import Lab
from vmwright.controller import Controller
from vmwright.errors import InvalidRequest, NotFound, QuotaExceeded, VmwrightError
from vmwright.request import CreateRequest
from vmwright.waiting import Wait

CANARY = "vmwright_canary"
"""A table that the texts want to be rid of, in the same database."""

NAMES = {"name", "image", "flavor", "network", "port", "volume", "snapshot", "uuid", "group"}


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    url = None
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        url = server.ready().connection
    lab = Lab(tmp_path_factory.mktemp("texts"), url=url)
    ended = lab.child(_stock)
    assert ended.status == 0, ended.output
    lab.execute(f"CREATE TABLE IF NOT EXISTS {CANARY} (word TEXT)")
    lab.execute(f"DELETE FROM {CANARY}")
    lab.execute(f"INSERT INTO {CANARY} VALUES ('alive')")
    return lab


def _stock(controller: Controller) -> None:
    inventory, source = controller.inventory, controller.settings.state_dir / "disk.raw"
    source.write_bytes(bytes(4096))
    inventory.ensure_default_host()
    inventory.create_image("disk", source, "raw", wait=Wait(10))
    inventory.create_flavor("small", 1, 64, 1)
    inventory.create_network("lan", "10.1.0.0/16")
    inventory.create_volume("data", size_gib=1)


@pytest.fixture(scope="module")
def controller(lab: Lab) -> Iterator[Controller]:
    with Controller(lab.settings) as opened:
        yield opened


def assert_alive(lab: Lab) -> None:
    assert lab.rows(f"SELECT word FROM {CANARY}") == [{"word": "alive"}]
    assert not (Path.cwd() / "sprung").exists()


def outcome(call: Callable[[], Any]) -> Any:
    """What it returns, or the error, which is ours and repeats no long text."""
    try:
        found = call()
    except VmwrightError as error:
        found = error
    if isinstance(found, VmwrightError):
        assert len(found.message) < 5000
        assert "\0" not in found.message
    return found


def test_every_kind_of_place_is_known() -> None:
    known = set(places())
    assert known >= {("name",), ("tags", "*"), ("metadata", "{key}"), ("volumes", "*", "image")}
    assert {place[0] for place in known} >= {
        name
        for name, field in CreateRequest.model_fields.items()
        if field.annotation not in (int, bool) and "count" not in name and "drive" not in name
    } - {"shutdown_terminate"}


@pytest.mark.parametrize("place", places(), ids=".".join)
def test_a_request_with_a_hostile_text_is_refused_or_kept_as_it_is(
    lab: Lab, controller: Controller, place: tuple[str, ...]
) -> None:
    for text in SQL[:2] if lab.url else (*SQL[:3], *OTHER):
        fields = with_text(place, text)
        found = outcome(lambda fields=fields: controller.submit(CreateRequest.parse(**fields)))
        if isinstance(found, VmwrightError):
            assert isinstance(found, InvalidRequest | NotFound | QuotaExceeded), (text, found)
        else:
            (row,) = lab.rows(
                "SELECT name, request FROM vmwright_instances WHERE id = ?", found.instance_id
            )
            assert_kept(place, text, row)
        if place[-1] in NAMES - {"name"}:
            assert isinstance(found, VmwrightError), f"{text!r} stands for something"
    assert_alive(lab)


def assert_kept(place: tuple[str, ...], text: str, row: dict[str, Any]) -> None:
    """Letter by letter, or nowhere: what is a secret, or only told when it is asked for."""
    request = row["request"]
    kept = list(texts_of(json.loads(request) if isinstance(request, str) else request))
    secret = place[0] in ("admin_password", "user_data", "injected_files", "idempotency_key")
    if secret:
        assert text in ("", "%", "_", "a") or not any(text in each for each in kept)
    elif place[0] in ("name", "description", "metadata", "tags"):
        assert text in kept


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


# The inventory


def with_texts(verb: Callable[..., Any], text: str) -> Iterator[dict[str, Any]]:
    """Arguments for a verb, with the text in the place of each text in turn."""
    signature = inspect.signature(verb).parameters
    plain = {
        name: VALUES[name]
        for name, parameter in signature.items()
        if name == "size_gib"
        or (parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD)
    }
    for name, parameter in signature.items():
        kind = str(parameter.annotation)
        if "Mapping[str, str]" in kind:
            yield plain | {name: {text: "value"}}
            yield plain | {name: {"key": text}}
        elif "Mapping[str, int]" in kind:
            yield plain | {name: {text: 1}}
        elif "Iterable[str]" in kind or "Sequence[str]" in kind:
            yield plain | {name: [text]}
        elif "tuple[str, str]" in kind:
            yield plain | {name: (text, text)}
        elif "str" in kind and "Path" not in kind:
            yield plain | {name: text}
        elif "Path" in kind and "\0" not in text:
            yield plain | {name: Path(text)}


def _verbs() -> list[str]:
    from vmwright.inventory import Inventory

    others = ("_", "ensure", "await", "has")
    looks = {name for name in LOOKS if not name.startswith(others)}
    own = {name for name in dir(Inventory) if not name.startswith(others)}
    nouns = ("ports", "key_pairs", "security_groups", "server_groups", "quotas")
    verbs = ("create", "delete", "add_rule", "remove_rule", "set", "unset")
    return sorted(own | looks | {f"{noun}.{verb}" for noun in nouns for verb in verbs})


def test_every_text_in_the_places_where_rows_are_looked_for(
    lab: Lab, controller: Controller
) -> None:
    for place in places():
        if place[-1] in NAMES - {"name"}:
            for text in SQL:
                with pytest.raises(VmwrightError):
                    controller.submit(CreateRequest.parse(**with_text(place, text)))
    assert_alive(lab)


@pytest.mark.parametrize("name", _verbs())
def test_a_verb_of_the_inventory_takes_no_hostile_text_for_anything_else(
    lab: Lab, controller: Controller, name: str
) -> None:
    verb = verbs(controller.inventory).get(name)
    if verb is None:
        return  # this noun has no such verb
    for text in SQL[:2] if lab.url else (*SQL[:3], *OTHER):
        for arguments in with_texts(verb, text):
            found = outcome(lambda arguments=arguments: verb(**arguments))
            named = arguments.get("name_or_id", arguments.get("identifier"))
            if named == text and not isinstance(found, VmwrightError):
                assert found == [] or getattr(found, "name", text) == text
    assert_alive(lab)
    assert controller.submit(CreateRequest.parse(**PLAIN)), "what was there before is there"
