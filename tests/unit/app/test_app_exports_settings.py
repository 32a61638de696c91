"""`[export.…]` in settings.toml: what is read, and what is refused by name."""

import re
from pathlib import Path

import pytest

from ciranda.app import logkeeping
from ciranda.app.exports import settings
from ciranda.kernel import errors
from support.docs import ROOT


def _settings(home: Path, text: str) -> Path:
    (home / "settings.toml").write_text(text)
    return home


def test_nothing_is_sent_unless_somebody_is_named(tmp_path: Path) -> None:
    assert settings.of_otlp(tmp_path) is None
    assert settings.of_dogstatsd(tmp_path) is None


def test_a_collector_with_a_key_that_lies_in_a_file(tmp_path: Path) -> None:
    key = tmp_path / "otlp.key"
    key.write_text("s3cret\n")
    key.chmod(0o600)
    found = settings.of_otlp(
        _settings(
            tmp_path,
            '[export.otlp]\nurl = "https://otlp.example/otlp/"\nevery = 5\n'
            'headers = { X-Scope-OrgID = "7", api-key = "secret-file:otlp.key" }\n',
        )
    )
    assert found is not None
    assert (found.url, found.every) == ("https://otlp.example/otlp/v1/metrics", 5.0)
    assert found.given() == {"X-Scope-OrgID": "7", "api-key": "s3cret"}
    assert "s3cret" not in repr(found)
    key.chmod(0o644)
    with pytest.raises(errors.Refused, match="others may read"):
        found.given()
    key.unlink()
    with pytest.raises(errors.Refused, match="cannot be read"):
        found.given()


def test_a_whole_address_is_taken_as_it_is(tmp_path: Path) -> None:
    found = settings.of_otlp(_settings(tmp_path, '[export.otlp]\nurl = "http://c:4318/v1/metrics"\n'))
    assert found is not None
    assert (found.url, found.every, found.headers) == ("http://c:4318/v1/metrics", 15.0, {})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("otlp = 1", "not a table"),
        ('otlp = { url = "ftp://x" }', "not an address"),
        ('otlp = { url = "https://me:pw@x" }', "more than an address"),
        ('otlp = { url = "https://x?key=1" }', "more than an address"),
        ('otlp = { url = "https://x", key = "1" }', "knows url, every, headers, not key"),
        ('otlp = { url = "https://x", every = 0 }', "seconds from 1 to 3600"),
        ('otlp = { url = "https://x", every = true }', "seconds from 1 to 3600"),
        ('otlp = { url = "https://x", headers = { api-key = "abc" } }', "would lie open"),
        ('otlp = { url = "https://x", headers = { Authorization = "Basic abc" } }', "would lie open"),
        ('otlp = { url = "https://x", headers = { Host = "y" } }', "cannot be given"),
        ('otlp = { url = "https://x", headers = { "a b" = "y" } }', "cannot be given"),
        ('otlp = { url = "https://x", headers = { a = "y\\nz" } }', "not a plain text"),
        ('dogstatsd = { address = "127.0.0.1" }', "neither HOST:PORT"),
        ('dogstatsd = { address = "127.0.0.1:99999" }', "neither HOST:PORT"),
        ('dogstatsd = { address = "a:1", tags = "x" }', "not a list of texts"),
        ('prometheus = { url = "x" }', "knows otlp, dogstatsd, not prometheus"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, what: str) -> None:
    home = _settings(tmp_path, f"[export]\n{text}\n")
    with pytest.raises(errors.Invalid, match=what):
        (settings.of_dogstatsd(home), settings.of_otlp(home))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:8125", ("127.0.0.1", 8125, "")),
        ("[::1]:8125", ("::1", 8125, "")),
        ("agent.intranet:18125", ("agent.intranet", 18125, "")),
        ("unix:///run/datadog/dsd.socket", ("", 0, "/run/datadog/dsd.socket")),
    ],
)
def test_where_an_agent_listens(tmp_path: Path, address: str, expected: tuple[str, int, str]) -> None:
    found = settings.of_dogstatsd(_settings(tmp_path, f'[export.dogstatsd]\naddress = "{address}"\ntags = ["a:b"]\n'))
    assert found is not None
    assert (found.host, found.port, found.path) == expected
    assert (found.tags, found.every) == (("a:b",), 10.0)


@pytest.mark.parametrize("page", ["logs.md", "exports.md"])
def test_what_the_pages_show_is_read(tmp_path: Path, page: str) -> None:
    blocks = re.findall(
        r"^```toml settings\.toml\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL
    )
    home = _settings(tmp_path, "\n".join(blocks))
    if page == "logs.md":
        assert logkeeping.limits(home) == logkeeping.Limits()  # it shows what holds without it
        return
    collector, agent = settings.of_otlp(home), settings.of_dogstatsd(home)
    assert collector is not None
    assert agent is not None
    assert collector.url == "https://otlp.nr-data.net/v1/metrics"
    assert (agent.host, agent.port) == ("127.0.0.1", 8125)
