-- Version 2: uploaded files. Their bytes are not here; see the types' module.

CREATE TABLE assets (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    size INTEGER NOT NULL,
    hash BLOB NOT NULL,
    begun_at INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1)),
    expires_at INTEGER NOT NULL
) STRICT;
-- Holds what the quota sums up, so that the sum reads no rows.
CREATE INDEX assets_by_owner ON assets (owner, hash, size);
CREATE INDEX assets_by_end ON assets (expires_at);
