//! `openmux serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{Limit, duration};

/// `openmux serve`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Clients take its address as base URL: OPENAI_BASE_URL=http://127.0.0.1:8080/v1,\n\
    ANTHROPIC_BASE_URL=http://127.0.0.1:8080\n\
    Its files (config.toml, overlays, the token's) are read again when they change, or on SIGHUP.\n\
    Memory that a burst needed goes back after 10 ms; MIMALLOC_PURGE_DELAY is another number of them.\n\
    Routing options of OpenRouter, ZenMux and LiteLLM in requests: openmux help dialects\n\n\
    Examples\n  \
    openmux serve\n  \
    openmux serve --listen 0.0.0.0:8080 --token-env GATEWAY_TOKEN\n  \
    openmux --sandbox serve")]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one. Beyond this machine only with a token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The variable that holds the token that clients must show.
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    pub token_env: Option<String>,
    /// The file that holds it.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Clients with names: tokens of their own, budgets, limits a minute, models and providers (TOML; see the README).
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
