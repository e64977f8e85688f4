//! Provider storage: domain commands over SQLite and an in-memory model.
