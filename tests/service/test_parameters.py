"""Every row of the table of parameters, through the library and through the command."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.command_line import Called, CommandLine
from tests.support.parameter_cases import CASES, Case
from tests.support.parameter_world import stocked_with_everything
from tests.support.through_service import ENDPOINT, WAYS, in_way
from vmwright.cli.spec_file import written
from vmwright.controller import Controller
from vmwright.errors import VmwrightError
from vmwright.request import CreateRequest
from vmwright.settings import Settings

TABLE = Path(__file__).parents[2] / "docs" / "reference" / "parameters.md"
PLAINEST = {"name": "web", "image": "disk", "flavor": "small"}

REFUSED = [case for case in CASES if case.error is not None]
ACCEPTED = [case for case in CASES if case.error is None]


@dataclass(frozen=True)
class Shop:
    """A store where requests are handed in, whoever asks."""

    command: CommandLine
    controllers: dict[str, Controller] = field(default_factory=dict, hash=False)
    """The open ones, by their configuration."""

    def close(self) -> None:
        for controller in self.controllers.values():
            controller.close()

    def submit(self, case: Case) -> int:
        """How many instances the library accepts."""
        file = self.configured(case)
        if file.read_text() not in self.controllers:
            self.controllers[file.read_text()] = Controller(Settings.from_files(str(file)))
        controller = self.controllers[file.read_text()]
        (reservation,) = controller.submit_all(CreateRequest.parse(**PLAINEST | dict(case.fields)))
        return len(reservation.operations)

    def call(self, case: Case) -> Called:
        """The same by the command."""
        self.configured(case)
        return self.command("create", *self._words(case), "--no-wait", "-f", "json")

    def configured(self, case: Case) -> Path:
        sections = {name: dict(options) for name, options in case.options.items()}
        if case.member:
            sections["caller"] = {"user": "somebody", "roles": "member"}
        lines = [
            f"[{section}]\n" + "\n".join(f"{name} = {value}" for name, value in options.items())
            for section, options in sections.items()
        ]
        self.command.configure("\n".join(lines))
        return self.command.file

    def _words(self, case: Case) -> list[str]:
        fields = PLAINEST | dict(case.fields)
        directory = self.command.directory
        if case.words is None:
            (directory / "spec.yaml").write_text(
                written({name: value for name, value in fields.items() if value is not None})
            )
            return ["--spec", str(directory / "spec.yaml")]
        words = [word.replace("{files}", str(directory)) for word in case.words]
        if fields["image"] is not None:
            words += ["--image", fields["image"]]
        return [fields["name"], "--flavor", fields["flavor"], *words]

    def everything(self) -> object:
        """Every row, and every file of state and world."""
        state = self.command.directory / "state"
        files = {
            path.relative_to(state): path.read_bytes()
            for path in sorted(state.rglob("*"))
            if path.is_file() and not path.name.startswith("vmwright.db")
        }
        return self.command.rows(), files


@pytest.fixture(scope="module", params=WAYS)
def open_shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """One that accepts."""
    stocked = stocked_with_everything(tmp_path_factory.mktemp("open"))
    with in_way(request.param, stocked) as command:
        shop = Shop(command)
        yield shop
        shop.close()


@pytest.fixture(scope="module")
def far_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One that is reached through a service."""
    with in_way(ENDPOINT, stocked_with_everything(tmp_path_factory.mktemp("far"))) as command:
        words = ("--subnet-range", "10.19.0.0/24", "--bridge", "br0")
        assert command("network", "create", "bridged", *words).code == 0
        yield Shop(command)


@dataclass(frozen=True)
class Untouched:
    shop: Shop
    before: object


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Untouched]:
    """One that nothing may change."""
    shop = Shop(stocked_with_everything(tmp_path_factory.mktemp("untouched")))
    words = ("network", "create", "bridged", "--subnet-range", "10.19.0.0/24", "--bridge", "br0")
    assert shop.command(*words).code == 0
    yield Untouched(shop, shop.everything())
    shop.close()


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_what_the_rules_allow_is_accepted(open_shop: Shop, case: Case) -> None:
    called = open_shop.call(case)
    assert called.code == 0, called.err
    fields = {"idempotency_key": "library"} if "idempotency_key" in case.fields else {}
    again = replace(case, fields=dict(case.fields) | fields)
    count = open_shop.submit(again)
    assert count == (len(called.data) if isinstance(called.data, list) else 1)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_a_rule_forbids_is_refused_and_changes_nothing(
    untouched: Untouched, case: Case
) -> None:
    assert case.error is not None
    with pytest.raises(VmwrightError) as refused:
        untouched.shop.submit(case)
    assert type(refused.value) is case.error
    assert case.text in refused.value.message
    called = untouched.shop.call(case)
    error, text = case.command_error or (case.error, case.text)
    assert (called.code, called.out) == (error.exit_code, ""), called.err
    assert text in called.err
    assert called.err.count("\n") == 1
    assert untouched.shop.everything() == untouched.before


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_a_rule_forbids_a_service_refuses_in_the_same_words(
    far_shop: Shop, case: Case
) -> None:
    assert case.error is not None
    called = far_shop.call(case)
    error, text = case.command_error or (case.error, case.text)
    assert (called.code, called.out) == (error.exit_code, ""), called.err
    assert text in called.err
    assert called.err.count("\n") == 1


def rows() -> Iterator[list[str]]:
    """The cells of every row of every table of the page, without heads."""
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and not set(cells[0]) <= set("-: ") and cells[0] != "parameter":
            yield [cell.replace("\\|", "|") for cell in cells]


ROWS = {cells[0]: cells for cells in rows()}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_tried_both_ways(row: str) -> None:
    assert [case for case in ACCEPTED if case.row == row], "nothing is accepted"
    assert [case for case in REFUSED if case.row == row], "nothing is refused"


@pytest.mark.parametrize("row", ROWS)
def test_every_row_names_its_errors_as_they_are(row: str) -> None:
    _parameter, _option, _rule, _limit, error = ROWS[row]
    for case in (case for case in REFUSED if case.row == row):
        assert case.error is not None
        named = re.sub(r"`", "", error)
        assert f"{case.error.exit_code}: " in named
        assert case.text in named, case.text


def test_every_case_and_every_field_has_a_row() -> None:
    assert {case.row for case in CASES} == set(ROWS)
    named = " ".join(re.findall(r"`([a-z_0-9.]+)`", " ".join(ROWS)))
    assert set(CreateRequest.model_fields) <= set(re.split(r"[ .]", named))


def test_every_option_of_create_is_in_the_table(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    usage = re.sub(
        "(?s)global options.*", "", command("spec", "--help").out.partition("options:")[2]
    )
    options = " ".join(cells[1] for cells in ROWS.values())
    unnamed = set(re.findall(r"--[a-z0-9-]+", usage)) - set(re.findall(r"--[a-z0-9-]+", options))
    assert unnamed == {"--help", "--show-secrets"}  # of `spec` itself


def exit_codes() -> dict[int, Case]:
    return {case.error.exit_code: case for case in REFUSED if case.error and case.words}


@pytest.mark.parametrize("code", exit_codes())
def test_a_process_ends_with_the_same_code(untouched: Untouched, code: int) -> None:
    case = exit_codes()[code]
    untouched.shop.configured(case)
    words = untouched.shop._words(case)
    process = untouched.shop.command.start("create", *words, stdout=-1, stderr=-1)
    out, err = process.communicate()
    assert (process.returncode, out) == (code, ""), err
    assert case.text in err
    assert untouched.shop.everything() == untouched.before
