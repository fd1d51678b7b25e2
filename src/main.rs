//! The `openmux` binary: decides nothing.

use std::ffi::OsString;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    #[cfg(unix)]
    thrifty::again(&args);
    openmux::cli::main(args)
}

/// Memory that a burst needed goes back to the system.
#[cfg(unix)]
mod thrifty {
    use std::ffi::OsString;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    /// How many milliseconds what is free stays with the process: the allocator's own variable, which it reads as the
    /// program starts. Its own value is a second, and in a second a gateway's threads free many times what they hold.
    const DELAY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10");

    /// The command among the words: the first that is neither an option nor the value of one.
    fn command(words: &[OsString]) -> Option<&OsString> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if ["-o", "--output", "--color", "--config"].iter().any(|option| word == option) {
                words.next();
            } else if !word.as_encoded_bytes().starts_with(b"-") {
                return Some(word);
            }
        }
        None
    }

    /// Starts what is to serve once more, in its own place, with that set; where the user has set it, that holds.
    #[expect(clippy::disallowed_methods, reason = "the variable is the allocator's, not openmux's")]
    pub(super) fn again(args: &[OsString]) {
        let Some((name, words)) = args.split_first() else { return };
        let serves = command(words).is_some_and(|word| word == "serve");
        let asks = words.iter().any(|word| word == "--help" || word == "-h" || word == "help");
        if !serves || asks || std::env::var_os(DELAY.0).is_some() {
            return;
        }
        let Ok(program) = std::env::current_exe() else { return };
        // It comes back only where that could not be: then more is held, and all else is the same.
        let _ = Command::new(program).arg0(name).args(words).env(DELAY.0, DELAY.1).exec();
    }
}
