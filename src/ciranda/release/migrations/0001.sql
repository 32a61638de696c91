-- Immutable releases: the manifest's digest is the identity, the number is what people say ("r42").
CREATE TABLE release (
    id         TEXT PRIMARY KEY,
    project    TEXT NOT NULL,
    number     BIGINT NOT NULL,
    digest     TEXT NOT NULL,
    manifest   TEXT NOT NULL, -- the object in the store that holds its bytes
    commit_sha TEXT NOT NULL,
    change     TEXT,
    created_us BIGINT NOT NULL,
    UNIQUE (project, number),
    UNIQUE (project, digest)
);

-- What is said of a release after it was made: it names the digest, the manifest never changes.
CREATE TABLE statement (
    id      TEXT PRIMARY KEY,
    release TEXT NOT NULL, -- digest
    kind    TEXT NOT NULL,
    body    TEXT NOT NULL,
    actor   TEXT NOT NULL,
    at_us   BIGINT NOT NULL
);
CREATE INDEX statement_release ON statement (release, at_us);
