-- The tables of the room monitor.

-- What a service predicted, and what was said of it (kind "predictions" or "feedback"): rows of one release (of feedback: ''), in a Parquet
-- object. `dropped`: predictions that were not kept, for want of room. `profile`: what the columns hold, an object; '': not counted.
CREATE TABLE prediction_batch (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    service TEXT NOT NULL,
    release TEXT NOT NULL,
    from_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    object TEXT NOT NULL,
    profile TEXT NOT NULL,
    made_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL
);
CREATE INDEX prediction_batch_of_service ON prediction_batch (project, environment, service, kind, until_us);
CREATE INDEX prediction_batch_expiry ON prediction_batch (expires_us);

-- Segments of the spool whose rows are in a batch, until an hour after: none is taken twice.
CREATE TABLE prediction_segment (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    service TEXT NOT NULL,
    segment TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (project, environment, service, segment)
);

-- An alert: what a rule found of one thing, and what became of it. `part`: the job or the release that it is of by itself. `source`: "ciranda",
-- or "alertmanager". `told_us`: when its event was recorded; NULL: it was silenced, or has not fired.
CREATE TABLE alert (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    rule TEXT NOT NULL,
    service TEXT NOT NULL,
    part TEXT NOT NULL,
    release TEXT NOT NULL,
    metric TEXT NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    owner TEXT NOT NULL,
    runbook TEXT NOT NULL,
    value DOUBLE PRECISION,
    text TEXT NOT NULL,
    since_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,
    fired_us BIGINT,
    told_us BIGINT,
    under_us BIGINT,
    resolved_us BIGINT,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    acked_by TEXT NOT NULL,
    acked_us BIGINT,
    note TEXT NOT NULL
);
-- One open alert of one thing.
CREATE UNIQUE INDEX alert_open ON alert (project, environment, rule, service, part, source) WHERE state <> 'resolved';
CREATE INDEX alert_history ON alert (project, since_us);

-- Nobody is told of what it fits until it ends. Empty: any.
CREATE TABLE silence (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    rule TEXT NOT NULL,
    service TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    from_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL
);
CREATE INDEX silence_of_project ON silence (project, until_us);

-- What later rows are compared with: the profile of a table (kind "training": what the models of a release took; "first": the first
-- predictions of a release in an environment; "version": an asset's version of the release; "none": there is nothing, `source` says why).
-- `subject`: a service, or an asset that a job makes; `environment` is '' where it is of the release alone.
CREATE TABLE drift_reference (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    subject TEXT NOT NULL,
    release TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    object TEXT NOT NULL,
    row_count BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    made_us BIGINT NOT NULL,
    PRIMARY KEY (project, environment, subject, release, kind, source)
);

-- The last look at each window of a subject; `body`: the comparison and the profile of the window.
CREATE TABLE drift_look (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    subject TEXT NOT NULL,
    span TEXT NOT NULL,
    part TEXT NOT NULL,
    release TEXT NOT NULL,
    reference TEXT NOT NULL,
    from_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (project, environment, subject, span, part)
);

-- A column that differs, from when it was found until it was over.
CREATE TABLE drift_episode (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    subject TEXT NOT NULL,
    column_name TEXT NOT NULL,
    release TEXT NOT NULL,
    span TEXT NOT NULL,
    part TEXT NOT NULL,
    check_name TEXT NOT NULL,
    measure TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    floor DOUBLE PRECISION NOT NULL,
    row_count BIGINT NOT NULL,
    reference TEXT NOT NULL,
    text TEXT NOT NULL,
    since_us BIGINT NOT NULL,
    found_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,
    over_us BIGINT
);
CREATE UNIQUE INDEX drift_episode_open ON drift_episode (project, environment, subject, column_name) WHERE over_us IS NULL;
CREATE INDEX drift_episode_of_subject ON drift_episode (project, environment, subject, found_us);
