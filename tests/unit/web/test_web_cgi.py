"""git http-backend as a CGI program: what goes in, how the head is read."""

from pathlib import Path

import pytest

from ciranda.kernel import errors
from ciranda.web import cgi


def asked(**headers: bytes) -> cgi.Asked:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return cgi.Asked("POST", Path("/h/repositories/flights.git"), "git-receive-pack", "", "ana", "127.0.0.1", named)


def test_the_environment_is_clean_and_has_no_secret() -> None:
    inherited = {
        "PATH": "/bin",
        "GIT_DIR": "/evil",
        "GIT_CONFIG_COUNT": "9",
        "TOKEN": "s3cret",
        "HOME": "/root",
        "PYTHONPATH": "/x",
    }
    request = asked(
        authorization=b"Bearer s3cret",
        content_type=b"application/x",
        content_encoding=b"gzip",
        git_protocol=b"version=2",
    )
    made = cgi.environment(request, Path("/w"), inherited)
    assert not any("s3cret" in value for value in made.values())
    assert "GIT_DIR" not in made
    assert "PYTHONPATH" not in made
    assert made["GIT_CONFIG_COUNT"] == "1"
    assert made["PATH_INFO"] == "/flights.git/git-receive-pack"
    assert made["GIT_PROJECT_ROOT"] == "/h/repositories"
    assert (made["CONTENT_TYPE"], made["HTTP_CONTENT_ENCODING"], made["GIT_PROTOCOL"]) == (
        "application/x",
        "gzip",
        "version=2",
    )
    assert "CONTENT_LENGTH" not in made
    assert made["REMOTE_USER"] == "ana"


def test_the_head_is_found_however_it_comes() -> None:
    for mark in (b"\r\n\r\n", b"\n\n"):
        data = b"Status: 404 Not Found\r\nContent-Type: text/plain" + mark + b"body\r\n\r\nmore"
        split = cgi.split_head(data)
        assert split is not None
        assert split[1] == b"body\r\n\r\nmore"
        assert cgi.parse_head(split[0]) == cgi.Head(404, ((b"content-type", b"text/plain"),))
    assert cgi.split_head(b"Content-Type: text/plain\r\n") is None
    assert cgi.parse_head(b"Content-Type: x").status == 200


def test_a_head_without_end_is_given_up() -> None:
    with pytest.raises(errors.Corrupt):
        cgi.split_head(b"x" * (cgi.LARGEST_HEAD + 1))
