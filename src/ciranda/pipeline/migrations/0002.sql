-- Where a version was seen: its runs are found by its digest.
CREATE INDEX run_step_digest ON run_step (digest, step);

-- What the columns of a table hold, counted on first ask. What private columns are changes what may be kept.
CREATE TABLE profile (
    version TEXT NOT NULL,          -- digest of the table
    private TEXT NOT NULL,          -- digest of the names of its private columns
    object  TEXT NOT NULL,          -- the object in the store that holds the profile
    PRIMARY KEY (version, private)
);

-- How often a check failed on one key; what it passed on lies in `outcome`. Both for one key: the check is flaky.
CREATE TABLE check_failure (
    key      TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_us  BIGINT NOT NULL
);
