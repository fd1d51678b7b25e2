//! The figures of all rounds, and how they are shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::load::{Seen, median};

/// Row, clients, place.
type Key = (&'static str, usize, &'static str);

/// One round of a row.
struct Round {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    first_p50: Duration,
    first_p99: Duration,
    late_p50: Duration,
    late_p99: Duration,
}

#[derive(Default)]
pub(crate) struct Table {
    rounds: BTreeMap<Key, Vec<Round>>,
    notes: Vec<(&'static str, String, &'static str)>,
}

fn percentile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Table {
    /// One round.
    pub(crate) fn add(&mut self, row: &'static str, clients: usize, place: &'static str, mut seen: Seen) {
        let round = Round {
            per_second: seen.answers as f64 / seen.took.as_secs_f64(),
            p50: percentile(&mut seen.total, 0.5),
            p99: percentile(&mut seen.total, 0.99),
            first_p50: percentile(&mut seen.first, 0.5),
            first_p99: percentile(&mut seen.first, 0.99),
            late_p50: percentile(&mut seen.late, 0.5),
            late_p99: percentile(&mut seen.late, 0.99),
        };
        self.rounds.entry((row, clients, place)).or_default().push(round);
    }

    /// A figure of its own.
    pub(crate) fn note(&mut self, what: &'static str, figure: String, limit: &'static str) {
        self.notes.push((what, figure, limit));
    }

    fn time(&self, key: Key, of: fn(&Round) -> Duration) -> f64 {
        let rounds = self.rounds.get(&key).map_or(&[][..], Vec::as_slice);
        ms(median(&mut rounds.iter().map(of).collect::<Vec<_>>()))
    }

    fn rate(&self, key: Key) -> f64 {
        let mut all: Vec<f64> = self.rounds.get(&key).into_iter().flatten().map(|round| round.per_second).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("{:<28} {:>12} {:>12} {:>12}\n", "", "direct", "nginx", "openmux");
        for (row, clients) in [("JSON", 1), ("JSON", 32), ("SSE", 1), ("SSE", 32), ("paced", 1), ("paced", 32)] {
            let mut line = |name: &str, show: &dyn Fn(&'static str) -> String| {
                let cells = ["direct", "nginx", "openmux"].map(|place| {
                    if self.rounds.contains_key(&(row, clients, place)) { show(place) } else { "-".to_owned() }
                });
                let _ = writeln!(
                    out,
                    "{:<28} {:>12} {:>12} {:>12}",
                    format!("{row}, {clients}: {name}"),
                    cells[0],
                    cells[1],
                    cells[2]
                );
            };
            let time = |of: fn(&Round) -> Duration| move |place| format!("{:.3}", self.time((row, clients, place), of));
            if row == "paced" {
                line("both ways p50, ms", &time(|round| round.first_p50));
                line("both ways p99, ms", &time(|round| round.first_p99));
                line("a piece is late p50, ms", &time(|round| round.late_p50));
                line("a piece is late p99, ms", &time(|round| round.late_p99));
            } else {
                line("p50, ms", &time(|round| round.p50));
                line("p99, ms", &time(|round| round.p99));
                line("a second", &|place| format!("{:.0}", self.rate((row, clients, place))));
            }
        }
        let _ = writeln!(out, "\n{:<34} {:>14}   limit", "", "measured");
        let mut say = |what: &str, figure: String, limit: &str| {
            let _ = writeln!(out, "{what:<34} {figure:>14}   {limit}");
        };
        let added = |row, clients, of: fn(&Round) -> Duration| {
            self.time((row, clients, "openmux"), of) - self.time((row, clients, "direct"), of)
        };
        let share = |row| self.rate((row, 32, "openmux")) / self.rate((row, 32, "nginx"));
        say("JSON, 1: adds, p50", format!("{:.3} ms", added("JSON", 1, |round| round.p50)), "<= 0.10 ms");
        say("JSON, 32: a second", format!("{:.0}", self.rate(("JSON", 32, "openmux"))), ">= 15,000");
        say("JSON, 32: of nginx", format!("{:.3}", share("JSON")), ">= 0.22");
        say("SSE, 1: adds, p50", format!("{:.3} ms", added("SSE", 1, |round| round.p50)), "<= 0.40 ms");
        say("SSE, 32: a second", format!("{:.0}", self.rate(("SSE", 32, "openmux"))), ">= 6,000");
        say("SSE, 32: of nginx", format!("{:.3}", share("SSE")), ">= 0.16");
        for (clients, limit) in [(1, "<= 0.5 ms"), (32, "<= 1 ms")] {
            say(
                &format!("TTFT, {clients}: adds, p50"),
                format!("{:.3} ms", added("paced", clients, |round| round.first_p50)),
                limit,
            );
            say(
                &format!("TTFT, {clients}: adds, p99"),
                format!("{:.3} ms", added("paced", clients, |round| round.first_p99)),
                "<= 3 ms",
            );
            say(
                &format!("a piece, {clients}: adds, p99"),
                format!("{:.3} ms", added("paced", clients, |round| round.late_p99)),
                "<= 1 ms",
            );
        }
        for (what, figure, limit) in &self.notes {
            say(what, figure.clone(), limit);
        }
        out
    }
}
