//! A door.

fn main() -> std::process::ExitCode {
    rag::cli::main(std::env::args_os())
}
