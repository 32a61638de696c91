"""`settings.toml`: the mail server and the page's address."""

from pathlib import Path

import pytest

from ciranda.access import settings
from ciranda.kernel import errors


def written(folder: Path, text: str) -> Path:
    (folder / settings.FILE).write_text(text)
    return folder


def test_a_mail_server_needs_a_host_and_a_sender(tmp_path: Path) -> None:
    home = written(tmp_path, '[smtp]\nhost = "mail.example"\nsender = "c@example.org"\n')
    assert settings.smtp(home) == settings.Smtp("mail.example", 587, "starttls", "c@example.org")
    home = written(
        tmp_path, '[smtp]\nhost = "m"\nsender = "c@example.org"\nsecurity = "tls"\nuser = "u"\npassword_file = "p"\n'
    )
    assert (settings.smtp(home).port, settings.smtp(home).user) == (465, "u")


@pytest.mark.parametrize(("text", "said"), [
    ("", "no mail server is named"),
    ('[smtp]\nhost = "m"\n', "needs a host and a sender"),
    ('[smtp]\nhost = "m"\nsender = "c@e.org\\nX: y"\n', "smtp.sender is not a text"),
    ('[smtp]\nhost = "m"\nsender = "c@e.org"\nsecurity = "x"\n', "smtp.security"),
    ('[smtp]\nhost = "m"\nsender = "c@e.org"\nport = 0\n', "not a port"),
    ('[smtp]\nhost = "m"\nsender = "c@e.org"\nsecurity = "none"\nuser = "u"\n', "in the clear"),
    ('[smtp]\nhost = "m"\npassword = "x"\n', "not password"),
    ("smtp = 1\n", "smtp knows"),
])  # fmt: skip
def test_what_is_wrong_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(errors.Refused, match=said):
        settings.smtp(written(tmp_path, text))


def test_a_password_lies_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    server = settings.Smtp("m", 587, "starttls", "c@e.org", "u", str(tmp_path / "password"))
    with pytest.raises(errors.Refused, match="cannot be read"):
        server.password()
    (tmp_path / "password").write_text("pass word\n")
    (tmp_path / "password").chmod(0o644)
    with pytest.raises(errors.Refused, match="others may read"):
        server.password()
    (tmp_path / "password").chmod(0o600)
    assert server.password() == "pass word"


def test_the_page_has_an_address_without_a_slash_at_its_end(tmp_path: Path) -> None:
    assert settings.page(tmp_path) == ""
    assert settings.page(written(tmp_path, '[page]\nurl = "https://c.example/"\n')) == "https://c.example"
    with pytest.raises(errors.Invalid):
        settings.page(written(tmp_path, '[page]\nurl = "c.example"\n'))
