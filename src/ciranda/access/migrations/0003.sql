-- Several people: what each may do where, tokens that end, sessions that end with the token that began them.

-- A role of a user in a project and an environment of it; '*' is every one. Roles that hold for every project are of '*', '*'.
CREATE TABLE role_grant (
    user_name   TEXT NOT NULL REFERENCES users (name),
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('viewer', 'developer', 'operator', 'admin')),
    actor       TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (user_name, project, environment)
);
INSERT INTO role_grant (user_name, project, environment, role, actor, at_us)
SELECT name, '*', '*', role, '', at_us FROM users;
ALTER TABLE users DROP COLUMN role;
-- Who was removed stays as a name in the history, and knows no token.
ALTER TABLE users ADD COLUMN removed_us BIGINT;

ALTER TABLE token ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN until_us BIGINT;
ALTER TABLE token ADD COLUMN revoked_us BIGINT;

ALTER TABLE invitation ADD COLUMN token TEXT;
ALTER TABLE session ADD COLUMN token TEXT;
