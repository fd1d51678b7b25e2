//! Scenarios: how fast each local provider answers and what it does wrong, read from TOML or built in by name.
//!
//! ```toml
//! seed = 7                                  # what the delays and texts are drawn from
//! first_tried = { fault = "overloaded" }    # the first chat request that reaches any provider
//!
//! [default]                                 # every provider
//! ttft_ms = [200, 300]                      # a number, or a range to draw from
//! tokens_per_second = 80
//! tokens = 60                               # the length of an answer
//!
//! [provider.anthropic]                      # one provider, over the default
//! fault = "close-mid-stream"
//! fault_after_tokens = 12
//! times = 1                                 # the first request only; without it, every request
//! ```
//!
//! Further keys: `usage` (`"normal"` or `"none"`), `retry_after_s`, and `stall_ms`, after which a stall ends with the
//! connection. `fault = "none"` undoes the default's fault. What fails at random has a table of its own:
//!
//! ```toml
//! [provider.google-vertex.random]
//! one_in = 6                                # of so many requests one is hit, by chance
//! from = 10                                 # but none of the first ten
//! faults = ["overloaded", "rate-limit"]     # by one of these
//! ```
//!
//! Which is hit by what follows from the seed and the number of the request alone.

mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::value::{Fail, fault, faults, range, speed, suggestion, table, whole};
use super::answer::Draw;
use super::fault::Fault;
use crate::catalog::ProviderId;

/// The scenarios that are built in, by name.
const BUILTIN: [(&str, &str); 5] = [
    ("calm", include_str!("scenarios/calm.toml")),
    ("outage", include_str!("scenarios/outage.toml")),
    ("rate-limit", include_str!("scenarios/rate-limit.toml")),
    ("slow", include_str!("scenarios/slow.toml")),
    ("mid-stream", include_str!("scenarios/mid-stream.toml")),
];

const TOP_KEYS: [&str; 4] = ["seed", "first_tried", "default", "provider"];
const TABLE_KEYS: [&str; 10] = [
    "ttft_ms",
    "tokens_per_second",
    "tokens",
    "usage",
    "fault",
    "fault_after_tokens",
    "retry_after_s",
    "stall_ms",
    "times",
    "random",
];
const RANDOM_KEYS: [&str; 3] = ["one_in", "from", "faults"];

/// What the local providers do, whole and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    name: String,
    seed: u64,
    default: Patch,
    providers: BTreeMap<String, Patch>,
    first_tried: Option<Patch>,
}

/// Why a text is not a scenario, or a name none that is built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// The name of the scenario, as it was passed in.
    pub scenario: String,
    /// The line, from 1, where the text is at fault.
    pub line: Option<usize>,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "scenario \"{}\", line {line}: {}", self.scenario, self.message),
            None => write!(f, "scenario \"{}\": {}", self.scenario, self.message),
        }
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// The names of the built-in scenarios, the calm one first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// The built-in scenario of that name.
    ///
    /// # Errors
    /// There is none; the message lists those that there are.
    pub fn builtin(name: &str) -> Result<Self, ScenarioError> {
        match BUILTIN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(name, text),
            None => {
                let names: Vec<&str> = Self::names().collect();
                Err(ScenarioError {
                    scenario: name.to_owned(),
                    line: None,
                    message: format!("no such scenario; there are {}{}", names.join(", "), suggestion(name, &names)),
                })
            }
        }
    }

    /// A scenario from TOML; `name` is what it calls itself in the response header `x-openmux-sandbox`.
    ///
    /// # Errors
    /// The text is not TOML, holds an unknown key, or a value that is out of range; with the line.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let fail = |error: Fail| ScenarioError {
            scenario: name.to_owned(),
            line: error.at.map(|at| text.get(..at.start).unwrap_or_default().matches('\n').count() + 1),
            message: error.message,
        };
        let document = DeTable::parse(text).map_err(|error| {
            fail(Fail { at: error.span(), message: error.message().lines().next().unwrap_or_default().to_owned() })
        })?;
        Self::read(name, document.get_ref()).map_err(fail)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its delays and texts are drawn from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same scenario, drawn from another seed.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// What `provider` does with a request; `first` is whether it is the first that reached any provider.
    pub(super) fn script(&self, provider: &ProviderId, first: bool) -> Script {
        let mut patch = self.default.clone();
        if let Some(own) = self.providers.get(provider.as_str()) {
            patch.lay(own);
        }
        if let Some(own) = self.first_tried.as_ref().filter(|_| first) {
            patch.lay(own);
            // A number of times belongs to the fault below, which this request must not use up.
            patch.times = own.fault.map_or(patch.times, |_| None);
        }
        let (ttft_low_ms, ttft_high_ms) = patch.ttft_ms.unwrap_or((300, 300));
        Script {
            ttft_low_ms,
            ttft_high_ms,
            microtokens_per_second: patch.microtokens_per_second.unwrap_or(80_000_000),
            tokens: patch.tokens.unwrap_or(60),
            reports_usage: patch.reports_usage.unwrap_or(true),
            fault: patch.fault.flatten(),
            fault_after_tokens: patch.fault_after_tokens,
            retry_after_s: patch.retry_after_s,
            stall: patch.stall_ms.map(Duration::from_millis),
            times: patch.times,
            random: patch.random,
        }
    }

    /// Whether the first request of all is treated apart.
    pub(super) fn singles_out_the_first(&self) -> bool {
        self.first_tried.is_some()
    }

    fn read(name: &str, document: &DeTable<'_>) -> Result<Self, Fail> {
        let mut scenario = Self {
            name: name.to_owned(),
            seed: 0,
            default: Patch::default(),
            providers: BTreeMap::new(),
            first_tried: None,
        };
        for (key, value) in document {
            match key.get_ref().as_ref() {
                "seed" => scenario.seed = whole("seed", value, 0, u64::MAX)?,
                "first_tried" => {
                    let patch = Patch::read("first_tried", value)?;
                    if patch.times.is_some() {
                        return Err(Fail::at(value.span(), "first_tried hits one request; times has no meaning there"));
                    }
                    scenario.first_tried = Some(patch);
                }
                "default" => scenario.default = Patch::read("default", value)?,
                "provider" => {
                    for (id, value) in table("provider", value)? {
                        let id = id.get_ref().as_ref();
                        scenario.providers.insert(id.to_owned(), Patch::read(&format!("provider.{id}"), value)?);
                    }
                }
                unknown => return Err(Fail::unknown_key(key.span(), unknown, &TOP_KEYS)),
            }
        }
        Ok(scenario)
    }
}

/// What one provider does with one request, with every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Script {
    pub(super) ttft_low_ms: u64,
    pub(super) ttft_high_ms: u64,
    /// Millionths of a token a second, so that `0.5` is exact and no float is needed.
    pub(super) microtokens_per_second: u64,
    pub(super) tokens: u64,
    pub(super) reports_usage: bool,
    pub(super) fault: Option<Fault>,
    pub(super) fault_after_tokens: Option<u64>,
    pub(super) retry_after_s: Option<u64>,
    /// How long a stall lasts before the connection is closed; `None` is for ever.
    pub(super) stall: Option<Duration>,
    /// How many of the provider's requests the fault hits; `None` is this one, whatever was before.
    pub(super) times: Option<u64>,
    /// What else hits some of its requests.
    pub(super) random: Option<Random>,
}

/// Faults that hit some requests by chance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Random {
    /// Of so many requests one is hit.
    one_in: u64,
    /// The first that may be, counted from 0.
    from: u64,
    /// By what; never none.
    faults: Vec<Fault>,
}

impl Random {
    /// What hits the request of that number; the same for the same draw.
    pub(super) fn hit(&self, ordinal: u64, mut draw: Draw) -> Option<Fault> {
        let (chance, which) = (draw.within(1, self.one_in), draw.within(1, self.faults.len() as u64));
        let is_hit = ordinal >= self.from && chance == 1;
        self.faults.iter().copied().nth(usize::try_from(which - 1).ok()?).filter(|_| is_hit)
    }

    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Fail> {
        let (mut one_in, mut from, mut hits) = (None, 0, None);
        for (key, value) in table("random", value)? {
            match key.get_ref().as_ref() {
                "one_in" => one_in = Some(whole("one_in", value, 1, 1_000_000)?),
                "from" => from = whole("from", value, 0, u64::MAX)?,
                "faults" => hits = Some(faults(value)?),
                unknown => return Err(Fail::unknown_key(key.span(), unknown, &RANDOM_KEYS)),
            }
        }
        match (one_in, hits) {
            (Some(one_in), Some(faults)) => Ok(Self { one_in, from, faults }),
            _ => Err(Fail::at(value.span(), "random needs one_in and faults")),
        }
    }
}

/// The keys of one table; `None` leaves what lies below.
#[derive(Debug, Clone, PartialEq, Default)]
struct Patch {
    ttft_ms: Option<(u64, u64)>,
    microtokens_per_second: Option<u64>,
    tokens: Option<u64>,
    reports_usage: Option<bool>,
    fault: Option<Option<Fault>>,
    fault_after_tokens: Option<u64>,
    retry_after_s: Option<u64>,
    stall_ms: Option<u64>,
    times: Option<u64>,
    random: Option<Random>,
}

impl Patch {
    fn lay(&mut self, over: &Self) {
        self.ttft_ms = over.ttft_ms.or(self.ttft_ms);
        self.microtokens_per_second = over.microtokens_per_second.or(self.microtokens_per_second);
        self.tokens = over.tokens.or(self.tokens);
        self.reports_usage = over.reports_usage.or(self.reports_usage);
        self.fault = over.fault.or(self.fault);
        self.fault_after_tokens = over.fault_after_tokens.or(self.fault_after_tokens);
        self.retry_after_s = over.retry_after_s.or(self.retry_after_s);
        self.stall_ms = over.stall_ms.or(self.stall_ms);
        self.times = over.times.or(self.times);
        self.random = over.random.clone().or_else(|| self.random.take());
    }

    fn read(place: &str, value: &Spanned<DeValue<'_>>) -> Result<Self, Fail> {
        let mut patch = Self::default();
        for (key, value) in table(place, value)? {
            match key.get_ref().as_ref() {
                "ttft_ms" => patch.ttft_ms = Some(range("ttft_ms", value)?),
                "tokens_per_second" => patch.microtokens_per_second = Some(speed(value)?),
                "tokens" => patch.tokens = Some(whole("tokens", value, 1, 20_000)?),
                "usage" => {
                    patch.reports_usage = Some(match value.get_ref().as_str() {
                        Some("normal") => true,
                        Some("none") => false,
                        _ => return Err(Fail::at(value.span(), "usage must be \"normal\" or \"none\"")),
                    });
                }
                "fault" => patch.fault = Some(fault(value)?),
                "fault_after_tokens" => {
                    patch.fault_after_tokens = Some(whole("fault_after_tokens", value, 0, 20_000)?);
                }
                "retry_after_s" => patch.retry_after_s = Some(whole("retry_after_s", value, 0, 86_400)?),
                "stall_ms" => patch.stall_ms = Some(whole("stall_ms", value, 0, 600_000)?),
                "random" => patch.random = Some(Random::read(value)?),
                "times" => patch.times = Some(whole("times", value, 1, u64::MAX)?),
                unknown => return Err(Fail::unknown_key(key.span(), unknown, &TABLE_KEYS)),
            }
        }
        Ok(patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Scenario::parse("mine", text).unwrap_err().to_string()
    }

    #[test]
    fn every_builtin_scenario_can_be_read() {
        for name in Scenario::names() {
            assert_eq!(Scenario::builtin(name).unwrap().name(), name);
        }
        assert_eq!(
            Scenario::builtin("outtage").unwrap_err().to_string(),
            "scenario \"outtage\": no such scenario; there are calm, outage, rate-limit, slow, mid-stream; \
             did you mean outage?"
        );
    }

    #[test]
    fn tables_lie_over_one_another_and_the_first_request_over_all() {
        let scenario = Scenario::parse(
            "mine",
            "seed = 9\nfirst_tried = { ttft_ms = 9, fault = \"quota\" }\n[default]\nttft_ms = [1, 2]\ntokens = 5\n\
             fault = \"empty\"\ntimes = 3\n[provider.a]\ntokens_per_second = 0.5\nfault = \"none\"\nusage = \"none\"\n",
        )
        .unwrap();
        let (a, b) = (ProviderId::new("a"), ProviderId::new("b"));
        assert_eq!(scenario.seed(), 9);
        let script = scenario.script(&b, false);
        assert_eq!((script.ttft_low_ms, script.ttft_high_ms, script.tokens), (1, 2, 5));
        assert_eq!((script.fault, script.times, script.reports_usage), (Some(Fault::Empty), Some(3), true));
        let script = scenario.script(&a, false);
        assert_eq!((script.fault, script.microtokens_per_second, script.reports_usage), (None, 500_000, false));
        let script = scenario.script(&a, true);
        assert_eq!((script.ttft_low_ms, script.fault), (9, Some(Fault::Quota)));
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_named_with_its_line() {
        assert_eq!(
            error("seed = 1\n[default]\nttf_ms = 3\n"),
            "scenario \"mine\", line 3: unknown key \"ttf_ms\"; did you mean ttft_ms?"
        );
        assert_eq!(error("sed = 1"), "scenario \"mine\", line 1: unknown key \"sed\"; did you mean seed?");
        assert_eq!(
            error("colour = 1"),
            "scenario \"mine\", line 1: unknown key \"colour\"; the keys here are seed, first_tried, default, provider"
        );
        assert_eq!(
            error("\n[provider.a]\nfault = \"overload\""),
            "scenario \"mine\", line 3: unknown fault \"overload\"; did you mean overloaded?"
        );
        for (text, message) in [
            ("default = 3", "default must be a table"),
            ("default.tokens = 0", "tokens must be a whole number from 1 to 20000"),
            ("default.tokens = \"3\"", "tokens must be a whole number from 1 to 20000"),
            ("default.ttft_ms = [3, 1]", "ttft_ms is a range whose end lies below its start"),
            ("default.ttft_ms = [3]", "ttft_ms must be a number or [low, high]"),
            ("default.tokens_per_second = 0", "tokens_per_second must be a number above 0, at most 10000"),
            ("default.tokens_per_second = 1e3", "tokens_per_second must be a number above 0, at most 10000"),
            ("default.tokens_per_second = -1.5", "tokens_per_second must be a number above 0, at most 10000"),
            ("default.stall_ms = -1", "stall_ms must be a whole number from 0 to 600000"),
            ("default.random = { one_in = 3 }", "random needs one_in and faults"),
            ("default.random = { one_in = 0 }", "one_in must be a whole number from 1 to 1000000"),
            ("default.random = { one_in = 3, faults = [] }", "faults must be a list of names of faults, in quotes"),
            ("default.random = { odds = 3 }", "unknown key \"odds\"; the keys here are one_in, from, faults"),
            ("default.usage = true", "usage must be \"normal\" or \"none\""),
            ("seed = -1", "seed must be a whole number from 0"),
            ("first_tried = { times = 2 }", "first_tried hits one request; times has no meaning there"),
        ] {
            assert_eq!(error(text), format!("scenario \"mine\", line 1: {message}"));
        }
        assert!(error("seed = \n").starts_with("scenario \"mine\", line 1: "), "{}", error("seed = \n"));
    }

    #[test]
    fn what_fails_at_random_follows_from_the_seed_and_the_number_of_the_request() {
        let text = "[provider.a.random]\none_in = 4\nfrom = 10\nfaults = [\"overloaded\", \"empty\"]\n";
        let scenario = Scenario::parse("mine", text).unwrap();
        let random = scenario.script(&ProviderId::new("a"), false).random.unwrap();
        let hits = |seed| (0..1000).map(move |at| (at, Draw::new(seed, "a", at)));
        let all: Vec<_> = hits(1).map(|(at, draw)| random.hit(at, draw)).collect();
        assert_eq!(all, hits(1).map(|(at, draw)| random.hit(at, draw)).collect::<Vec<_>>());
        assert_ne!(all, hits(2).map(|(at, draw)| random.hit(at, draw)).collect::<Vec<_>>());
        assert!(all[..10].iter().all(Option::is_none), "the first are spared");
        let of = |fault| all.iter().filter(|hit| **hit == Some(fault)).count();
        assert!((90..160).contains(&of(Fault::Overloaded)) && (90..160).contains(&of(Fault::Empty)), "one in eight");
        assert_eq!(scenario.script(&ProviderId::new("b"), false).random, None);
    }

    #[test]
    fn every_fault_goes_by_its_name() {
        for fault in Fault::ALL {
            let text = format!("default.fault = \"{}\"", fault.name());
            let scenario = Scenario::parse("mine", &text).unwrap();
            assert_eq!(scenario.script(&ProviderId::new("a"), false).fault, Some(fault));
        }
    }
}
