-- A code check that passed, by its key (command, tree, interpreter); failures are never kept.
CREATE TABLE code_pass (
    key     TEXT PRIMARY KEY,
    summary TEXT NOT NULL,
    at_us   BIGINT NOT NULL
);

-- The verdicts of one change, in the order in which they were made.
CREATE TABLE verdict (
    change    TEXT NOT NULL,
    place     BIGINT NOT NULL,
    name      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    judgement TEXT NOT NULL,
    body      TEXT NOT NULL,
    PRIMARY KEY (change, place)
);
