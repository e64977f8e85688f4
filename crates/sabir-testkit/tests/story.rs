//! The demonstration as a test: what it tells must hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::ExitCode;

#[test]
fn the_story_holds() {
    let folder = tempfile::TempDir::with_prefix("sabir-story-").unwrap();
    let mut told = Vec::new();
    let code = sabir_testkit::story::play(folder.path(), true, &mut told);
    let told = String::from_utf8(told).unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS), "{told}");
    assert!(told.contains("The story holds"), "{told}");
}
