-- How often a code check failed on one key; a key that is in `code_pass` too has a flaky command.
CREATE TABLE code_failure (
    key      TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_us  BIGINT NOT NULL
);
