"""How events are written for those who listen: what is cut off is heard once more."""

from vmwright.api.events import _piece
from vmwright.feed import Batch
from vmwright.ids import InstanceId, OperationId, new_id
from vmwright.persistence.event_log import Told
from vmwright.persistence.records import Event


def told(seq: int) -> Told:
    event = Event(
        seq=seq,
        operation_id=OperationId(new_id()),
        instance_id=InstanceId(new_id()),
        kind="task",
        state="RUNNING",
    )
    return Told(event=event, project="p", kind="create", flow="create_instance", submitted_at=0.0)


def test_a_message_says_no_more_than_was_told_up_to_it() -> None:
    """Whose line is cut behind one must not go on behind the last one of its batch."""
    batch = Batch(events=[told(number) for number in (4, 5, 7, 9)], position=12)
    messages = _piece(batch).split("\n\n")
    assert messages.pop() == ""
    fields = [dict(line.split(": ", 1) for line in message.splitlines()) for message in messages]
    assert [one["id"] for one in fields] == ["4", "5", "7", "12"]
    assert [one["event"] for one in fields] == ["task"] * 4
    assert ['"seq":4' in one["data"] for one in fields] == [True, False, False, False]


def test_what_may_still_come_is_gone_back_to() -> None:
    """Number 6 is not there yet."""
    batch = Batch(events=[told(number) for number in (4, 5, 7, 9)], position=5)
    ids = [line for line in _piece(batch).splitlines() if line.startswith("id: ")]
    assert ids == ["id: 4", "id: 5", "id: 5", "id: 5"]


def test_an_event_is_written_once_however_many_listen() -> None:
    from vmwright.api.events import _message

    one = told(7)
    before = _message.cache_info().misses
    pieces = {_piece(Batch(events=[one], position=position)) for position in (7, 8, 8, 9)}
    assert len(pieces) == 3
    assert _message.cache_info().misses == before + 1
