-- Numbers that grow by one a transaction: `event` counts all events.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

-- The last event of each chain, so that a chain whose end was cut off is found.
CREATE TABLE chain (
    name TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TABLE event (
    seq BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at_us BIGINT NOT NULL,
    chain TEXT NOT NULL,
    kind TEXT NOT NULL,
    version BIGINT NOT NULL,
    subject TEXT NOT NULL,
    actor TEXT NOT NULL,
    cause TEXT,
    body TEXT NOT NULL,  -- canonical JSON
    previous TEXT,  -- the hash of the chain's event before this one; NULL: this is the first
    hash TEXT NOT NULL
);
CREATE INDEX event_chain ON event (chain, seq);

CREATE TABLE task (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,  -- canonical JSON
    state TEXT NOT NULL CHECK (state IN ('waiting', 'claimed', 'done', 'failed')),
    worker TEXT,
    fence BIGINT NOT NULL DEFAULT 0,  -- grows by one a claim
    lease_us BIGINT NOT NULL DEFAULT 0,  -- until when the claim holds
    attempts BIGINT NOT NULL DEFAULT 0,
    result TEXT  -- canonical JSON
);
CREATE UNIQUE INDEX task_unfinished ON task (kind, subject) WHERE state IN ('waiting', 'claimed');

CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    fence BIGINT NOT NULL,
    until_us BIGINT NOT NULL
);
