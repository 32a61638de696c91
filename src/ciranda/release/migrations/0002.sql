-- Who pushed the change that the release came from: whose approval of it may not count.
ALTER TABLE release ADD COLUMN author TEXT NOT NULL DEFAULT '';
