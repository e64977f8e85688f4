//! The provider: library and the binary sabird.
