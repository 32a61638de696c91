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
    created_us  BIGINT NOT NULL
);
CREATE INDEX plan_place ON plan (project, environment, created_us);

-- Who approved a plan; whatever changes the plan has another digest, which nobody approved.
CREATE TABLE approval (
    plan  TEXT NOT NULL,
    actor TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (plan, actor)
);
