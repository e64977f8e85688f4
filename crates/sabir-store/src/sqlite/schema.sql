-- Version 1. Times are milliseconds since 1970. Rooms, devices and followers get small numbers of their own, so that
-- a reference row of the queue or the outbox has some 10 to 40 bytes.

CREATE TABLE rooms (
    id INTEGER NOT NULL PRIMARY KEY,
    room TEXT NOT NULL UNIQUE,
    kind INTEGER NOT NULL CHECK (kind IN (1, 2)),   -- 1 hub, 2 follower
    hub_domain TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    next_seq INTEGER NOT NULL DEFAULT 1,
    fence INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE room_rows (
    id INTEGER NOT NULL PRIMARY KEY,
    room_id INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (room_id, key)
) STRICT;

-- Each body once. Appended at the end of the table; found by room and sequence number through the index.
CREATE TABLE log (
    id INTEGER NOT NULL PRIMARY KEY,
    room_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL DEFAULT 0,
    at INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL,
    UNIQUE (room_id, seq)
) STRICT;
CREATE INDEX log_by_time ON log (at);

-- Hashes of messages, for deduplication; outlive the bodies or not, by a policy of their own.
CREATE TABLE seen (
    id INTEGER NOT NULL PRIMARY KEY,
    room_id INTEGER NOT NULL,
    hash BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (room_id, hash)
) STRICT;
CREATE INDEX seen_by_time ON seen (at);

CREATE TABLE answers (
    id INTEGER NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    response BLOB NOT NULL,
    at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (origin, request_hash)
) STRICT;
CREATE INDEX answers_by_time ON answers (at);

-- A device's next cursor is one more than the largest of `acked` and the cursors in its queue: enqueuing touches only
-- the queue's end, and acknowledged cursors are never used again.
CREATE TABLE devices_queued (
    id INTEGER NOT NULL PRIMARY KEY,
    device TEXT NOT NULL UNIQUE,
    acked INTEGER NOT NULL DEFAULT 0
) STRICT;

-- room_id 0: seq is the id of a notice.
CREATE TABLE queue (
    device_id INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    room_id INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL,
    PRIMARY KEY (device_id, cursor)
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
    id INTEGER NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL DEFAULT 0,
    at INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE followers (
    id INTEGER NOT NULL PRIMARY KEY,
    domain TEXT NOT NULL UNIQUE
) STRICT;

-- What a follower has yet to accept. Rows up to `last_seq` of its batch are frozen, later ones wait.
CREATE TABLE outbox (
    room_id INTEGER NOT NULL,
    follower_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (room_id, follower_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    room_id INTEGER NOT NULL,
    follower_id INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (room_id, follower_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX batches_by_time ON batches (next_attempt_at);

-- Stays until its lifetime ends, so that no reference is handed out twice; `bytes` are empty once it is gone.
CREATE TABLE key_packages (
    id INTEGER NOT NULL PRIMARY KEY,
    reference BLOB NOT NULL UNIQUE,
    device TEXT NOT NULL,
    user TEXT NOT NULL DEFAULT '',
    suite INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    published_at INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1)),
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX key_packages_waiting ON key_packages (device, suite, published_at, reference) WHERE gone = 0;
CREATE INDEX key_packages_by_end ON key_packages (not_after);

CREATE TABLE takes (
    id INTEGER NOT NULL PRIMARY KEY,
    request_key BLOB NOT NULL UNIQUE,
    at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX takes_by_time ON takes (at);

-- found 0: the device had none; the remaining columns are empty.
CREATE TABLE taken (
    take_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    device TEXT NOT NULL,
    found INTEGER NOT NULL DEFAULT 0 CHECK (found IN (0, 1)),
    reference BLOB NOT NULL DEFAULT x'',
    suite INTEGER NOT NULL DEFAULT 0,
    not_after INTEGER NOT NULL DEFAULT 0,
    published_at INTEGER NOT NULL DEFAULT 0,
    bytes BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (take_id, position)
) STRICT;

CREATE TABLE routes (
    reference BLOB NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL CHECK (kind IN (1, 2)),   -- 1 local device, 2 provider
    target TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX routes_by_end ON routes (expires_at);

CREATE TABLE invites (
    token_hash BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    uses_left INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    user TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    identity_key BLOB NOT NULL,
    user_certificate BLOB NOT NULL,
    recovery_commitment BLOB NOT NULL,
    device_list BLOB NOT NULL DEFAULT x'',
    device_list_version INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE devices (
    client_uri TEXT NOT NULL PRIMARY KEY,
    user TEXT NOT NULL,
    credential BLOB NOT NULL,
    signature_key BLOB NOT NULL,
    added_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX devices_by_user ON devices (user);

CREATE TABLE tokens (
    token_hash BLOB NOT NULL PRIMARY KEY,
    client_uri TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_client ON tokens (client_uri);
CREATE INDEX tokens_by_end ON tokens (expires_at);

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
