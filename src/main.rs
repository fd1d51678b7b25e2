//! The `openmux` binary: decides nothing.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    openmux::cli::main(std::env::args_os().collect())
}
