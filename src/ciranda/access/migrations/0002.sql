-- A link that signs somebody in, good once: only its digest.
CREATE TABLE invitation (
    digest TEXT PRIMARY KEY,
    user_name TEXT NOT NULL REFERENCES users (name),
    until_us BIGINT NOT NULL
);

-- A browser that is signed in: only the digest of what its cookie holds.
CREATE TABLE session (
    digest TEXT PRIMARY KEY,
    user_name TEXT NOT NULL REFERENCES users (name),
    until_us BIGINT NOT NULL
);
