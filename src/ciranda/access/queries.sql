-- name: put_user
INSERT INTO users (name, role, at_us) VALUES (:name, :role, :at_us)
ON CONFLICT (name) DO UPDATE SET role = :role;

-- name: insert_token
INSERT INTO token (id, digest, user_name, at_us) VALUES (:id, :digest, :user, :at_us);

-- name: token
SELECT token.digest, users.name, users.role
FROM token JOIN users ON users.name = token.user_name
WHERE token.id = :id;

-- name: any_token
SELECT id FROM token LIMIT 1;

-- name: user
-- What a user may do.
SELECT name, role FROM users WHERE name = :name;

-- name: insert_invitation
INSERT INTO invitation (digest, user_name, until_us) VALUES (:digest, :user, :until_us);

-- name: take_invitation
-- Whoever deletes it has used it: of two at once one gets the row.
DELETE FROM invitation WHERE digest = :digest RETURNING user_name, until_us;

-- name: drop_invitations
DELETE FROM invitation WHERE until_us <= :now_us;

-- name: insert_session
INSERT INTO session (digest, user_name, until_us) VALUES (:digest, :user, :until_us);

-- name: session
SELECT users.name, users.role FROM session JOIN users ON users.name = session.user_name
WHERE session.digest = :digest AND session.until_us > :now_us;

-- name: drop_sessions
DELETE FROM session WHERE until_us <= :now_us;
