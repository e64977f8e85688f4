//! `sabird`: runs a provider and administers it.

fn main() -> std::process::ExitCode {
    sabir_server::cli::main()
}
