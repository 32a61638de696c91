-- What pages look for, of thousands of rows.
CREATE INDEX revision_release ON revision (release, created_us, id);

-- Plans that were shown or wait for approval: what would become of an environment, known by the digest of its body.
CREATE TABLE plan (
    digest      TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    base        TEXT, -- revision.id, NULL: nothing was there
    release     TEXT, -- release.digest, NULL: everything goes
    body        TEXT NOT NULL,
    actor       TEXT NOT NULL,
    created_us  BIGINT NOT NULL,
    asked_us    BIGINT -- since when a release waits for approvals of it
);
CREATE INDEX plan_place ON plan (project, environment, created_us);

-- Who approved a plan; whatever changes the plan has another digest, which nobody approved.
CREATE TABLE approval (
    plan  TEXT NOT NULL,
    actor TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (plan, actor)
);

-- The server's layer of configuration: what `config set` said of an environment.
CREATE TABLE setting (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    value       TEXT NOT NULL, -- JSON: text, a number, true or false
    actor       TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (project, environment, name)
);

-- Every version of every secret, sealed: older ones belong to revisions that still run.
CREATE TABLE secret (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     BIGINT NOT NULL,
    sealed      TEXT NOT NULL, -- bound to the four before
    actor       TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (project, environment, name, version)
);

-- The jobs of what is live in an environment, so that they can be told, and their schedules kept, without the release.
CREATE TABLE job (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    body        TEXT NOT NULL, -- as in the manifest
    since_us    BIGINT NOT NULL, -- since when it is there with this schedule: nothing before was missed
    late_us     BIGINT, -- the occurrence that was last told to be late
    PRIMARY KEY (project, environment, name)
);

-- Runs of jobs. An occurrence of a schedule has one row, however many look and however often it is tried.
CREATE TABLE job_run (
    id          TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    job         TEXT NOT NULL,
    due_us      BIGINT NOT NULL,
    cause       TEXT NOT NULL, -- schedule, caught up, by hand
    actor       TEXT NOT NULL,
    state       TEXT NOT NULL, -- waiting, running, passed, failed, skipped
    attempt     BIGINT NOT NULL,
    retry_us    BIGINT, -- when it is tried again, as long as it waits for that
    task        TEXT,
    release     TEXT, -- release.id that it ran at
    revision    TEXT,
    run         TEXT, -- run.id in the pipeline
    reason      TEXT NOT NULL,
    queued_us   BIGINT NOT NULL,
    started_us  BIGINT,
    ended_us    BIGINT,
    UNIQUE (project, environment, job, due_us)
);
-- Never two at once.
CREATE UNIQUE INDEX job_run_active ON job_run (project, environment, job) WHERE state IN ('waiting', 'running');
CREATE INDEX job_run_queued ON job_run (project, environment, job, queued_us);
CREATE INDEX job_run_ended ON job_run (project, environment, job, ended_us);

-- What jobs made, as an environment has it now.
CREATE TABLE output (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    asset       TEXT NOT NULL,
    version     TEXT NOT NULL,
    job_run     TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (project, environment, asset)
);
