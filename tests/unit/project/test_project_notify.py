"""The section `[notify.NAME]`."""

import pytest

from ciranda.kernel import errors
from ciranda.project import read, schema
from ciranda.project.declaration import Channel
from support.docs import ROOT

HEAD = '[project]\nname = "toy"\n[notify.team]\n'


def channels(text: str) -> tuple[Channel, ...]:
    return read.read_text(HEAD + text, "ciranda.toml").channels


def test_what_a_channel_says() -> None:
    (one,) = channels(
        'kind = "slack"\nurl = "secret:TEAM_URL"\nseverity = "page"\nowners = ["@a"]\nevents = ["job", "alert.fired"]'
    )
    assert one == Channel("team", "slack", "secret:TEAM_URL", (), "", "page", ("@a",), ("job", "alert.fired"), "en", 3)
    (mail,) = channels('email = ["a@example.org"]\nlanguage = "pt"')
    assert (mail.kind, mail.email, mail.severity, mail.language) == ("email", ("a@example.org",), "info", "pt")
    (hook,) = channels('url = "http://127.0.0.1:9/x"\nsign = "secret:KEY"')
    assert (hook.kind, hook.sign) == ("webhook", "KEY")


@pytest.mark.parametrize(("text", "said"), [
    ("", "has no url"),
    ('kind = "slak"\nurl = "secret:A"', 'is "slak"'),
    ('kind = "slack"\nurl = "https://hooks.example/x"', "is a secret, and this file is read by many"),
    ('url = "secret:A B"', "cannot be the name of a secret"),
    ('url = "ftp://x"', "is not an address of http or https"),
    ('url = "https://user:pw@host/x"', "is not an address of http or https"),
    ('email = ["nobody"]', "which is not an address"),
    ('email = ["a@b.c\\nBcc: x@y.z"]', "which is not an address"),
    ('kind = "email"', "names nobody"),
    ('email = ["a@b.c"]\nurl = "https://x.y/"', "is not for e-mail"),
    ('kind = "slack"\nurl = "secret:A"\nemail = ["a@b.c"]', "email is not for slack"),
    ('kind = "slack"\nurl = "secret:A"\nsign = "secret:K"', "is for webhooks"),
    ('url = "secret:A"\nsign = "plain"', "is not the name of a secret"),
    ('url = "secret:A"\nseverity = "loud"', 'is "loud"'),
    ('url = "secret:A"\nlanguage = "de"', 'is "de"'),
    ('url = "secret:A"\nevents = ["job.lat"]', 'names "job.lat"'),
])  # fmt: skip
def test_what_is_wrong_is_told(text: str, said: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        channels(text)
    assert said in str(caught.value)


def test_the_reference_is_read() -> None:
    text = (ROOT / "src/ciranda/project/reference/notify.toml").read_text()
    assert len(read.read_text('[project]\nname = "toy"\n' + text, "x").channels) == 3
    assert "notify" not in schema.LATER_SECTIONS
