"""The sentences of timelines as the pages exchange them: the ledger's own words in both languages, with `{}` for what varies."""

import re
from collections.abc import Iterator, Mapping

from ciranda.feedback import timeline, wording

_FIELD = re.compile(r"\{(\w+)\}")


def table(code: str) -> dict[str, str]:
    """From English to a language. A sentence of a service or of none is two."""
    return {
        english: said
        for form, sentence in timeline.FORMS["en"].items()
        for english, said in _lines(sentence, timeline.FORMS[code][form], code)
        if _FIELD.sub("", sentence).strip()  # what is somebody's own words alone stays
    }


def _lines(english: str, said: str, code: str) -> Iterator[tuple[str, str]]:
    yield _numbered(english.replace("{of_service}", ""), said.replace("{of_service}", ""))
    if "{of_service}" in english:
        of = {language: wording.word(language, "of", service="{service}") for language in ("en", code)}
        yield _numbered(english.replace("{of_service}", of["en"]), said.replace("{of_service}", of[code]))


def _numbered(english: str, said: str) -> tuple[str, str]:
    """Without names: what stands in another order there is told by its place here."""
    order, there = _FIELD.findall(english), _FIELD.findall(said)
    plain = _FIELD.sub("{}", english)
    if order == there:
        return plain, _FIELD.sub("{}", said)
    return plain, _FIELD.sub(lambda found: f"{{{order.index(found[1])}}}", said)


TABLES: Mapping[str, Mapping[str, str]] = {"pt": table("pt")}
