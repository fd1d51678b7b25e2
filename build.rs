//! Lays the functions that common commands run side by side, where the linker can: `link/order.txt` names them. A page of
//! the program that is touched brings its neighbours into memory; in their own order what runs is spread over all of it.
//! Names that are not there any more are passed over, so an old list does less and no harm.
#![expect(clippy::disallowed_methods, reason = "Cargo tells a build script by the environment")]

use std::env::{var, var_os};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=link/order.txt");
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    // Not where this script was compiled: a checkout may have been moved since.
    let Some(here) = var_os("CARGO_MANIFEST_DIR") else { return };
    let order = Path::new(&here).join("link/order.txt");
    let order = format!("-Wl,--symbol-ordering-file={},--no-warn-symbol-ordering", order.display());
    if links(&order) {
        println!("cargo::rustc-link-arg-bins={order}");
    }
}

/// Whether the linker in use takes an argument: a program is linked with it.
fn links(argument: &str) -> bool {
    let (Some(rustc), Ok(target), Some(out)) = (var_os("RUSTC"), var("TARGET"), var_os("OUT_DIR")) else {
        return false;
    };
    let mut trial = Command::new(rustc);
    trial.args(["-", "--crate-name", "trial", "--target", &target, "-C"]).arg(format!("link-arg={argument}"));
    if let Some(linker) = var_os("RUSTC_LINKER") {
        let mut argument = std::ffi::OsString::from("linker=");
        argument.push(linker);
        trial.arg("-C").arg(argument);
    }
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    trial.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty())).arg("-o").arg(Path::new(&out).join("trial"));
    let Ok(mut trial) = trial.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        return false;
    };
    let written = trial.stdin.take().is_some_and(|mut source| source.write_all(b"fn main() {}").is_ok());
    trial.wait().is_ok_and(|ended| written && ended.success())
}
