"""What every page has: headers, our own look, and errors that say what to do. None of this needs the database."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256

import httpx2
import pytest

from services.store.database import make_sessions
from services.web.form_limit import MAX_FORM_BYTES
from tests.support.web import BASE, OWN_PAGE, nowhere, web_client, web_settings

PUBLIC = ("/", "/accessibility", "/privacy")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with web_client(make_sessions(nowhere()), web_settings()) as browser:
        yield browser


@pytest.mark.parametrize("path", [*PUBLIC, "/no-such-page"])
async def test_each_page_has_the_headers_and_nothing_of_gov_uk(client: httpx2.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == (404 if path == "/no-such-page" else 200)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["strict-transport-security"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"GOV\.UK|crown|/licensing-information|OGL", page.text, re.IGNORECASE)


async def test_the_policy_allows_only_the_inline_script_of_the_pages(client: httpx2.AsyncClient) -> None:
    page = await client.get("/")
    inline = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in inline]
    assert re.findall(r"'sha256-([^']+)'", page.headers["content-security-policy"]) == hashes
    assert not re.search(r"<[^>]+\s(style|on\w+)=", page.text)


async def test_assets_are_ours_and_complete(client: httpx2.AsyncClient) -> None:
    page = await client.get("/")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert all(address.startswith(("/", "#")) for address in addresses)
    for address in addresses:
        if address.startswith("/static/"):
            found = await client.get(address)
            assert found.status_code == 200
            assert "max-age" in found.headers["cache-control"]
    style = (await client.get("/static/jointly.css")).text
    assert "GDS Transport" not in style
    assert "url(" not in style


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"])
async def test_no_other_file_is_served(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN_PAGE, 405),
        ({"Sec-Fetch-Site": "none"}, 405),
        ({"Origin": BASE}, 405),
        ({"Sec-Fetch-Site": "cross-site", "Origin": BASE}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://other.jointly.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_only_our_own_pages_can_post(headers: dict[str, str], status: int) -> None:
    async with web_client(make_sessions(nowhere()), web_settings(), headers) as browser:
        assert (await browser.post("/")).status_code == status


async def test_a_large_form_is_refused_even_without_a_size(client: httpx2.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 1024 * 1024

    assert (await client.post("/sign-in", content=b"x" * (MAX_FORM_BYTES + 1))).status_code == 413
    assert (await client.post("/", content=parts())).status_code in (405, 413)


async def test_an_interface_answers_errors_for_programs(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/no-such-thing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404
