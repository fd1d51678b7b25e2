//! `GET /metrics`: counts and times since the start, in Prometheus's text form, by the names of OpenTelemetry's conventions
//! for generative models, version 0.1.0 (a dot is an underscore, the unit comes last, and a count ends in `_total`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::served::{Asked, Line, is_hedged};
use crate::catalog::Usage;
use crate::dispatch::AttemptReport;
use crate::store::ObservationStore;
use crate::units::{Tokens, Usd};

/// The bounds that the conventions advise.
const SECONDS: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const EACH: [f64; 13] = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// The methods that the conventions know.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// A histogram's name, what it is, and its bounds.
struct Kind {
    name: &'static str,
    help: &'static str,
    bounds: &'static [f64],
}

const DURATION: Kind = Kind {
    name: "gen_ai_client_inference_duration_seconds",
    help: "How long one attempt at a provider took.",
    bounds: &SECONDS,
};
const FIRST_CHUNK: Kind = Kind {
    name: "gen_ai_client_inference_time_to_first_chunk_seconds",
    help: "From the connection being up to the first token of a stream.",
    bounds: &SECONDS,
};
const PER_CHUNK: Kind = Kind {
    name: "gen_ai_client_inference_time_per_output_chunk_seconds",
    help: "From one chunk of a stream to the next, on average over the stream.",
    bounds: &EACH,
};
const INPUT: Kind = Kind {
    name: "gen_ai_client_inference_operation_input_tokens",
    help: "Tokens that one attempt read, as reported.",
    bounds: &TOKENS,
};
const OUTPUT: Kind = Kind {
    name: "gen_ai_client_inference_operation_output_tokens",
    help: "Tokens that one attempt wrote, as reported.",
    bounds: &TOKENS,
};
/// What is sampled of each attempt, beside how long it took.
const PER_MODEL: [Kind; 4] = [FIRST_CHUNK, PER_CHUNK, INPUT, OUTPUT];
/// What tokens were, by the end of the count's name.
const USED: [(&str, &str); 5] = [
    ("input_tokens", "Tokens read, as reported; also those from a cache."),
    ("output_tokens", "Tokens written, as reported; also those of reasoning."),
    ("cache_read_input_tokens", "Of the tokens read, those from the provider's cache."),
    ("cache_write_input_tokens", "Of the tokens read, those written to the provider's cache."),
    ("reasoning_output_tokens", "Of the tokens written, those of reasoning."),
];
const SERVED: Kind = Kind {
    name: "http_server_request_duration_seconds",
    help: "From a request's head to the last byte of its answer.",
    bounds: &SECONDS,
};

/// Counts of samples by bound, their number and their sum.
#[derive(Debug, Clone, Default)]
struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: f64,
}

impl Histogram {
    fn sample(&mut self, kind: &Kind, value: f64) {
        self.counts.resize(kind.bounds.len(), 0);
        for (bound, count) in kind.bounds.iter().zip(&mut self.counts) {
            *count += u64::from(value <= *bound);
        }
        self.count += 1;
        self.sum += value;
    }

    fn text(&self, kind: &Kind, labels: &str, out: &mut String) {
        let (Kind { name, bounds, .. }, Self { counts, count, sum }) = (kind, self);
        for (bound, count) in bounds.iter().zip(counts) {
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
        }
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
        let _ = writeln!(out, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}");
    }
}

/// What was seen of one model at one provider.
#[derive(Debug, Default)]
struct Seen {
    /// How long attempts took, by the class of those that failed.
    durations: BTreeMap<Option<&'static str>, Histogram>,
    /// Of the kinds of [`PER_MODEL`].
    others: [Option<Histogram>; PER_MODEL.len()],
    /// Tokens, by what they were, as in [`USED`].
    used: [Option<u64>; USED.len()],
    /// What attempts cost, where one's cost is known.
    cost: Option<Usd>,
}

impl Seen {
    fn attempt(&mut self, attempt: &AttemptReport) {
        let outcome = &attempt.outcome;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        if let Some(time) = seconds(outcome.timings.e2e) {
            let class = (!outcome.class.is_success()).then(|| outcome.class.name());
            self.durations.entry(class).or_default().sample(&DURATION, time);
        }
        let usage = outcome.usage.as_ref();
        let per_chunk = seconds(outcome.timings.decode).filter(|_| outcome.events > 1);
        let samples = [
            seconds(outcome.timings.ttft),
            per_chunk.map(|decode| decode / f64::from(outcome.events - 1)),
            usage.and_then(|usage| usage.input).map(float),
            usage.and_then(|usage| usage.output).map(float),
        ];
        for ((kind, histogram), sample) in PER_MODEL.iter().zip(&mut self.others).zip(samples) {
            sample.into_iter().for_each(|sample| histogram.get_or_insert_default().sample(kind, sample));
        }
        if let Some(Usage { input, output, cache_read, cache_write, reasoning, .. }) = usage {
            for (sum, tokens) in self.used.iter_mut().zip([input, output, cache_read, cache_write, reasoning]) {
                tokens.iter().for_each(|tokens| *sum.get_or_insert_default() += tokens.count());
            }
        }
        attempt.charged().into_iter().for_each(|cost| *self.cost.get_or_insert_default() += cost);
    }
}

#[derive(Debug, Default)]
struct Inner {
    /// By method, route and status.
    served: BTreeMap<(&'static str, &'static str, u16), Histogram>,
    /// By the conventions' name of the provider, then by model.
    seen: BTreeMap<String, BTreeMap<String, Seen>>,
    /// Attempts by provider, then by class.
    attempts: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Chats and other requests of clients with names by status, and what they cost.
    clients: BTreeMap<String, BTreeMap<u16, u64>>,
    spent: BTreeMap<String, Usd>,
    unpriced: u64,
    failovers: u64,
    hedged: u64,
    resumed: u64,
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Inner>);

/// Counts what has a name, which is written down only where it is new.
fn named<T: Default>(map: &mut BTreeMap<String, T>, name: &str, count: impl FnOnce(&mut T)) {
    match map.get_mut(name) {
        Some(known) => count(known),
        None => count(map.entry(name.to_owned()).or_default()),
    }
}

impl Inner {
    fn attempt(&mut self, attempt: &AttemptReport) {
        let (provider, class) = (attempt.endpoint.provider.as_str(), attempt.outcome.class);
        named(&mut self.attempts, provider, |classes| *classes.entry(class.name()).or_default() += 1);
        named(&mut self.seen, known_as(provider), |models| {
            named(models, attempt.model.as_str(), |seen: &mut Seen| seen.attempt(attempt));
        });
        self.unpriced += u64::from(class.is_success() && attempt.charged().is_none());
    }

    /// What was seen of every model at every provider, with their labels.
    fn each(&self) -> impl Iterator<Item = (String, &Seen)> {
        let models = self.seen.iter().flat_map(|(provider, models)| models.iter().map(move |model| (provider, model)));
        models.map(|(provider, (model, seen))| {
            let (provider, model) = (escaped(provider), escaped(model));
            let labels = format!(
                "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"{provider}\",gen_ai_request_model=\"{model}\""
            );
            (labels, seen)
        })
    }
}

/// Providers that the conventions call otherwise.
const NAMES: [(&str, &str); 8] = [
    ("amazon-bedrock", "aws.bedrock"),
    ("azure", "azure.ai.openai"),
    ("google", "gcp.gemini"),
    ("google-vertex", "gcp.vertex_ai"),
    ("mistral", "mistral_ai"),
    ("moonshotai", "moonshot_ai"),
    ("watsonx", "ibm.watsonx.ai"),
    ("xai", "x_ai"),
];

/// The conventions' name of a provider, where they have one.
fn known_as(provider: &str) -> &str {
    NAMES.into_iter().find(|(ours, _)| *ours == provider).map_or(provider, |(_, theirs)| theirs)
}

/// Counts of tokens lie far below what a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "a count of tokens is at most ten thousand million")]
const fn float(tokens: Tokens) -> f64 {
    tokens.count() as f64
}

/// A label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Metrics {
    /// Counts one request.
    pub(super) fn count(&self, line: &Line) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A label with as many values as somebody cares to send would grow for ever.
        let known = METHODS.iter().find(|known| **known == line.method);
        let place = (*known.unwrap_or(&"_OTHER"), line.route, line.status);
        inner.served.entry(place).or_default().sample(&SERVED, line.took.as_secs_f64());
        if let Some(name) = &line.client {
            named(&mut inner.clients, name, |counts| *counts.entry(line.status).or_default() += 1);
        }
        if let Some(attempts) = line.chat.as_ref().map(Asked::attempts) {
            let spent: Usd = attempts.iter().filter_map(AttemptReport::charged).sum();
            if let Some(name) = line.client.as_ref().filter(|_| spent > Usd::ZERO) {
                named(&mut inner.spent, name, |sum| *sum += spent);
            }
            // Whom two were asked for at once has not moved on.
            let moved = |pair: &[AttemptReport]| !is_hedged(&pair[0]) && pair[0].endpoint != pair[1].endpoint;
            inner.failovers += u64::from(attempts.windows(2).any(moved));
            inner.hedged += u64::from(attempts.iter().any(is_hedged));
            inner.resumed += u64::from(line.chat.as_ref().is_some_and(|asked| asked.resumed() > 0));
            for attempt in attempts {
                inner.attempt(attempt);
            }
        }
    }

    /// What is one client's own.
    pub(super) fn of(&self, client: &str, store: &dyn ObservationStore) -> String {
        let own = format!("{{client=\"{}\"", escaped(client));
        let is_own = |line: &&str| line.starts_with("# ") || line.contains(&own);
        let text = self.text(0, store);
        let lines = text.lines().filter(|line| line.contains("openmux_client_")).filter(is_own);
        lines.map(|line| line.to_owned() + "\n").collect()
    }

    /// Everything, with how many requests are under way, and how sharing with other machines goes.
    pub(super) fn text(&self, under_way: usize, store: &dyn ObservationStore) -> String {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let head = |kind: &Kind, out: &mut String| {
            let _ = write!(out, "# HELP {0} {1}\n# TYPE {0} histogram\n", kind.name, kind.help);
        };
        head(&SERVED, &mut out);
        for ((method, route, status), histogram) in &inner.served {
            let labels = format!(
                "http_request_method=\"{method}\",http_route=\"{route}\",http_response_status_code=\"{status}\""
            );
            histogram.text(&SERVED, &labels, &mut out);
        }
        head(&DURATION, &mut out);
        for (labels, seen) in inner.each() {
            for (class, histogram) in &seen.durations {
                let error = class.map_or_else(String::new, |class| format!(",error_type=\"{class}\""));
                histogram.text(&DURATION, &format!("{labels}{error}"), &mut out);
            }
        }
        for (at, kind) in PER_MODEL.iter().enumerate() {
            head(kind, &mut out);
            for (labels, seen) in inner.each() {
                seen.others[at].iter().for_each(|histogram| histogram.text(kind, &labels, &mut out));
            }
        }
        let mut counter = |name: &str, help: &str, rows: Vec<(String, String)>| {
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n");
            for (labels, value) in rows {
                let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        for (at, (name, help)) in USED.into_iter().enumerate() {
            let row = |(labels, seen): (String, &Seen)| {
                // Nobody says of all tokens whether they are text.
                Some((format!("{labels},gen_ai_token_modality=\"unknown\""), seen.used[at]?.to_string()))
            };
            let rows = inner.each().filter_map(row).collect();
            counter(&format!("gen_ai_client_inference_usage_{name}_total"), help, rows);
        }
        let attempts = inner.attempts.iter().flat_map(|(provider, classes)| {
            let provider = escaped(provider);
            let row = move |(class, count): (&&str, &u64)| {
                (format!("provider=\"{provider}\",class=\"{class}\""), count.to_string())
            };
            classes.iter().map(row)
        });
        counter("openmux_attempts_total", "Attempts at providers, by how they ended.", attempts.collect());
        let cost = inner.each().filter_map(|(labels, seen)| Some((labels, seen.cost?.exact()))).collect();
        counter("openmux_cost_usd_total", "What attempts cost, exact, where it is known.", cost);
        if !inner.clients.is_empty() {
            let of = |name: &str| format!("client=\"{}\"", escaped(name));
            let rows = inner.clients.iter().flat_map(|(name, counts)| {
                let row = move |(status, count): (&u16, &u64)| {
                    (format!("{},http_response_status_code=\"{status}\"", of(name)), count.to_string())
                };
                counts.iter().map(row)
            });
            counter("openmux_client_requests_total", "Requests of clients with names.", rows.collect());
            let rows = inner.spent.iter().map(|(name, cost)| (of(name), cost.exact())).collect();
            counter("openmux_client_cost_usd_total", "What their chats cost, exact, where it is known.", rows);
        }
        let one = |count: u64| vec![(String::new(), count.to_string())];
        counter("openmux_cost_unknown_total", "Answers whose cost is not known.", one(inner.unpriced));
        counter("openmux_failovers_total", "Requests that moved on to another provider.", one(inner.failovers));
        counter("openmux_hedged_total", "Requests of which two providers were asked at once.", one(inner.hedged));
        counter("openmux_resumed_total", "Answers that another provider went on with.", one(inner.resumed));
        let sharing = store.sharing();
        if let Some(sharing) = &sharing {
            counter("openmux_sharing_told_total", "News that other gateways were told.", one(sharing.told));
            counter("openmux_sharing_heard_total", "News that other gateways told.", one(sharing.heard));
            counter("openmux_sharing_lost_total", "News that nobody could be told.", one(sharing.lost));
        }
        let mut gauge = |name: &str, help: &str, value: usize| {
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
        };
        gauge("openmux_requests_under_way", "Chats under way, and counts of tokens and explanations.", under_way);
        if let Some(sharing) = &sharing {
            gauge(
                "openmux_sharing_up",
                "Whether state is shared with other gateways (1), or not for now (0).",
                sharing.up.into(),
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, ProviderId};

    #[test]
    fn providers_have_the_names_of_the_conventions() {
        let catalog = Catalog::builtin();
        let alike = ["anthropic", "cohere", "deepseek", "groq", "openai", "perplexity"].map(|name| (name, name));
        for (ours, theirs) in NAMES.into_iter().chain(alike) {
            assert!(catalog.provider(&ProviderId::new(ours)).is_some(), "{ours}");
            assert_eq!(known_as(ours), theirs);
        }
    }
}
