//! `openmux serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use super::{Limit, duration};

/// `openmux serve`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Clients take its address as base URL: OPENAI_BASE_URL=http://127.0.0.1:8080/v1,\n\
    ANTHROPIC_BASE_URL=http://127.0.0.1:8080\n\
    Its files (config.toml, overlays, the token's) are read again when they change, or on SIGHUP.\n\
    Memory that a burst needed goes back after 10 ms; MIMALLOC_PURGE_DELAY says after how many.\n\
    Routing options of OpenRouter, ZenMux and LiteLLM in requests: openmux help dialects\n\n\
    Examples\n  \
    openmux serve\n  \
    openmux serve --listen 0.0.0.0:8080 --token-env GATEWAY_TOKEN\n  \
    openmux --sandbox serve")]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one. Beyond this machine only with a token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The host of --listen alone.
    #[arg(long, value_name = "IP", value_parser = host, conflicts_with = "listen")]
    host: Option<IpAddr>,
    /// The port of --listen alone.
    #[arg(long, value_name = "N", conflicts_with = "listen")]
    port: Option<u16>,
    /// The variable that holds the token that clients must show [default: OPENMUX_SERVE_TOKEN, where it is set].
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    pub token_env: Option<String>,
    /// The file that holds it.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Clients with names: tokens of their own, budgets, limits a minute, models and providers, and who sees all of /metrics
    /// (TOML; see the README).
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Shares what it sees, conversations and budgets with other gateways, through a Redis or Valkey: redis://HOST:PORT/DB,
    /// or rediss:// [env: OPENMUX_STATE].
    #[arg(long, value_name = "URL")]
    pub state: Option<String>,
    /// A further name that clients call it by; others are refused, beside those of this machine.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub host_name: Vec<String>,
    /// What holds for every request: [profiles.NAME] of config.toml. A request narrows it, and chooses for itself what is
    /// merely preferred [env: OPENMUX_PROFILE].
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The most requests at once; more are refused with 503.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub max_requests: usize,
    /// One chat: 30s, 2m, 500ms; 0 is no limit [default: 10m] [env: OPENMUX_TIMEOUT].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Limit>,
    /// Making a connection to a provider [default: 10s].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub connect_timeout: Option<Limit>,
}

impl ServeArgs {
    /// Where to listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host.unwrap_or(self.listen.ip()), self.port.unwrap_or(self.listen.port()))
    }
}

fn host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => text.parse().map_err(|_| "not an address such as 127.0.0.1, ::1 or localhost".to_owned()),
    }
}
