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
