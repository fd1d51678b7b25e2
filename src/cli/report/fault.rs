//! What is said where no provider is to blame: the network, the proxy, the certificates, the clock, an address.

use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::render::text::duration;
use crate::dispatch::{AttemptReport, ChatReport};
use crate::observe::Fault;

/// The error of a fault that is not the provider's; `None` where it is, and where none was found.
pub(super) fn local(report: &ChatReport, attempt: &AttemptReport) -> Option<CliError> {
    let (provider, host) = (attempt.endpoint.provider.as_str(), attempt.host.as_str());
    let offline = ("offline works", "models, providers compare, route explain");
    let error = match attempt.fault? {
        Fault::Provider | Fault::Unconfirmed | Fault::NotRunning => return None,
        Fault::Network => {
            let hosts: std::collections::BTreeSet<&str> =
                report.attempts.iter().map(|attempt| attempt.host.as_str()).collect();
            let asked = match hosts.len() {
                0 | 1 => format!("neither {host} nor any other provider could be reached"),
                several => format!("neither these {several} providers nor any other could be reached"),
            };
            CliError::new(Exit::Unavailable, "no_network", format!("no network: {asked}"))
                .fact(offline.0, offline.1)
                .fix("check the connection and the proxy settings")
        }
        Fault::Portal => {
            let message = "no network: something else answers in place of every provider".to_owned();
            CliError::new(Exit::Unavailable, "no_network", message)
                .fact("likely", "the log-in page of this network: its certificate is for none of them")
                .fact(offline.0, offline.1)
                .fix("open any page in a browser, and log in to the network")
        }
        Fault::Proxy => CliError::new(Exit::Config, "proxy", "the proxy lets nothing through".to_owned())
            .fact("on the way to", host)
            .fix(format!("correct HTTPS_PROXY, or reach it without one: NO_PROXY={}", bare(host))),
        Fault::Issuer => {
            let message = "every provider's certificate is signed by somebody who is not known here".to_owned();
            CliError::new(Exit::Config, "certificates", message)
                .fact("likely", "a proxy that reads along, or root certificates that are missing")
                .fix("SSL_CERT_FILE=FILE with the root certificate of your network")
        }
        Fault::Clock(off) => {
            let by = off.map(|off| format!(" by {}", duration(off))).unwrap_or_default();
            let message = format!("this machine's clock is wrong{by}: certificates look out of date");
            CliError::new(Exit::Config, "clock", message).fix("set the clock")
        }
        Fault::Address => {
            CliError::new(Exit::Config, "address", format!("{provider} has an address that leads nowhere: {host}"))
                .fix("correct its base_url, or the variable that sets it")
        }
    };
    Some(error)
}

/// A host without its port.
fn bare(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}
