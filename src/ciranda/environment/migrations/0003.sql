-- What format 3 of the home adds.

-- By which steps a revision enters: the rollout that its release declares, {} where it enters at once.
ALTER TABLE revision ADD COLUMN rollout TEXT NOT NULL DEFAULT '{}';

-- How far a target that enters by steps is; written before the routes are, so that they follow it wherever control is killed.
CREATE TABLE rollout (
    revision    TEXT PRIMARY KEY, -- revision.id, the target
    against     TEXT NOT NULL, -- release.id of what was live
    state       TEXT NOT NULL, -- running, paused, waiting, failed, aborted, passed
    step        BIGINT NOT NULL, -- the place in steps, from 0
    actor       TEXT NOT NULL, -- who paused or aborted it, or moved it on
    reason      TEXT NOT NULL, -- why it failed, or waits
    ways        TEXT NOT NULL, -- how each step was left: p it passed, q it was quiet, h by hand
    services    TEXT NOT NULL, -- {service: {"seen", "total", "judge", "said"}}: counts and what the judge keeps
    began_us    BIGINT NOT NULL,
    stepped_us  BIGINT NOT NULL, -- since when it is at this step
    looked_us   BIGINT NOT NULL, -- when the judge last looked
    ended_us    BIGINT
);

-- What infrastructure a revision has: {} where it declares none, else {"folder", "digest", "serial", "run"}.
ALTER TABLE revision ADD COLUMN infra TEXT NOT NULL DEFAULT '{}';

-- The states of Terraform of which Ciranda is the backend: every one that was written, the newest fifty of an environment.
CREATE TABLE infra_state (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    serial      BIGINT NOT NULL, -- ours: 1, 2, …
    lineage     TEXT NOT NULL, -- Terraform's name for this state's history
    number      BIGINT NOT NULL, -- Terraform's serial in it
    object      TEXT NOT NULL, -- in the store, sealed
    resources   BIGINT NOT NULL,
    run         TEXT NOT NULL, -- infra_run.id, '' for somebody's own Terraform
    actor       TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (project, environment, serial)
);

-- Who may write a state now.
CREATE TABLE infra_lock (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    id          TEXT NOT NULL, -- Terraform's
    info        TEXT NOT NULL, -- what Terraform says of it, given to whoever asks meanwhile
    run         TEXT NOT NULL, -- infra_run.id, '' for somebody's own Terraform
    actor       TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (project, environment)
);

-- What Terraform was asked to do, and what came of it.
CREATE TABLE infra_run (
    id          TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    kind        TEXT NOT NULL, -- plan, apply, drift
    destroy     BIGINT NOT NULL,
    question    TEXT NOT NULL, -- what the plan depends on
    release     TEXT NOT NULL, -- release.id whose files it works with
    revision    TEXT, -- revision.id that waits for it
    plan        TEXT, -- infra_plan.id that it applies, or made
    actor       TEXT NOT NULL,
    state       TEXT NOT NULL, -- waiting, running, done, failed
    task        TEXT,
    token       TEXT NOT NULL, -- digest of the password by which its Terraform is known
    began_us    BIGINT, -- when it began to change things
    serial      BIGINT, -- of the state that it left
    reason      TEXT NOT NULL,
    body        TEXT NOT NULL, -- what it did: counts and addresses
    queued_us   BIGINT NOT NULL,
    ended_us    BIGINT
);
CREATE UNIQUE INDEX infra_run_changing ON infra_run (project, environment) WHERE kind = 'apply' AND state IN ('waiting', 'running');
CREATE UNIQUE INDEX infra_run_looking ON infra_run (project, environment, kind, question) WHERE kind <> 'apply' AND state IN ('waiting', 'running');
CREATE INDEX infra_run_place ON infra_run (project, environment, queued_us);

-- Plans that Terraform made. Of one question with one answer there is one; `file` is what is applied.
CREATE TABLE infra_plan (
    id          TEXT PRIMARY KEY, -- digest of question and answer
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    question    TEXT NOT NULL,
    body        TEXT NOT NULL, -- {"changes", "outputs"}: without sensitive values
    file        TEXT NOT NULL, -- in the store, sealed
    run         TEXT NOT NULL, -- that made it last
    made_us     BIGINT NOT NULL
);
CREATE INDEX infra_plan_question ON infra_plan (project, environment, question, made_us);

-- What infrastructure an environment has, and since when it is not as it was left.
CREATE TABLE infra_place (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    release     TEXT NOT NULL, -- release.id whose files made it
    folder      TEXT NOT NULL,
    digest      TEXT NOT NULL, -- of the files
    question    TEXT NOT NULL, -- what it was made with
    serial      BIGINT NOT NULL,
    resources   BIGINT NOT NULL,
    outputs     TEXT NOT NULL, -- {name: {"value"} or {"secret": NAME}}
    applied_us  BIGINT NOT NULL,
    checked_us  BIGINT, -- when drift was looked for
    drifted_us  BIGINT, -- since when it has drifted
    drift       TEXT NOT NULL, -- [] or what is not as it was left
    PRIMARY KEY (project, environment)
);

-- When no new release enters, as the last one that entered by a promotion says: a list of windows.
ALTER TABLE environment ADD COLUMN frozen TEXT NOT NULL DEFAULT '[]';

-- Releases that entered past a freeze, a hold, approvals or the environment before: each stays until somebody has reviewed it.
CREATE TABLE emergency (
    revision    TEXT PRIMARY KEY, -- revision.id
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    number      BIGINT NOT NULL, -- of the revision
    release     TEXT NOT NULL, -- release.id
    plan        TEXT NOT NULL, -- digest
    reason      TEXT NOT NULL,
    passed      TEXT NOT NULL, -- what stood in the way: a list of sentences
    actor       TEXT NOT NULL,
    at_us       BIGINT NOT NULL,
    reviewer    TEXT NOT NULL, -- '': nobody yet
    note        TEXT NOT NULL,
    reviewed_us BIGINT
);
CREATE INDEX emergency_place ON emergency (project, environment, reviewed_us);
