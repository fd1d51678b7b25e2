//! What hosts do: episodes that are drawn before anything runs, and the fate of every attempt as a function of its
//! name.

use super::catalogs::{Host, Market};
use super::chance::{Draw, For};
use super::workload::Request;

/// How often hosts have bad times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// One in 90 minutes.
    Calm,
    /// One in 15 minutes.
    Stormy,
}

/// How the world differs from the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    Plain,
    /// The fastest host never answers a fifth of its requests.
    FastHangs,
    /// Caches hit at rates of their own, the fastest host's never.
    CacheMiss,
    /// Everybody has old figures, wrong by a factor of its own for each host.
    WrongHistory,
    /// Hosts of one cloud have their bad times together, and clouds are few.
    Correlated,
    /// Arrivals come in clumps.
    Bursty,
}

impl Twist {
    pub const ALL: [Self; 6] =
        [Self::Plain, Self::FastHangs, Self::CacheMiss, Self::WrongHistory, Self::Correlated, Self::Bursty];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::FastHangs => "fast-hangs",
            Self::CacheMiss => "cache-miss",
            Self::WrongHistory => "wrong-history",
            Self::Correlated => "correlated",
            Self::Bursty => "bursty",
        }
    }
}

/// What is wrong in a bad time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Four times the wait, half the speed.
    Slow,
    /// A third of the attempts fails, and the rest is slower.
    BrownOut,
    /// Nearly all attempts fail at once.
    Down,
    /// Two of three attempts are never answered.
    Hang,
    /// A fifth of the rate limits.
    Squeeze,
}

/// A bad time of a host.
#[derive(Debug, Clone, Copy)]
pub struct Episode {
    pub begins: f64,
    pub ends: f64,
    pub trouble: Trouble,
}

/// How an attempt ends if nobody ends it before. Seconds from its start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Answer {
        ttft: f64,
        decode: f64,
    },
    /// Breaks off after a part of the answer.
    Cut {
        ttft: f64,
        decode: f64,
        part: f64,
    },
    Error {
        after: f64,
        overloaded: bool,
    },
    Hang,
}

/// A world.
#[derive(Debug, Clone)]
pub struct World {
    pub seed: u64,
    pub market: Market,
    pub episodes: Vec<Vec<Episode>>,
}

impl World {
    pub fn new(seed: u64, market: Market, weather: Weather, twist: Twist, seconds: f64, rate: f64) -> Self {
        let mut market = market;
        let hosts = &mut market.hosts;
        // Whoever sends more has a larger account.
        let scale = (rate / 4.0).max(1.0);
        for host in hosts.iter_mut() {
            host.rpm *= scale;
            host.ktpm *= scale;
        }
        let fastest = (0..hosts.len()).min_by(|&a, &b| hosts[a].ttft.total_cmp(&hosts[b].ttft)).unwrap_or(0);
        match twist {
            Twist::FastHangs => hosts[fastest].hangs = 0.2,
            Twist::CacheMiss => {
                for (at, host) in hosts.iter_mut().enumerate() {
                    host.cache_hit = if at == fastest { 0.0 } else { [0.95, 0.6, 0.85, 0.4][at % 4] };
                }
            }
            Twist::Correlated => hosts.iter_mut().for_each(|host| host.cloud %= 3),
            Twist::Plain | Twist::WrongHistory | Twist::Bursty => {}
        }
        let mean = if weather == Weather::Calm { 5400.0 } else { 900.0 };
        let name = |at: usize, host: &Host| if twist == Twist::Correlated { 1000 + host.cloud } else { at as u64 };
        let episodes =
            hosts.iter().enumerate().map(|(at, host)| episodes(seed, name(at, host), mean, seconds)).collect();
        Self { seed, market, episodes }
    }

    /// What is wrong with a host at a moment.
    pub fn trouble(&self, host: usize, at: f64) -> Option<Trouble> {
        let episodes = &self.episodes[host];
        let next = episodes.partition_point(|episode| episode.begins <= at);
        next.checked_sub(1)
            .map(|before| episodes[before])
            .filter(|episode| at < episode.ends)
            .map(|episode| episode.trouble)
    }

    /// Whether the cache of a host serves this request, if it is warm.
    pub fn cache_hits(&self, request: &Request, host: usize) -> bool {
        let mut draw = Draw::of(self.seed, For::Cache, [request.seen.id as u64, host as u64, 0]);
        draw.unit() < self.market.hosts[host].cache_hit
    }

    /// The fate of the nth attempt (from 0) of a request at a host, begun at a moment with so many tokens cached.
    pub fn fate(&self, request: &Request, at_host: usize, nth: u32, at: f64, cached: u32) -> Fate {
        let host = &self.market.hosts[at_host];
        let name = [request.seen.id as u64, at_host as u64, u64::from(nth)];
        let draw = |purpose| Draw::of(self.seed, purpose, name);
        let trouble = self.trouble(at_host, at);
        let mut fate = draw(For::Fate);
        let (hang, error) = (fate.unit(), fate.unit());
        if hang < host.hangs || (trouble == Some(Trouble::Hang) && hang < 0.65) {
            return Fate::Hang;
        }
        let errors = match trouble {
            Some(Trouble::Down) => 0.97,
            Some(Trouble::BrownOut) => 0.35,
            _ => host.errors,
        };
        if error < errors {
            let median = if trouble == Some(Trouble::Down) { 0.12 } else { 0.4 };
            let overloaded = trouble == Some(Trouble::Down) || fate.unit() < 0.3;
            return Fate::Error { after: draw(For::Delay).lognormal(median, 0.7).min(20.0), overloaded };
        }
        let (slower, faster) = match trouble {
            Some(Trouble::Slow) => (4.0, 0.5),
            Some(Trouble::BrownOut) => (1.6, 0.8),
            _ => (1.0, 1.0),
        };
        let mut tail = draw(For::Tail);
        let late = if tail.unit() < host.tail { 3.0 * libm::pow(tail.unit(), -1.0 / 1.5) } else { 1.0 };
        let fresh = f64::from(request.seen.input - cached) / 1000.0;
        let ttft = (draw(For::First).lognormal(host.ttft, host.ttft_spread) * late + host.prefill * fresh) * slower;
        let speed = draw(For::Speed).lognormal(host.speed, host.speed_spread) * faster;
        let decode = f64::from(request.output) / speed;
        let mut cut = draw(For::Cut);
        if cut.unit() < 0.000_8 {
            return Fate::Cut { ttft, decode, part: cut.unit() };
        }
        Fate::Answer { ttft, decode }
    }

    /// How long a refusal for load takes.
    pub fn refusal(&self, request: &Request, host: usize, attempt: usize) -> f64 {
        Draw::of(self.seed, For::Delay, [request.seen.id as u64, host as u64, 1000 + attempt as u64])
            .lognormal(0.12, 0.3)
    }

    /// The factor by which the old figure of a host is wrong.
    pub fn belief(&self, host: usize) -> f64 {
        Draw::of(self.seed, For::Belief, [host as u64, 0, 0]).lognormal(1.0, 0.9)
    }

    /// What an answer costs. Tokens that are not read from a cache are written to it where that has a price.
    pub fn cost(&self, host: usize, [input, cached, output]: [u32; 3]) -> f64 {
        let prices = &self.market.hosts[host];
        let usd = |price: &str| price.parse::<f64>().unwrap_or(f64::NAN) / 1e6;
        let read = prices.cache_read.map_or_else(|| usd(prices.input), usd);
        let fresh = match prices.cache_write {
            Some(write) if input >= self.market.cache_min => usd(write),
            _ => usd(prices.input),
        };
        f64::from(cached) * read + f64::from(input - cached) * fresh + f64::from(output) * usd(prices.output)
    }
}

fn episodes(seed: u64, name: u64, mean: f64, seconds: f64) -> Vec<Episode> {
    let mut draw = Draw::of(seed, For::Episode, [name, 0, 0]);
    let mut episodes = Vec::new();
    // From before the beginning, so that some are under way.
    let mut at = -900.0;
    loop {
        at += draw.exponential(mean);
        if at >= seconds {
            return episodes;
        }
        let length = draw.lognormal(100.0, 0.9).min(900.0);
        let which = draw.unit();
        let trouble = match which {
            _ if which < 0.38 => Trouble::Slow,
            _ if which < 0.60 => Trouble::BrownOut,
            _ if which < 0.75 => Trouble::Down,
            _ if which < 0.90 => Trouble::Hang,
            _ => Trouble::Squeeze,
        };
        episodes.push(Episode { begins: at, ends: at + length, trouble });
        at += length;
    }
}
