"""Every page that a signed-in council can open: each link is followed, as often as its kind of page is new."""

import re
from collections import Counter
from collections.abc import Sequence
from html import unescape
from typing import Final

import httpx2

_ID: Final = re.compile(r"[0-9a-f]{32}|E\d{8}:[^/?]+")
_LEFT_OUT: Final = ("/static/", "/sign-out", "/sign-in")


async def crawl(client: httpx2.AsyncClient, starts: Sequence[str], max_alike: int) -> dict[str, str]:
    """The texts of the pages by path, from these pages on. `max_alike`: how many of pages that differ only by an id."""
    waiting, texts, alike = list(starts), dict[str, str](), Counter[str]()
    while waiting:
        path = waiting.pop(0)
        kind = _ID.sub("ID", path)
        if path in texts or path.startswith(_LEFT_OUT) or alike[kind] >= max_alike:
            continue
        answer = await client.get(path)
        if answer.status_code == 303:
            waiting.append(answer.headers["location"])
            continue
        assert answer.status_code == 200, (path, answer.status_code)
        alike[kind] += 1
        texts[path] = unescape(answer.text)
        waiting += [unescape(link).split("#")[0] for link in re.findall(r'href="(/[^"]*)"', answer.text)]
    return texts
