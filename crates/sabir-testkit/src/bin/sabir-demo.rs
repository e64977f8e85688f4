//! Plays the demonstration. `cargo xtask demo` builds everything and runs this.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut exit = false;
    let mut folder = None;
    for argument in std::env::args_os().skip(1) {
        if argument == "--exit" {
            exit = true;
        } else {
            folder = Some(PathBuf::from(argument));
        }
    }
    let temporary = tempfile::TempDir::with_prefix("sabir-demo-");
    let folder = match (folder, &temporary) {
        (Some(folder), _) => folder,
        (None, Ok(temporary)) => temporary.path().to_owned(),
        (None, Err(_)) => return ExitCode::FAILURE,
    };
    sabir_testkit::story::play(&folder, exit, &mut std::io::stdout().lock())
}
