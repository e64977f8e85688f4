//! Worlds of real providers and clients for tests, and the load generator (dev only).
