"""The page as a browser gets it: the link of `ciranda open`, signed in by it, read as text."""

import html
import http.client
import http.cookiejar
import re
import urllib.request
from urllib.parse import urljoin

PATIENCE = 10.0  # seconds for one page


def read(link: str) -> str:
    """The text of the first page for whoever is signed in by this link, one space between words; "" where there is none."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )
    try:
        opener.open(link, timeout=PATIENCE).close()
        with opener.open(urljoin(link, "/"), timeout=PATIENCE) as answer:
            return text(answer.read().decode())
    except (OSError, ValueError, http.client.HTTPException):  # urllib's own errors are OSErrors
        return ""


def text(page: str) -> str:
    """What is written between the tags."""
    return " ".join(html.unescape(re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)).split())
