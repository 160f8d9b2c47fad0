"""Files of the repository that the documents link to, as pages of the site: it needs no other."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(#[^)\s]*)?(?=\))")
_LANGUAGES = {
    ".py": "python",
    ".toml": "toml",
    ".service": "ini",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".sample": "yaml",
}


class Sources:
    """Those files: what the documents link to, and what the Markdown among these links to."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    def follow(self, origin: str, text: str) -> None:
        """Find what a text of the repository links to; `origin` is its path from the root."""
        for path, _ in _LINK.findall(text):
            target = _resolved(origin, path)
            if not _inside_docs(target) and target not in self._found:
                self._found[target] = None
                if target.endswith(".md"):
                    self.follow(target, (ROOT / target).read_text())
                elif (ROOT / target).is_dir():
                    self._found |= dict.fromkeys(_files_of(target))

    def pages(self) -> Iterator[tuple[str, str]]:
        """Place in the site and content of each."""
        for target in sorted(self._found):
            uri, path = uri_of(target), ROOT / target
            if target.endswith(".md"):
                yield uri, with_links(path.read_text(), target, uri)
            elif path.is_dir():
                files = "\n".join(
                    f"* [`{file}`]({posixpath.relpath(uri_of(file), posixpath.dirname(uri))})"
                    for file in _files_of(target)
                )
                yield uri, f"# `{target}`\n\n{files}\n"
            else:
                language = _LANGUAGES.get(path.suffix, "text")
                yield uri, f"# `{target}`\n\n````{language}\n{path.read_text()}\n````\n"


def uri_of(target: str) -> str:
    """Where in the site a file or directory of the repository is."""
    if target.endswith(".md"):
        return f"source/{target}"
    return f"source/{target}/contents.md" if (ROOT / target).is_dir() else f"source/{target}.md"


def with_links(text: str, origin: str, uri: str) -> str:
    """A text of the repository with the links that it has at `uri` in the site."""

    def moved(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        target = _resolved(origin, path)
        place = target.removeprefix("docs/") if _inside_docs(target) else uri_of(target)
        return posixpath.relpath(place, posixpath.dirname(uri)) + anchor

    return _LINK.sub(moved, text)


def _resolved(origin: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))


def _inside_docs(target: str) -> bool:
    return target == "docs" or target.startswith("docs/")


def _files_of(directory: str) -> list[str]:
    found = (path for path in (ROOT / directory).iterdir() if path.is_file())
    return sorted(path.relative_to(ROOT).as_posix() for path in found)
