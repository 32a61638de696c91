-- What pages look for, of thousands of rows.
CREATE INDEX revision_release ON revision (release, created_us, id);
