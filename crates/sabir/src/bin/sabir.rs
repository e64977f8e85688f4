//! `sabir`: what a person runs.

fn main() -> std::process::ExitCode {
    sabir::main()
}
