//! Private providers of `acme/tiny` and others, one for each scripted server.

use std::fmt::Write as _;

use super::server::Server;

/// Their names, cheapest first, so that they are tried in this order.
pub(crate) const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// An overlay in which they speak this protocol, each dearer than the one before.
pub(crate) fn overlay(servers: &[Server], protocol: &str) -> String {
    serving(servers.iter().map(|server| (server.base_url(), "tiny")), protocol)
}

/// The same of addresses, where each serves a model of its own, `acme/` before its name.
pub(crate) fn serving<'a>(places: impl IntoIterator<Item = (String, &'a str)>, protocol: &str) -> String {
    let mut overlay = String::new();
    for (at, ((base, model), name)) in places.into_iter().zip(NAMES).enumerate() {
        let price = 1 + 20 * at;
        writeln!(
            overlay,
            "[provider.{name}]\nprotocol = \"{protocol}\"\nbase_url = \"{base}/v1\"\nkey_env = \"{}\"\n\
             [[endpoint]]\nprovider = \"{name}\"\nmodel = \"acme/{model}\"\nid = \"{model}-1\"\ncontext = 8192\n\
             max_output = 4096\nprice = {{ input = \"{price}\", output = \"{}\" }}",
            key_variable(name),
            2 * price,
        )
        .expect("a string can be written");
    }
    overlay
}

/// The variable that holds a provider's key.
pub(crate) fn key_variable(provider: &str) -> String {
    format!("{}_KEY", provider.to_uppercase())
}
