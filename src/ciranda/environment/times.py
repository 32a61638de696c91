"""Times that decisions and views share, in µs."""

SECOND = 1_000_000
STANDBY_US = 600 * SECOND  # what leaves stays warm so long after its successor is live
MEMORY_US = 600 * SECOND  # crashes older than this no longer slow a restart
