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
