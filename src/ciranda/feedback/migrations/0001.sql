-- The tables of the room feedback.

-- What a rule did, or did not do, about one event; `led` names what came of it: "change ID", "run ID", "revision ID".
CREATE TABLE reaction (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    number BIGINT NOT NULL,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    event TEXT NOT NULL,
    rule TEXT NOT NULL,
    what TEXT NOT NULL,
    state TEXT NOT NULL,
    why TEXT NOT NULL,
    asked BIGINT NOT NULL,
    actor TEXT NOT NULL,
    led TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    ended_us BIGINT,
    UNIQUE (project, environment, name, event),
    UNIQUE (project, number)
);
CREATE INDEX reaction_of_rule ON reaction (project, environment, name, at_us);
CREATE INDEX reaction_open ON reaction (state, at_us);

-- How far the events have been read for reactions.
CREATE TABLE reaction_reader (name TEXT PRIMARY KEY, seq BIGINT NOT NULL);

-- How far each channel of `[notify.NAME]` has read the events of its project, and how it goes with it.
CREATE TABLE channel (
    project    TEXT NOT NULL,
    name       TEXT NOT NULL,
    declared   TEXT NOT NULL,    -- digest of what it is: another one begins without the troubles of the former
    seq        BIGINT NOT NULL,  -- everything up to this event is told, or need not be
    until_seq  BIGINT,           -- the last event of the message that is being sent: a repeated one has the same bounds
    tries      BIGINT NOT NULL,  -- of this message, that failed
    retry_us   BIGINT,
    failing_us BIGINT,           -- since when nothing has come through
    problem    TEXT NOT NULL,
    sent       BIGINT NOT NULL,  -- messages
    dropped    BIGINT NOT NULL,  -- facts that were too old when they could be told
    sent_us    BIGINT,
    PRIMARY KEY (project, name)
);

-- How far what is done here because of events has read them.
CREATE TABLE reader (
    name TEXT PRIMARY KEY,
    seq  BIGINT NOT NULL
);

-- Times in which something was wrong in an environment.
CREATE TABLE incident (
    id          TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    number      BIGINT NOT NULL,
    environment TEXT NOT NULL,
    service     TEXT NOT NULL,   -- '': the whole of it
    title       TEXT NOT NULL,
    severity    TEXT NOT NULL,   -- page, ticket, info
    owner       TEXT NOT NULL,
    origin      TEXT NOT NULL,   -- what alerts of one incident have in common; '': opened by hand
    state       TEXT NOT NULL,   -- open, resolved
    opened_by   TEXT NOT NULL,
    started_us  BIGINT NOT NULL, -- when it began to be wrong
    opened_us   BIGINT NOT NULL,
    resolved_by TEXT NOT NULL,
    resolved_us BIGINT,
    reviewed_us BIGINT,
    review      TEXT NOT NULL,   -- Markdown, as it was taken
    UNIQUE (project, number)
);
CREATE UNIQUE INDEX incident_origin ON incident (project, origin) WHERE state = 'open' AND origin <> '';
CREATE INDEX incident_time ON incident (project, environment, started_us);

-- What people wrote down while it went on.
CREATE TABLE incident_note (
    id       TEXT PRIMARY KEY,
    incident TEXT NOT NULL,
    at_us    BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    text     TEXT NOT NULL
);
CREATE INDEX incident_note_place ON incident_note (incident, at_us);

-- Pieces of planned work.
CREATE TABLE item (
    id         TEXT PRIMARY KEY,
    project    TEXT NOT NULL,
    number     BIGINT NOT NULL,
    title      TEXT NOT NULL,
    owner      TEXT NOT NULL,
    incident   TEXT,             -- incident.id that it was born from
    state      TEXT NOT NULL,    -- open, closed
    created_by TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    closed_by  TEXT NOT NULL,
    closed_us  BIGINT,
    commit_sha TEXT,             -- that closed it
    UNIQUE (project, number)
);
CREATE INDEX item_incident ON item (incident);
