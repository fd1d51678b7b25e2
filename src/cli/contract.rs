//! What scripts rely on, as data: exit codes and environment variables. Help topics, man pages and the README are held
//! to these tables by tests, and every JSON document to the [`schemas`].

pub mod schemas;

/// One meaning each, the same in every command; append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// The question was answered "no".
    Negative,
    /// A bad flag or value, a missing prompt, input that is not UTF-8.
    Usage,
    /// No such model, provider, file; the provider says the model is gone.
    NotFound,
    /// No key, a rejected key, not permitted.
    Auth,
    /// An unreadable configuration, overlay or catalog, a proxy or certificate that cannot be used.
    Config,
    /// The provider refused this request.
    Rejected,
    /// Rate limit or no credit, after retries.
    Limited,
    /// Unreachable, 5xx, overloaded, after retries and failovers.
    Unavailable,
    /// One of our limits fired.
    Timeout,
    /// The answer ended early; what there is of it is on stdout.
    Incomplete,
    /// Our own policy: `--max-cost`, the budget of the day, `--offline`.
    Refused,
    /// A bug in openmux.
    Bug,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::Negative,
        Self::Usage,
        Self::NotFound,
        Self::Auth,
        Self::Config,
        Self::Rejected,
        Self::Limited,
        Self::Unavailable,
        Self::Timeout,
        Self::Incomplete,
        Self::Refused,
        Self::Bug,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Negative => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Auth => 4,
            Self::Config => 5,
            Self::Rejected => 6,
            Self::Limited => 7,
            Self::Unavailable => 8,
            Self::Timeout => 9,
            Self::Incomplete => 10,
            Self::Refused => 11,
            Self::Bug => 70,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The name, which begins `error.code` in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Negative => "negative",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Auth => "auth",
            Self::Config => "config",
            Self::Rejected => "rejected",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Incomplete => "incomplete",
            Self::Refused => "refused",
            Self::Bug => "bug",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// When it is given, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done; also an empty list, and a reader that closed stdout",
            Self::Negative => "the question was answered \"no\": an assertion of check does not hold",
            Self::Usage => "bad flag or value, missing prompt, input that is not UTF-8",
            Self::NotFound => "no such model, provider, file or (check) known fact; or the provider says it is gone",
            Self::Auth => "no key, key rejected, not permitted (401, 403)",
            Self::Config => {
                "unreadable configuration or overlay, proxy, certificate or clock set-up, local server not running"
            }
            Self::Rejected => "the provider refused this request (400, 413, 422, too long, filter)",
            Self::Limited => "rate limit or no credit, after retries (429, 402)",
            Self::Unavailable => "unreachable, 5xx or overloaded, after retries and failovers",
            Self::Timeout => "one of our limits fired (also waiting for stdin)",
            Self::Incomplete => "the answer ended early; what there is of it is on stdout",
            Self::Refused => "our own policy: --max-cost, the budget of the day, --offline",
            Self::Bug => "a bug in openmux; please report it",
            Self::Interrupted => "Ctrl-C",
            Self::Terminated => "SIGTERM",
        }
    }

    /// Whether trying again can help: `no`, `later`, `yes`, `report`; empty where there was no failure.
    #[must_use]
    pub const fn retry(self) -> &'static str {
        match self {
            Self::Ok | Self::Interrupted | Self::Terminated => "",
            Self::Limited => "later",
            Self::Unavailable | Self::Timeout | Self::Incomplete => "yes",
            Self::Bug => "report",
            _ => "no",
        }
    }
}

/// A setting: a flag that `config.toml` can set, and perhaps a variable, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its key under `[defaults]`; the flag has `-` for `_`.
    pub key: &'static str,
    /// The variable that goes before the files.
    pub variable: Option<&'static str>,
    /// What holds where nobody says anything.
    pub builtin: Option<&'static str>,
    /// Whether a profile can set it, too.
    pub in_profile: bool,
}

impl Setting {
    const fn of_call(key: &'static str, variable: Option<&'static str>, builtin: Option<&'static str>) -> Self {
        Self { key, variable, builtin, in_profile: false }
    }

    const fn of_choice(key: &'static str, variable: Option<&'static str>, builtin: Option<&'static str>) -> Self {
        Self { key, variable, builtin, in_profile: true }
    }
}

/// Every setting, in the order in which it is shown.
pub const SETTINGS: [Setting; 34] = [
    Setting::of_call("model", Some("OPENMUX_MODEL"), None),
    Setting::of_call("profile", Some("OPENMUX_PROFILE"), None),
    Setting::of_call("output", Some("OPENMUX_OUTPUT"), Some("table, in a pipe tsv")),
    Setting::of_call("offline", Some("OPENMUX_OFFLINE"), Some("false")),
    Setting::of_call("timeout", Some("OPENMUX_TIMEOUT"), Some("10m")),
    Setting::of_call("connect_timeout", None, Some("10s")),
    Setting::of_call("first_token_timeout", None, Some("60s, hidden reasoning 180s")),
    Setting::of_call("idle_timeout", None, Some("30s")),
    Setting::of_call("retries", None, Some("2")),
    Setting::of_call("hedge", None, Some("false")),
    Setting::of_call("resume", None, Some("false")),
    Setting::of_call("usage", None, Some("on a terminal")),
    Setting::of_call("unit", None, Some("tok/s")),
    Setting::of_call("window", None, Some("72h")),
    Setting::of_choice("provider", Some("OPENMUX_PROVIDER"), None),
    Setting::of_choice("order", None, None),
    Setting::of_choice("only", None, None),
    Setting::of_choice("ignore", None, None),
    Setting::of_choice("no_gateways", None, Some("false")),
    Setting::of_choice("prefer", None, Some("balanced")),
    Setting::of_choice("time_value", None, None),
    Setting::of_choice("max_price_in", None, None),
    Setting::of_choice("max_price_out", None, None),
    Setting::of_choice("max_cost", Some("OPENMUX_MAX_COST"), None),
    Setting::of_choice("max_ttft", None, None),
    Setting::of_choice("min_throughput", None, None),
    Setting::of_choice("min_availability", None, None),
    Setting::of_choice("quantization", None, None),
    Setting::of_choice("require", None, None),
    Setting::of_choice("lenient", None, Some("false")),
    Setting::of_choice("allow_unpriced", None, Some("false")),
    Setting::of_choice("region", Some("OPENMUX_REGION"), None),
    Setting::of_choice("fallback", None, None),
    Setting::of_choice("fallback_on", None, None),
];

/// Environment variables that openmux reads for itself, and what each means.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("OPENMUX_MODEL", "the model, where -m is not given"),
    ("OPENMUX_PROVIDER", "the provider, where --provider is not given"),
    ("OPENMUX_OUTPUT", "the output format, where -o is not given"),
    ("OPENMUX_MAX_COST", "the cost limit of one chat in USD, where --max-cost is not given"),
    ("OPENMUX_TIMEOUT", "the total time limit, where --timeout is not given"),
    ("OPENMUX_OFFLINE", "1 or true: any need of the network is refused (exit 11); 0 or false: it is not"),
    ("OPENMUX_PROFILE", "the profile of config.toml, where --profile is not given"),
    (
        "OPENMUX_STATE",
        "the Redis that gateways share, where serve --state is not given: redis://USER:PASSWORD@HOST:PORT/DB",
    ),
    (
        "OPENMUX_SERVE_TOKEN",
        "the token that clients of serve must show, where neither --token-env nor --token-file is given",
    ),
    ("OPENMUX_REGION", "the region that is preferred where a provider has several"),
    ("OPENMUX_CONFIG", "the configuration, where --config is not given; else config.toml in the next folder"),
    ("OPENMUX_CONFIG_DIR", "where config.toml and catalog.d/*.toml are; else $XDG_CONFIG_HOME/openmux"),
    ("OPENMUX_DATA_DIR", "where obs.db is; else $XDG_STATE_HOME/openmux"),
    ("OPENMUX_CACHE_DIR", "where an updated catalog is; else $XDG_CACHE_HOME/openmux"),
    (
        "OPENMUX_CATALOG_URL",
        "where openmux catalog update fetches from, where --from is not given; before [catalog] url",
    ),
    ("NO_COLOR, CLICOLOR, CLICOLOR_FORCE", "colour off, off (0), or on"),
    ("TERM", "dumb: no colour, and no line that is written over"),
    ("CI", "where it is set: no line that is written over; never other results"),
    ("COLUMNS", "the width of tables; wins over the terminal's"),
    ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "proxies"),
    ("SSL_CERT_FILE", "further root certificates, PEM"),
];

/// How provider variables are named, for help and man page.
pub const PROVIDER_ENVIRONMENT: &str = "\
Keys come from each provider's own variables (ANTHROPIC_API_KEY, OPENAI_API_KEY, ...); `openmux providers list -o wide` \
names them all, and says which one is used. Where none is set, key_cmd, key_file and key in config.toml are looked \
at, in this order. PROVIDER_BASE_URL (ANTHROPIC_BASE_URL, OPENAI_BASE_URL, ...) sends a provider's requests elsewhere. \
Amazon Bedrock takes AWS_BEARER_TOKEN_BEDROCK, else it signs with what AWS's own chain gives (AWS_ACCESS_KEY_ID, \
AWS_PROFILE with single sign-on and roles, web identity, container and instance roles), in AWS_REGION or the profile's \
region. Google Vertex AI takes application default credentials (GOOGLE_APPLICATION_CREDENTIALS, the log-in of gcloud, a \
machine of Google's) with GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION. A region, project or location that is not set \
is an error, never guessed. A cloud is asked for nothing before its provider is about to be called.";

/// Files that openmux reads or writes, and what each is for.
pub const FILES: &[(&str, &str)] = &[
    (
        "$XDG_CONFIG_HOME/openmux/config.toml",
        "your own settings: [defaults] for flags, [aliases] for models, [profiles.NAME] for --profile NAME, [budget], [probe], \
         [serve], [catalog] for updates, and under [providers.ID] where a key comes from beside the environment: key_cmd = \
         [\"program\", \"argument\"] (run \
         without a shell when that provider is about to be called, never for look-ups), key_file = \"~/path\" (one line, at \
         most 64 KiB) or key = \"...\" (allowed, with a warning); the first of these that is there wins. `openmux help config` \
         has every key ($XDG_CONFIG_HOME is ~/.config where it is not set)",
    ),
    (
        ".openmux.toml",
        "a project's settings, in the folder where a command runs or the nearest above it, up to the repository's root or \
         the home; they go before your own. What could run a command, send a key elsewhere, set a price or spend more needs \
         `openmux config trust`",
    ),
    (
        "$XDG_CONFIG_HOME/openmux/catalog.d/*.toml",
        "overlays: your own providers, endpoints and prices, and corrections of the catalog, read in order of their \
         names",
    ),
    (
        "$XDG_CACHE_HOME/openmux/catalog.txt",
        "the catalog that openmux catalog update wrote, in place of the one in the program, and catalog.previous.txt, the \
         one before; a file that is damaged or of another version is passed over with a warning ($XDG_CACHE_HOME is \
         ~/.cache where it is not set)",
    ),
    (
        "$XDG_STATE_HOME/openmux/obs.db",
        "what was measured of your own calls: times, token counts, costs and outcomes; no prompt, no answer, no key. \
         What another process kept it from taking in time lies beside it in obs.spool.jsonl until the next call \
         ($XDG_STATE_HOME is ~/.local/state where it is not set)",
    ),
    ("$XDG_STATE_HOME/openmux/releases", "the newest release that was here of each key that signs catalogs"),
    ("$XDG_STATE_HOME/openmux/trusted", "which projects' files you trust: paths, and a hash of what each said then"),
];
