"""What differs from one run to the next, made equal: ids, times, durations, addresses, dots."""

import re

_SAME = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "ID"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)?", "TIME"),
    (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC"),
    (r"\b[0-9a-f]{64}\b", "DIGEST"),
    (r"token=[\w-]+", "token=TOKEN"),
    (r"\+?\b\d+(\.\d+)? ?(ms|s|seconds)\b", "DURATION"),
    (r"-{3,}", "---"),
    (r"─{2,}", "──"),
    (r" +", " "),
)


def alike(text: str) -> str:
    """A text without what a second run would say in another way."""
    for pattern, word in _SAME:
        text = re.sub(pattern, word, text)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def holds(said: str, shown: str) -> bool:
    """Whether each line that is shown was said, in their order and with whatever else."""
    wanted = [_pattern(line) for line in alike(shown).splitlines()]
    for line in alike(said).splitlines():
        if wanted and re.search(wanted[0], f"{line}\n"):
            del wanted[0]
    return not wanted


def assert_alike(what: str, shown: str, said: str) -> None:
    """A line `...` of what is shown stands for any number of lines, and within one for anything."""
    wanted, got = alike(shown), alike(said)
    pattern = "".join(map(_pattern, wanted.splitlines()))
    if not re.fullmatch(pattern, f"{got}\n"):
        raise AssertionError(f"{what}\nshown:\n{wanted}\n\nsaid:\n{got}")


def _pattern(line: str) -> str:
    if line == "...":
        return r"(?:.*\n)*?"
    return re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
