CREATE TABLE users (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'developer', 'operator', 'admin')),
    at_us BIGINT NOT NULL
);

-- A token itself is nowhere: only its digest.
CREATE TABLE token (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    user_name TEXT NOT NULL REFERENCES users (name),
    at_us BIGINT NOT NULL
);
