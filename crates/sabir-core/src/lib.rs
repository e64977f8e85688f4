//! The synchronous engines: hub, follower, conversation.
