"""A log that cannot be written ends nothing."""

import subprocess
import sys

SAYS = "from ciranda.kernel import log; log.say('one \\udce9'); log.say('two'); print('goes on')"


def test_a_full_disk_loses_the_line_and_nothing_else() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", SAYS], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "goes on\n")


def test_a_line_is_written_whole_whatever_it_holds() -> None:
    done = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "one \\udce9\ntwo\n")
