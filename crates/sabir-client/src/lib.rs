//! A client without a face: accounts, conversations, store, sync, outbox, transport.
