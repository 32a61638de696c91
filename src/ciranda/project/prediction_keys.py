"""Reading `predictions` of a service: what is wrong with it is told at its line. Apart from the record, which status loads."""

from ciranda.project import names
from ciranda.project.predictions import KEYS, Predictions
from ciranda.project.reading import Table


def read(table: Table) -> Predictions | None:
    """The `predictions` of a service; None where it keeps none. What is wrong with it is noted at its line."""
    if "predictions" not in table:
        return None
    if "predict" not in table:
        table.wrong(
            "predictions", "are kept of a function alone", 'it is for services with predict = "module:function"'
        )
    found = table.table("predictions")
    for key in found:
        if key not in KEYS:
            hint = names.suggestion(key, KEYS)
            known = f"known: {', '.join(KEYS)}"
            table.wrong("predictions", f'has "{key}", which is not a key', f"{hint}; {known}" if hint else known)
    plain = Predictions()
    sample, redact, keep = (found.get(key, getattr(plain, key)) for key in KEYS)
    if not isinstance(sample, int | float) or isinstance(sample, bool) or not 0 < sample <= 1:
        table.wrong("predictions", f"says sample = {sample!r}, not a share of the requests above 0 and up to 1")
        sample = plain.sample
    if not isinstance(redact, list | tuple) or not all(isinstance(one, str) for one in redact):
        table.wrong("predictions", f"says redact = {redact!r}, not a list of columns", 'write redact = ["buyer"]')
        redact = plain.redact
    if not isinstance(keep, int) or isinstance(keep, bool) or not 1 <= keep <= 36_500:
        table.wrong("predictions", f"says keep = {keep!r}, not a whole number of days from 1")
        keep = plain.keep
    return Predictions(float(sample), tuple(dict.fromkeys(redact)), keep)
