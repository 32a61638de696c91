-- Named places and whether new releases may enter them.
CREATE TABLE environment (
    project     TEXT NOT NULL,
    name        TEXT NOT NULL,
    held        BIGINT NOT NULL,
    held_reason TEXT NOT NULL,
    held_by     TEXT NOT NULL,
    held_us     BIGINT,
    created_us  BIGINT NOT NULL,
    PRIMARY KEY (project, name)
);

-- The history of an environment: what should run there, and what became of it. Only state, reason, bad and times change.
CREATE TABLE revision (
    id          TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    number      BIGINT NOT NULL,
    release     TEXT NOT NULL, -- release.id
    config      TEXT NOT NULL, -- {NAME: {"value", "layer"}}
    secrets     TEXT NOT NULL, -- {}
    instances   TEXT NOT NULL, -- {service: {"count", "layer"}}
    verify      TEXT NOT NULL, -- {"commands": [], "timeout": seconds}
    cause       TEXT NOT NULL, -- promotion, rollback, scale
    actor       TEXT NOT NULL,
    state       TEXT NOT NULL, -- target, reached, failed, superseded
    reason      TEXT NOT NULL,
    bad         BIGINT NOT NULL,
    created_us  BIGINT NOT NULL,
    routed_us   BIGINT, -- when its instances were first routed
    ended_us    BIGINT,
    verification TEXT, -- the task that verifies it
    UNIQUE (project, environment, number)
);
CREATE UNIQUE INDEX revision_target ON revision (project, environment) WHERE state = 'target';
CREATE INDEX revision_ended ON revision (project, environment, state, ended_us);

-- Specifications that were started for an environment: by their digests it knows which instances are its own.
CREATE TABLE specification (
    digest      TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    service     TEXT NOT NULL,
    release     TEXT NOT NULL,
    created_us  BIGINT NOT NULL
);
CREATE INDEX specification_place ON specification (project, environment);

-- Instances that ended or were asked to: asked ones are forgotten when they are gone, others count as crashes.
CREATE TABLE ending (
    instance   TEXT PRIMARY KEY,
    spec       TEXT NOT NULL,
    asked_us   BIGINT,
    started_us BIGINT NOT NULL,
    exited_us  BIGINT,
    exit       TEXT NOT NULL
);
CREATE INDEX ending_spec ON ending (spec, exited_us);
