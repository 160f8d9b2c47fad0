"""Open pages, as the service sees them: listeners of its events that drop their lines now and then.

    python -m benchmarks.listeners URL TOKEN LISTENERS AFTER MESSAGES

Prints a line once all of them listen. Then it waits for a line of JSON on its input: all events
that they should have heard since number AFTER, by their numbers, with when each was seen in the
store. Once they have heard them, or nothing more for some time, it prints a JSON object:

- `events`: how many each should have heard; `lost` and `repeated`: by all of them together
- `drops`: how often a line was dropped, after about MESSAGES each time, and taken up again
- `p50_ms`, `p99_ms`: from when an event could be read in the store to its arrival, over breaks too
- `happened_p50_ms`, `happened_p99_ms`: from what happened, which is stored a little later
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Collection, Set
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from benchmarks.meter import Figures, cpu_seconds, percentiles

_PATIENCE = 10.0
"""Seconds without any event after which what was not heard is lost."""


@dataclass
class Listener:
    """One that goes on where it was, as a page does."""

    host: str
    port: int
    token: str
    last: str
    """The last id that it was given."""
    drops_every: int
    """Messages after which its line is dropped, in the midst of what comes with them."""
    heard: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By number: when it came, and when it had happened."""
    repeated: int = 0
    drops: int = 0
    listens: asyncio.Event = field(default_factory=asyncio.Event)
    at: float = field(default_factory=time.monotonic)
    """When it last heard something."""

    async def listen(self) -> None:
        """For ever."""
        while True:
            # A line of its own each time, as a browser has after a break.
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                writer.write(self._request())
                await self._hear(reader)
            finally:
                writer.close()
            self.drops += 1

    def _request(self) -> bytes:
        lines = {
            "Host": f"{self.host}:{self.port}",
            "Authorization": f"Bearer {self.token}",
            "Last-Event-ID": self.last,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"GET /v1/events HTTP/1.1\r\n{head}\r\n".encode()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.splitlines()[0]:
            raise SystemExit(head.decode())
        self.listens.set()
        left, rest = self.drops_every, b""
        # As it comes in chunks, each behind its length.
        while length := int(await reader.readline(), 16):
            *messages, rest = (rest + (await reader.readexactly(length + 2))[:-2]).split(b"\n\n")
            for message in messages:
                left -= self._take(message)
                if not left:
                    return

    def _take(self, message: bytes) -> bool:
        """Whether it is an event."""
        fields = dict(line.split(b": ", 1) for line in message.split(b"\n"))
        self.last = fields.get(b"id", self.last.encode()).decode()
        if b"data" not in fields:
            return False
        event = json.loads(fields[b"data"])
        self.at = time.monotonic()
        if event["seq"] in self.heard:
            self.repeated += 1
        else:
            happened = datetime.fromisoformat(event["at"]).timestamp()
            self.heard[event["seq"]] = time.time(), happened
        return True


async def main(url: str, token: str, number: int, after: int, messages: int) -> Figures:
    """See above."""
    chance, where = random.Random(number), urlsplit(url)
    listeners = [
        Listener(
            host=str(where.hostname),
            port=where.port or 80,
            token=token,
            last=str(after),
            drops_every=chance.randint(messages // 2, messages + messages // 2),
        )
        for _ in range(number)
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.listen()) for one in listeners]
        for one in listeners:
            await one.listens.wait()
        print(json.dumps({"listening": number}), flush=True)
        line = await asyncio.to_thread(sys.stdin.readline)
        seen = {int(number): at for number, at in json.loads(line).items()}
        await _heard_all(listeners, seen.keys())
        for task in tasks:
            task.cancel()
    heard = [(seq, *times) for one in listeners for seq, times in one.heard.items()]
    told = percentiles([came - seen[seq] for seq, came, _ in heard])
    happened = percentiles([came - at for _, came, at in heard])
    return {
        "listeners": number,
        "events": len(seen),
        "lost": sum(len(seen.keys() - one.heard.keys()) for one in listeners),
        "repeated": sum(one.repeated for one in listeners),
        "drops": sum(one.drops for one in listeners),
        "their_cpu_seconds": round(cpu_seconds(), 2),
        **told,
        **{f"happened_{name}": value for name, value in happened.items()},
    }


async def _heard_all(listeners: Collection[Listener], expected: Set[int]) -> None:
    while any(expected - one.heard.keys() for one in listeners):
        if time.monotonic() > max(one.at for one in listeners) + _PATIENCE:
            return
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    url, token, *numbers = sys.argv[1:]
    print(json.dumps(asyncio.run(main(url, token, *map(int, numbers)))), flush=True)
