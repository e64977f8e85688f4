-- Version 6: what each message changes lies close together, and no index is keyed by what falls anywhere.

-- The numbers of a room, apart from its names: some hundred rooms in a page.
CREATE TABLE heads (
    room_id INTEGER NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    fence INTEGER NOT NULL
) STRICT;
INSERT INTO heads SELECT id, epoch, next_seq, fence FROM rooms;
ALTER TABLE rooms DROP COLUMN epoch;
ALTER TABLE rooms DROP COLUMN next_seq;
ALTER TABLE rooms DROP COLUMN fence;

-- The short ones of a room's rows, apart from trees and keys. A row is here or in room_rows.
CREATE TABLE room_marks (
    room_id INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (room_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO room_marks SELECT room_id, key, value FROM room_rows WHERE length(value) <= 16;
DELETE FROM room_rows WHERE length(value) <= 16;

-- Found by a fingerprint of their hash and whose it is: the newest ones in memory, the others through an index that is
-- written many rows at a time.
ALTER TABLE answers RENAME TO answers_5;
CREATE TABLE answers (
    id INTEGER NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    response BLOB NOT NULL,
    at INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO answers SELECT id, origin, request_hash, response, at FROM answers_5 ORDER BY id;
DROP TABLE answers_5;
CREATE TABLE answers_by_hash (
    fingerprint INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, id)
) STRICT, WITHOUT ROWID;

ALTER TABLE seen RENAME TO seen_5;
CREATE TABLE seen (
    id INTEGER NOT NULL PRIMARY KEY,
    room_id INTEGER NOT NULL,
    hash BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO seen SELECT id, room_id, hash, seq, at FROM seen_5 ORDER BY id;
DROP TABLE seen_5;
CREATE TABLE seen_by_hash (
    fingerprint INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, id)
) STRICT, WITHOUT ROWID;

-- Up to which number the rows of a table are in its index.
CREATE TABLE indexed (
    name TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT;
INSERT INTO indexed VALUES ('answers', 0), ('seen', 0);

-- listed 0: the entries of the batch are all of the log from first_seq to last_seq, and no rows of outbox.
ALTER TABLE batches ADD COLUMN listed INTEGER NOT NULL DEFAULT 1 CHECK (listed IN (0, 1));
