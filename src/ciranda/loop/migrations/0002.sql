-- What pages look for, of thousands of rows.
CREATE INDEX change_page ON change (project, number);
CREATE INDEX change_latest ON change (project, recorded_us, id);
CREATE INDEX change_run ON change (run);

-- A change of kind 'data' proposes other versions of references for the commit that a protected branch stands at.
ALTER TABLE change ADD COLUMN kind TEXT NOT NULL DEFAULT 'push';
ALTER TABLE change ADD COLUMN pins TEXT NOT NULL DEFAULT '{}';     -- JSON: source → place and version
DROP INDEX change_unsettled;
CREATE UNIQUE INDEX change_unsettled ON change (repository, ref, base, head) WHERE ended_us IS NULL AND kind = 'push';
CREATE UNIQUE INDEX change_data ON change (repository, ref)
    WHERE kind = 'data' AND state IN ('recorded', 'judging', 'asking', 'passed', 'merging');

-- The references that a protected branch last passed with.
CREATE TABLE pin (
    project TEXT NOT NULL,
    source  TEXT NOT NULL,
    place   TEXT NOT NULL,          -- where it lay, as it was declared
    version TEXT NOT NULL,          -- JSON
    change  TEXT NOT NULL REFERENCES change (id),
    PRIMARY KEY (project, source)
);

-- When a source with a schedule was looked at last.
CREATE TABLE source_look (
    project   TEXT NOT NULL,
    source    TEXT NOT NULL,
    looked_us BIGINT NOT NULL,
    PRIMARY KEY (project, source)
);
