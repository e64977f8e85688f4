//! The agent that owns a profile, and the commands that speak to it.
