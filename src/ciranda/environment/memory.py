"""Whether the machine's memory is short, so that what is only warm is given up."""

from pathlib import Path

SHORT = 0.08  # of the whole
MEMINFO = Path("/proc/meminfo")


def short(path: Path = MEMINFO) -> bool:
    """Whether less than 8 % of the memory is available; False where that cannot be read."""
    try:
        return is_short(path.read_text())
    except OSError:
        return False


def is_short(meminfo: str) -> bool:
    """The same, from the text of `/proc/meminfo` (proc(5)). Pure."""
    kilobytes: dict[str, int] = {}
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()
        if number and number[0].isdecimal():
            kilobytes[name] = int(number[0])
    total, available = kilobytes.get("MemTotal", 0), kilobytes.get("MemAvailable")
    return available is not None and total > 0 and available < total * SHORT
