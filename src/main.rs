//! The `openmux` binary: decides nothing.

use std::process::ExitCode;

fn main() -> ExitCode {
    openmux::cli::main(std::env::args_os().collect())
}
