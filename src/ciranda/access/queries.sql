-- name: put_user
-- Who was removed comes back under the same name.
INSERT INTO users (name, at_us, removed_us) VALUES (:name, :at_us, NULL)
ON CONFLICT (name) DO UPDATE SET removed_us = NULL;

-- name: user
SELECT name, at_us FROM users WHERE name = :name AND removed_us IS NULL;

-- name: all_users
SELECT name, at_us FROM users WHERE removed_us IS NULL ORDER BY name;

-- name: count_users
SELECT COUNT(*) AS number FROM users WHERE removed_us IS NULL;

-- name: remove_user
UPDATE users SET removed_us = :now_us WHERE name = :name AND removed_us IS NULL;

-- name: put_grant
INSERT INTO role_grant (user_name, project, environment, role, actor, at_us)
VALUES (:user, :project, :environment, :role, :actor, :at_us)
ON CONFLICT (user_name, project, environment) DO UPDATE SET role = excluded.role, actor = excluded.actor, at_us = excluded.at_us;

-- name: drop_grant
DELETE FROM role_grant WHERE user_name = :user AND project = :project AND environment = :environment RETURNING role;

-- name: drop_grants
DELETE FROM role_grant WHERE user_name = :user;

-- name: grants_of
SELECT project, environment, role FROM role_grant WHERE user_name = :user ORDER BY project, environment;

-- name: all_grants
SELECT user_name, project, environment, role FROM role_grant ORDER BY user_name, project, environment;

-- name: other_admin
-- Somebody else who may do everything everywhere, and has a token to say so.
SELECT role_grant.user_name FROM role_grant
JOIN token ON token.user_name = role_grant.user_name
WHERE role_grant.project = '*' AND role_grant.environment = '*' AND role_grant.role = 'admin'
AND role_grant.user_name <> :user AND token.revoked_us IS NULL AND (token.until_us IS NULL OR token.until_us > :now_us)
LIMIT 1;

-- name: admins
-- Who may do everything everywhere, the first one first.
SELECT users.name FROM users JOIN role_grant ON role_grant.user_name = users.name
WHERE role_grant.project = '*' AND role_grant.environment = '*' AND role_grant.role = 'admin' AND users.removed_us IS NULL
ORDER BY users.at_us, users.name;

-- name: insert_token
INSERT INTO token (id, digest, user_name, at_us, label, actor, until_us, revoked_us)
VALUES (:id, :digest, :user, :at_us, :label, :actor, :until_us, NULL);

-- name: token
SELECT token.digest, users.name FROM token JOIN users ON users.name = token.user_name
WHERE token.id = :id AND users.removed_us IS NULL AND token.revoked_us IS NULL
AND (token.until_us IS NULL OR token.until_us > :now_us);

-- name: tokens
SELECT id, user_name, at_us, label, actor, until_us FROM token
WHERE revoked_us IS NULL AND (until_us IS NULL OR until_us > :now_us) ORDER BY user_name, at_us, id;

-- name: token_owner
SELECT id, user_name FROM token WHERE id = :id AND revoked_us IS NULL;

-- name: token_known
-- Whether a token was ever of this home.
SELECT id FROM token WHERE id = :id;

-- name: other_token
SELECT id FROM token WHERE user_name = :user AND id <> :id AND revoked_us IS NULL AND (until_us IS NULL OR until_us > :now_us) LIMIT 1;

-- name: revoke_token
UPDATE token SET revoked_us = :now_us WHERE id = :id AND revoked_us IS NULL;

-- name: revoke_tokens
UPDATE token SET revoked_us = :now_us WHERE user_name = :user AND revoked_us IS NULL;

-- name: usable_admin
-- A token by which somebody who may do everything everywhere is known.
SELECT token.id FROM token
JOIN role_grant ON role_grant.user_name = token.user_name
WHERE role_grant.project = '*' AND role_grant.environment = '*' AND role_grant.role = 'admin'
AND token.revoked_us IS NULL AND (token.until_us IS NULL OR token.until_us > :now_us)
LIMIT 1;

-- name: insert_invitation
INSERT INTO invitation (digest, user_name, until_us, token) VALUES (:digest, :user, :until_us, :token);

-- name: take_invitation
-- Whoever deletes it has used it: of two at once one gets the row.
DELETE FROM invitation WHERE digest = :digest RETURNING user_name, until_us, token;

-- name: drop_invitations
DELETE FROM invitation WHERE until_us <= :now_us;

-- name: insert_session
INSERT INTO session (digest, user_name, until_us, token) VALUES (:digest, :user, :until_us, :token);

-- name: session
-- A session ends with the token that began it.
SELECT users.name FROM session
JOIN users ON users.name = session.user_name
LEFT JOIN token ON token.id = session.token
WHERE session.digest = :digest AND session.until_us > :now_us AND users.removed_us IS NULL
AND (session.token IS NULL OR (token.revoked_us IS NULL AND (token.until_us IS NULL OR token.until_us > :now_us)));

-- name: drop_sessions
DELETE FROM session WHERE until_us <= :now_us;

-- name: end_session
DELETE FROM session WHERE digest = :digest;

-- name: end_sessions
DELETE FROM session WHERE user_name = :user;

-- name: end_invitations
DELETE FROM invitation WHERE user_name = :user;
