-- What pages look for, of thousands of rows.
CREATE INDEX change_page ON change (project, number);
CREATE INDEX change_latest ON change (project, recorded_us, id);
CREATE INDEX change_run ON change (run);
