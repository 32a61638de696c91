-- The repository that a project's name belongs to; a name is unique in a home.
CREATE TABLE project (
    name       TEXT PRIMARY KEY,
    repository TEXT NOT NULL,
    branch     TEXT NOT NULL,
    at_us      BIGINT NOT NULL
);

-- Commits proposed for a protected branch, and how far they are on their way to production.
CREATE TABLE change (
    id          TEXT PRIMARY KEY,
    number      BIGINT NOT NULL,
    repository  TEXT NOT NULL,
    project     TEXT NOT NULL,
    ref         TEXT NOT NULL,
    base        TEXT NOT NULL,
    head        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    actor       TEXT NOT NULL,
    accepts     BIGINT NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    run         TEXT,
    outcome     TEXT NOT NULL,
    release     TEXT,
    recorded_us BIGINT NOT NULL,
    ended_us    BIGINT,
    UNIQUE (repository, number)
);
CREATE UNIQUE INDEX change_unsettled ON change (repository, ref, base, head) WHERE ended_us IS NULL;
CREATE INDEX change_state ON change (state);

-- The next number of a repository's changes: taken before refs/changes/N is written.
CREATE TABLE change_counter (
    repository TEXT PRIMARY KEY,
    number     BIGINT NOT NULL
);
