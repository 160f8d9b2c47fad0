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


def test_only_the_last_message_of_a_batch_says_how_far_everything_was_told() -> None:
    """A line that is cut behind the first of them must not go on behind the last."""
    batch = Batch(events=[told(4), told(6), told(5)], position=6)
    messages = _piece(batch).split("\n\n")
    assert messages.pop() == ""
    fields = [dict(line.split(": ", 1) for line in message.splitlines()) for message in messages]
    assert [one.get("id") for one in fields] == [None, None, "6"]
    assert [one["event"] for one in fields] == ["task"] * 3
    assert ['"seq":4' in one["data"] for one in fields] == [True, False, False]


def test_an_event_is_written_once_however_many_listen() -> None:
    from vmwright.api.events import _message

    one = told(7)
    before = _message.cache_info().misses
    pieces = {_piece(Batch(events=[one], position=position)) for position in (7, 8, 8, 9)}
    assert len(pieces) == 3
    assert _message.cache_info().misses == before + 1
