"""The page's files: guarded by their headers, kept by browsers, and as they were taken over."""

import gzip
import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest
from fastapi import FastAPI

from vmwright import web
from vmwright.api.server import Server
from vmwright.views.palette import DARK, LIGHT
from vmwright.web.serving import ADDRESSES, router

PAGE = Path(web.__file__).parent / "page"
VENDOR = PAGE / "vendor"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    content: bytes

    @property
    def text(self) -> str:
        packed = self.headers["Content-Encoding"] == "gzip"
        return (gzip.decompress(self.content) if packed else self.content).decode()


@dataclass(frozen=True)
class Asker:
    url: str

    def get(self, path: str, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.url}{path}", headers=named)
        try:
            with urllib.request.urlopen(request) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.headers, refused.read())


@pytest.fixture(scope="module")
def client() -> Iterator[Asker]:
    application = FastAPI()
    application.include_router(router)
    with Server(application, "127.0.0.1", 0) as server:
        yield Asker(server.url)


def edition(client: Asker) -> str:
    return re.findall(r"/page/([0-9a-f]+)/app\.mjs", client.get("/").text)[0]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_is_answered_with_the_page(client: Asker, address: str) -> None:
    answer = client.get(re.sub(r"{.*}", "1", address))
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_what_browsers_have_is_not_sent_again(client: Asker) -> None:
    first = client.get("/")
    again = client.get("/", If_None_Match=first.headers["ETag"])
    assert (again.status, again.content) == (304, b"")
    part = f"/page/{edition(client)}/app.mjs"
    packed, plain = client.get(part, Accept_Encoding="gzip"), client.get(part)
    assert "immutable" in plain.headers["Cache-Control"]
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.text == plain.text
    assert len(packed.content) < len(plain.content) / 2


@pytest.mark.parametrize(
    "name", ["../serving.py", "%2e%2e/serving.py", "vendor/preact.LICENSE", "nothing.mjs"]
)
def test_nothing_else_is_sent(client: Asker, name: str) -> None:
    assert client.get(f"/page/{edition(client)}/{name}").status == 404
    assert client.get("/page/0123456789ab/app.mjs").status == 404


def test_colours_are_those_of_the_pictures(client: Asker) -> None:
    sheet = client.get(f"/page/{edition(client)}/style/palette.css").text
    light, dark = sheet.split("@media (prefers-color-scheme: dark)")
    assert f"--canvas: {LIGHT.canvas};" in light
    assert f"--canvas: {DARK.canvas};" in dark
    named = {
        name
        for path in PAGE.rglob("*.css")
        for name in re.findall(r"var\(--([a-z]+-(?:fill|line|text))\)", path.read_text())
    }
    assert named
    assert all(f"--{name}: #" in light for name in named)


def test_no_style_and_no_script_is_written_into_the_page() -> None:
    text = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text)
    ours = [path for path in PAGE.rglob("*.mjs") if path.parent != VENDOR]
    for path in ours:
        assert not re.search(r"innerHTML|dangerously|style=\"|https?://", path.read_text()), path


def test_what_was_taken_over_is_as_it_was() -> None:
    listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (VENDOR / "README.md").read_text(), re.M)
    assert {name for _, name in listed} == {path.name for path in VENDOR.glob("*.mjs")}
    for digest, name in listed:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
