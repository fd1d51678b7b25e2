//! The hosts of three models: prices as listed in November 2026; times, limits and faults invented within the ranges
//! that public trackers show.

/// One host of the model. Times in seconds, prices in USD per million tokens, shares 0 to 1.
#[derive(Debug, Clone)]
pub struct Host {
    pub name: &'static str,
    /// Whether it is the model's author.
    pub official: bool,
    /// Hosts of one cloud fail together in the world of correlated outages.
    pub cloud: u64,
    pub input: &'static str,
    pub output: &'static str,
    pub cache_read: Option<&'static str>,
    pub cache_write: Option<&'static str>,
    /// Median time to first token, and the spread of its logarithm.
    pub ttft: f64,
    pub ttft_spread: f64,
    /// The share of answers that begin late by a Pareto factor of at least 3.
    pub tail: f64,
    /// Seconds for a thousand tokens that no cache serves.
    pub prefill: f64,
    /// Median tokens a second, and the spread of the logarithm.
    pub speed: f64,
    pub speed_spread: f64,
    /// The share of attempts that fail, and that are never answered.
    pub errors: f64,
    pub hangs: f64,
    /// Requests and thousands of tokens a minute.
    pub rpm: f64,
    pub ktpm: f64,
    /// Whether a 429 says when to come back, and whether answers say what is left.
    pub retry_after: bool,
    pub tells_limits: bool,
    /// The chance that a warm cache is hit, and how long it is warm.
    pub cache_hit: f64,
    pub cache_ttl: f64,
    /// Whether an answer that nobody waited for is billed.
    pub bills_cancelled: bool,
}

const fn host(name: &'static str, [input, output]: [&'static str; 2], [ttft, ttft_spread, speed]: [f64; 3]) -> Host {
    Host {
        name,
        official: false,
        cloud: 0,
        input,
        output,
        cache_read: None,
        cache_write: None,
        ttft,
        ttft_spread,
        tail: 0.0,
        prefill: 0.08,
        speed,
        speed_spread: 0.3,
        errors: 0.006,
        hangs: 0.000_3,
        rpm: 300.0,
        ktpm: 600.0,
        retry_after: false,
        tells_limits: false,
        cache_hit: 1.0,
        cache_ttl: 300.0,
        bills_cancelled: false,
    }
}

/// A model and its hosts.
#[derive(Debug, Clone)]
pub struct Market {
    pub hosts: Vec<Host>,
    /// The shortest prefix that a cache keeps.
    pub cache_min: u32,
}

/// The three models.
pub const NAMES: [&str; 3] = ["sonnet", "open", "oss"];

/// The market of that name.
pub fn market(name: &str) -> Option<Market> {
    let hosts = match name {
        "sonnet" => sonnet(),
        "open" => open(),
        "oss" => oss(),
        _ => return None,
    };
    Some(Market { hosts, cache_min: 1024 })
}

/// A closed model at its author and at the clouds: one price but for the European region, caches with a surcharge.
fn sonnet() -> Vec<Host> {
    let cached = |host: Host| Host { cache_read: Some("0.30"), cache_write: Some("3.75"), ..host };
    let price = ["3", "15"];
    vec![
        cached(Host {
            official: true,
            cloud: 1,
            retry_after: true,
            tells_limits: true,
            rpm: 400.0,
            ktpm: 800.0,
            errors: 0.008,
            prefill: 0.06,
            ..host("anthropic", price, [1.1, 0.5, 62.0])
        }),
        cached(Host { cloud: 2, errors: 0.006, rpm: 300.0, ktpm: 700.0, ..host("vertex", price, [0.95, 0.45, 70.0]) }),
        cached(Host {
            cloud: 3,
            errors: 0.005,
            rpm: 250.0,
            ktpm: 500.0,
            prefill: 0.1,
            bills_cancelled: true,
            ..host("bedrock", price, [1.45, 0.55, 55.0])
        }),
        Host {
            cache_read: Some("0.33"),
            cache_write: Some("4.125"),
            ..cached(Host { cloud: 2, errors: 0.004, ..host("vertex-eu", ["3.3", "16.5"], [0.85, 0.4, 72.0]) })
        },
        cached(Host {
            cloud: 4,
            errors: 0.012,
            retry_after: true,
            tells_limits: true,
            ..host("azure", price, [1.3, 0.6, 58.0])
        }),
    ]
}

/// An open model: prices that differ threefold, and speeds as well.
fn open() -> Vec<Host> {
    vec![
        Host {
            official: true,
            cloud: 1,
            cache_read: Some("0.028"),
            cache_ttl: 1800.0,
            errors: 0.015,
            rpm: 500.0,
            ktpm: 1000.0,
            prefill: 0.12,
            ..host("deepseek", ["0.28", "0.40"], [1.5, 0.6, 32.0])
        },
        Host {
            cloud: 2,
            errors: 0.02,
            cache_read: Some("0.135"),
            ..host("novita", ["0.27", "0.40"], [1.3, 0.7, 38.0])
        },
        Host {
            cloud: 3,
            errors: 0.012,
            cache_read: Some("0.13"),
            retry_after: true,
            ..host("deepinfra", ["0.26", "0.38"], [1.1, 0.8, 28.0])
        },
        Host {
            cloud: 4,
            errors: 0.03,
            rpm: 200.0,
            ktpm: 400.0,
            ..host("siliconflow", ["0.27", "0.42"], [1.9, 0.8, 24.0])
        },
        Host {
            cloud: 5,
            errors: 0.006,
            cache_read: Some("0.28"),
            retry_after: true,
            tells_limits: true,
            prefill: 0.04,
            ..host("fireworks", ["0.56", "1.68"], [0.55, 0.4, 120.0])
        },
        Host { cloud: 6, errors: 0.008, prefill: 0.05, ..host("vertex", ["0.56", "1.68"], [0.7, 0.45, 95.0]) },
        Host { cloud: 7, errors: 0.005, prefill: 0.05, ..host("azure", ["0.58", "1.68"], [0.8, 0.4, 80.0]) },
    ]
}

/// A small open model at eight hosts whose waits have heavy tails.
fn oss() -> Vec<Host> {
    vec![
        Host {
            cloud: 1,
            tail: 0.02,
            errors: 0.01,
            tells_limits: true,
            retry_after: true,
            rpm: 150.0,
            ktpm: 300.0,
            prefill: 0.01,
            ..host("cerebras", ["0.35", "0.75"], [0.45, 0.35, 900.0])
        },
        Host {
            cloud: 2,
            tail: 0.03,
            errors: 0.008,
            tells_limits: true,
            retry_after: true,
            cache_read: Some("0.075"),
            prefill: 0.015,
            ..host("groq", ["0.15", "0.60"], [0.4, 0.4, 480.0])
        },
        Host {
            cloud: 3,
            tail: 0.02,
            errors: 0.006,
            cache_read: Some("0.015"),
            prefill: 0.03,
            ..host("fireworks", ["0.15", "0.60"], [0.5, 0.45, 220.0])
        },
        Host { cloud: 4, tail: 0.05, errors: 0.01, ..host("together", ["0.15", "0.60"], [0.55, 0.6, 160.0]) },
        Host { cloud: 5, tail: 0.06, errors: 0.015, ..host("deepinfra", ["0.039", "0.19"], [0.7, 0.8, 70.0]) },
        Host { cloud: 6, tail: 0.08, errors: 0.02, ..host("novita", ["0.05", "0.25"], [0.8, 0.8, 80.0]) },
        Host {
            cloud: 7,
            tail: 0.01,
            errors: 0.004,
            prefill: 0.04,
            bills_cancelled: true,
            ..host("bedrock", ["0.15", "0.60"], [0.6, 0.35, 110.0])
        },
        Host {
            cloud: 8,
            tail: 0.1,
            errors: 0.03,
            rpm: 200.0,
            ktpm: 400.0,
            ..host("parasail", ["0.10", "0.50"], [0.9, 0.9, 90.0])
        },
    ]
}
