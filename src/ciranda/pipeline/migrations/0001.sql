CREATE TABLE run (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    number BIGINT NOT NULL,
    commit_id TEXT,
    dirty BIGINT NOT NULL,          -- changed files of the working tree
    cause TEXT NOT NULL,            -- what started it
    actor TEXT NOT NULL,
    trust TEXT NOT NULL,
    state TEXT NOT NULL,            -- running, finished, failed, interrupted
    started_us BIGINT NOT NULL,
    ended_us BIGINT,
    interpreter TEXT NOT NULL,
    confined BIGINT NOT NULL,
    process TEXT,                   -- JSON: pid, start and boot of the process that runs it
    steps_of TEXT,                  -- the run whose steps and outcomes these are, when nothing has changed since
    summary TEXT NOT NULL,          -- JSON: seconds, problem, counts
    UNIQUE (project, number)
);

CREATE TABLE run_step (
    run TEXT NOT NULL REFERENCES run (id),
    position BIGINT NOT NULL,
    step TEXT NOT NULL,
    state TEXT NOT NULL,            -- unchanged, ran, failed, skipped
    key TEXT,
    digest TEXT,                    -- of the version
    seconds DOUBLE PRECISION NOT NULL,
    version TEXT,                   -- JSON, NULL when there is none
    error TEXT,
    PRIMARY KEY (run, position)
);

CREATE TABLE run_outcome (
    run TEXT NOT NULL REFERENCES run (id),
    position BIGINT NOT NULL,
    check_name TEXT NOT NULL,
    key TEXT,
    body TEXT NOT NULL,             -- JSON
    PRIMARY KEY (run, position)
);

-- What steps made, by key and by the trust of who made it.
CREATE TABLE result (
    key TEXT NOT NULL,
    trust TEXT NOT NULL,
    project TEXT NOT NULL,
    asset TEXT NOT NULL,
    version TEXT NOT NULL,          -- JSON
    parts TEXT NOT NULL,            -- JSON: what the key was made of
    seconds DOUBLE PRECISION NOT NULL,
    run TEXT NOT NULL,
    made_us BIGINT NOT NULL,
    PRIMARY KEY (key, trust)
);
CREATE INDEX result_of_asset ON result (project, asset, made_us);

-- Outcomes that passed; failures are found again each time.
CREATE TABLE outcome (
    key TEXT NOT NULL,
    trust TEXT NOT NULL,
    project TEXT NOT NULL,
    check_name TEXT NOT NULL,
    body TEXT NOT NULL,             -- JSON
    run TEXT NOT NULL,
    made_us BIGINT NOT NULL,
    PRIMARY KEY (key, trust)
);

-- What `describe` said of a pipeline, for as long as the files that it read are the same.
CREATE TABLE description (
    key TEXT NOT NULL,
    modules TEXT NOT NULL,          -- canonical JSON: project file → digest
    body TEXT NOT NULL,             -- JSON
    made_us BIGINT NOT NULL,
    PRIMARY KEY (key, modules)
);

-- Normalised Python files.
CREATE TABLE module (
    digest TEXT NOT NULL,
    python TEXT NOT NULL,
    pieces TEXT NOT NULL,           -- JSON
    PRIMARY KEY (digest, python)
);

-- Working trees in which nothing was touched since a run that had everything.
CREATE TABLE unchanged (
    tree TEXT PRIMARY KEY,
    state TEXT NOT NULL,            -- digest of what a run depends on
    project TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES run (id),
    checks BIGINT NOT NULL          -- how many passed
);

-- Digests of files of working trees that have not been touched since.
CREATE TABLE file_stat (
    tree TEXT NOT NULL,
    path TEXT NOT NULL,
    mark TEXT NOT NULL,             -- size, modified, changed, inode
    digest TEXT NOT NULL,
    PRIMARY KEY (tree, path)
);
