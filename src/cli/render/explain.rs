//! A [`Decision`] for people and for programs: every term, every reason, one fix each. Pure: what is printed is what was
//! compared.

use std::fmt::Write as _;

use super::back;
use super::cache::told;
use super::data;
use super::money::{adding_up, dollars};
pub(crate) use super::reason::{reason, unbounded};
use super::text::{Style, cut_middle, duration, grouped, labelled, listed, visible, width, wrap};
use crate::routing::{Decision, Expected, Policy, Ranked, Rejected, Rejection, RouteRequest, Rule, TermKind};
use crate::units::Usd;

/// How much is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Columns of text.
    pub width: usize,
    /// Escapes.
    pub style: Style,
    /// Every rejected endpoint and every ranked one.
    pub all: bool,
    /// The policy's constants as well.
    pub verbose: bool,
    /// Whether the decision supposes every key.
    pub supposed: bool,
    /// Whether it is about to be executed, and not only explained.
    pub sending: bool,
}

/// Rows that are shown without `--all`.
const RANKED_SHOWN: usize = 8;
const REJECTED_SHOWN: usize = 5;

/// The explanation for people.
pub(crate) fn human(decision: &Decision, view: View) -> String {
    let mut page = String::new();
    if view.supposed {
        let text = "No key is set: this ranks as if every key were. `openmux chat` would send nothing (exit 4).";
        for line in wrap(text, view.width) {
            let _ = writeln!(page, "{}", view.style.yellow(&line));
        }
    }
    let headline = match decision.chosen() {
        Some(first) if view.sending => format!("{} is tried first.", first.endpoint.provider),
        Some(first) => format!("{} would answer. Nothing was sent.", first.endpoint.provider),
        None => "No provider can answer. Nothing was sent.".to_owned(),
    };
    for line in wrap(&headline, view.width) {
        let _ = writeln!(page, "{}", view.style.bold(&line));
    }
    page += &asked(&decision.request, view);
    page.push('\n');
    page += &candidates(decision, view);
    page.push('\n');
    for (key, text) in notes(decision, view) {
        page += &labelled(key, &visible(&text), view.width);
    }
    page
}

fn asked(request: &RouteRequest, view: View) -> String {
    let about = if request.input_estimated { "about " } else { "" };
    let mut text = format!("{}: {about}{} tokens in", request.model, grouped(request.input.count()));
    if request.cached.count() > 0 {
        let _ = write!(text, " ({} cached)", grouped(request.cached.count()));
    }
    let _ = write!(text, ", {} out expected", grouped(request.expected_output.count()));
    match request.output_from {
        Expected::Stated => {}
        Expected::Measured { answers: 1 } => text += " (from your last answer)",
        Expected::Measured { answers } => {
            let _ = write!(text, " (from your last {} answers)", grouped(answers));
        }
        Expected::Assumed => text += " (assumed)",
    }
    if let Some(most) = request.max_output {
        let _ = write!(text, ", at most {}", grouped(most.count()));
    }
    wrap(&text, view.width).into_iter().fold(String::new(), |page, line| page + &line + "\n")
}

/// The table: a row a candidate, terms that add up by eye, then who is out and why.
fn candidates(decision: &Decision, view: View) -> String {
    let shown = if view.all { decision.ranked.len() } else { decision.ranked.len().min(RANKED_SHOWN) };
    let ranked = &decision.ranked[..shown];
    let rejected_shown = if view.all { decision.rejected.len() } else { REJECTED_SHOWN };
    let (loud, quiet) = split(&decision.rejected, rejected_shown, view.all);
    let names = ranked.iter().map(|entry| width(entry.endpoint.provider.as_str()));
    // A reason beside a name needs some room too.
    let most = 24.min(view.width.saturating_sub(27)).max(8);
    let name_width = names.max().unwrap_or(0).clamp(14.min(view.width / 5), most);
    let remarks = ranked.iter().enumerate().map(|(place, entry)| width(&remark(place, entry, decision)));
    let columns = Columns::fit(ranked, name_width, remarks.max().unwrap_or(0), view);
    let mut page = columns.header(name_width, view.style);
    for (place, entry) in ranked.iter().enumerate() {
        page += &columns.row(place, entry, decision, name_width, view);
    }
    if shown < decision.ranked.len() {
        let _ = writeln!(page, "     {} more usable; --all shows them", decision.ranked.len() - shown);
    }
    for entry in &loud {
        page += &rejected_row(entry, name_width, view);
    }
    if !quiet.is_empty() {
        let text = format!("{} more: {}; --all shows them", quiet.len(), summary(&quiet));
        for (at, line) in wrap(&text, view.width.saturating_sub(5)).into_iter().enumerate() {
            let _ = writeln!(page, "{}{line}", if at == 0 { "  -  " } else { "     " });
        }
    }
    page
}

/// The rejected ones that are named, those with the fewest reasons first, and the rest. Whom the user left out is only
/// counted, and so is whom the sandbox does not simulate.
fn split(rejected: &[Rejected], most: usize, all: bool) -> (Vec<&Rejected>, Vec<&Rejected>) {
    let left_out = |entry: &Rejected| {
        use Rejection::{Gateway, Ignored, NotAllowed, NotSimulated};
        entry.reasons.iter().any(|reason| matches!(reason, NotAllowed | Ignored | Gateway | NotSimulated))
    };
    let mut order: Vec<&Rejected> = rejected.iter().collect();
    order.sort_by_key(|entry| (left_out(entry), entry.reasons.len(), entry.endpoint.clone()));
    let named = order.iter().filter(|entry| all || !left_out(entry)).count();
    let quiet = order.split_off(most.min(named));
    (order, quiet)
}

/// `18 no_credential, 1 context_too_small`: counted by each one's first reason.
fn summary(rejected: &[&Rejected]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for entry in rejected {
        let code = entry.reasons.first().map_or("unknown", Rejection::code);
        match counts.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => counts.push((code, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told = counts.into_iter().map(|(code, count)| format!("{count} {}", code.replace('_', " ")));
    told.collect::<Vec<_>>().join(", ")
}

/// Which terms are shown, to how many places, and whether below their row, since they do not fit into it.
struct Columns {
    terms: Vec<TermKind>,
    places: u32,
    below: bool,
}

impl Columns {
    /// All terms to a millionth of a dollar; where that is too wide, fewer places, then without terms that are zero
    /// throughout, then on a line of their own.
    fn fit(ranked: &[Ranked], name_width: usize, remark: usize, view: View) -> Self {
        let has = |kind: TermKind| ranked.iter().any(|entry| entry.score.amount(kind).is_some());
        let nonzero =
            |kind: TermKind| ranked.iter().any(|entry| entry.score.amount(kind).unwrap_or_default() != Usd::ZERO);
        let all: Vec<TermKind> = TermKind::ALL.into_iter().filter(|kind| !kind.is_rare() || has(*kind)).collect();
        let some: Vec<TermKind> = all.iter().copied().filter(|kind| nonzero(*kind)).collect();
        for (terms, places) in [(&all, 6), (&all, 5), (&some, 5), (&some, 4)] {
            let fits = Self { terms: terms.clone(), places, below: false };
            if 5 + name_width + fits.amount_width() * (terms.len() + 1) + 2 + remark <= view.width {
                return fits;
            }
        }
        Self { terms: some, places: 4, below: true }
    }

    /// `  $0.000000`.
    fn amount_width(&self) -> usize {
        usize::try_from(self.places).unwrap_or(6) + 5
    }

    fn header(&self, name_width: usize, style: Style) -> String {
        let mut line = format!("     {:<name_width$}", "PROVIDER");
        let pad = self.amount_width();
        for (at, kind) in self.terms.iter().enumerate().filter(|_| !self.below) {
            let sign = if at == 0 { "" } else { "+ " };
            let _ = write!(line, "{:>pad$}", format!("{sign}{}", kind.name().to_uppercase()));
        }
        let _ = write!(line, "{:>pad$}", if self.below { "TOTAL" } else { "= TOTAL" });
        format!("{}\n", style.dim(&line))
    }

    fn row(&self, place: usize, entry: &Ranked, decision: &Decision, name_width: usize, view: View) -> String {
        let name = cut_middle(entry.endpoint.provider.as_str(), name_width);
        let mut line = format!("{:>3}  {name:<name_width$}", place + 1);
        let amounts: Vec<Usd> = self.terms.iter().map(|kind| entry.score.amount(*kind).unwrap_or_default()).collect();
        let (shown, total) = adding_up(&amounts, self.places);
        let pad = self.amount_width();
        let unknown = |kind: TermKind| kind == TermKind::Price && !entry.score.price_known;
        let amounts = self
            .terms
            .iter()
            .zip(shown)
            .map(|(kind, amount)| (kind.name(), if unknown(*kind) { "?".to_owned() } else { amount }));
        let mut sum = Vec::new();
        for (name, amount) in amounts {
            if self.below {
                sum.push(format!("{amount} {name}"));
            } else {
                let _ = write!(line, "{amount:>pad$}");
            }
        }
        let _ = write!(line, "{total:>pad$}");
        let line = format!("{line}  {}", remark(place, entry, decision)).trim_end().to_owned();
        let line = if place == 0 { view.style.bold(&line) } else { line };
        let below = wrap(&sum.join(" + "), view.width.saturating_sub(5));
        below.into_iter().fold(line + "\n", |page, part| format!("{page}     {part}\n"))
    }
}

/// `chosen`, or by how much it is dearer than the first.
fn remark(place: usize, entry: &Ranked, decision: &Decision) -> String {
    let cooling = match (entry.cooling, entry.paused) {
        (Some(cooling), _) => format!(", cooling until {} after {}", cooling.until, cooling.class.name()),
        (None, Some(paused)) => format!(", one trial after {}", paused.class.name()),
        (None, None) => back::remark(entry),
    };
    if place == 0 {
        return format!("chosen{cooling}");
    }
    let first = decision.ranked[0].score.total();
    let more = entry.score.total() - first;
    let percent = match percent_of(more, first) {
        Some(percent) => format!("{percent:+} %"),
        None => dollars(more),
    };
    format!("{percent}{cooling}")
}

/// A difference as whole percent of a total.
fn percent_of(difference: Usd, total: Usd) -> Option<i64> {
    use rust_decimal::prelude::ToPrimitive;
    let share = difference.decimal().checked_div(total.decimal())?;
    (share * rust_decimal::Decimal::ONE_HUNDRED).round().to_i64()
}

fn rejected_row(entry: &Rejected, name_width: usize, view: View) -> String {
    let name = cut_middle(entry.endpoint.provider.as_str(), name_width);
    let reasons: Vec<String> = entry.reasons.iter().map(|told| reason(told, &entry.endpoint.provider)).collect();
    let indent = 5 + name_width + 2;
    let room = view.width.saturating_sub(indent);
    let mut page = String::new();
    let lines = wrap(&visible(&reasons.join("; ")), room.max(20));
    for (at, line) in lines.into_iter().enumerate() {
        let head = if at == 0 { format!("  -  {name:<name_width$}  ") } else { " ".repeat(indent) };
        let _ = writeln!(page, "{}", view.style.dim(&format!("{head}{line}")));
    }
    page
}

/// Margin, policy, data: what a reader asks next.
fn notes(decision: &Decision, view: View) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    if decision.policy.rule != Rule::Score {
        notes.push(("Order", rule_text(decision)));
    } else if let [first, second, ..] = decision.ranked.as_slice() {
        let (gap, next) = (second.score.total() - first.score.total(), &second.endpoint.provider);
        let mut text = if gap < Usd::ZERO {
            format!("{next}'s sum is {} lower", dollars(-gap))
        } else {
            format!("{} behind it: {next}", dollars(gap))
        };
        let biggest = TermKind::ALL.into_iter().max_by_key(|kind| {
            second.score.amount(*kind).unwrap_or_default() - first.score.amount(*kind).unwrap_or_default()
        });
        if let Some(kind) = biggest {
            let gap = second.score.amount(kind).unwrap_or_default() - first.score.amount(kind).unwrap_or_default();
            if gap > Usd::ZERO && second.score.total() > first.score.total() {
                let _ = write!(text, ", mostly {} ({} more)", kind.name(), dollars(gap));
            }
        }
        if let Some(tie) = first.tie {
            let by = if tie.by_cache {
                "the warmest prompt cache goes first".to_owned()
            } else if tie.by_load {
                "the least loaded goes first".to_owned()
            } else {
                format!("seed {} chose", decision.seed)
            };
            let _ = write!(text, "; {} within {} %, {by}", tie.among, decision.policy.near_tie_percent);
        }
        notes.push(("Margin", text));
    }
    if !decision.request.warm.is_empty() {
        notes.push(("Cache", told(decision)));
    }
    if let Some(text) = wishes_text(decision) {
        notes.push(("Wishes", text));
    }
    if decision.ranked.len() > 1 {
        notes.push(("Chain", chain_text(decision)));
    }
    if let Some(text) = back::told(decision) {
        notes.push(("Return", text));
    }
    let most = usize::try_from(decision.policy.max_attempts).unwrap_or(usize::MAX);
    let unstated = decision.ranked.iter().take(most).filter(|entry| entry.context.is_none());
    let unstated: Vec<&str> = unstated.map(|entry| entry.endpoint.provider.as_str()).collect();
    if !unstated.is_empty() {
        let who = listed(&unstated, 6);
        notes.push(("Window", format!("not known of {who}, which may be asked all the same")));
    }
    if decision.all_cooling {
        notes.push(("Cooling", "every usable provider is cooling down: the earliest to reopen goes first".to_owned()));
    }
    if let Some(first) = decision.chosen() {
        let unknown = || format!("not known ({})", unbounded(&decision.request));
        let bound = first.bound.map_or_else(unknown, dollars);
        notes.push(("At most", format!("{bound} for this call at {}", first.endpoint.provider)));
        notes.push(("Status", format!("{} at {}", first.status.name(), first.endpoint.provider)));
        if first.status == crate::catalog::Status::Active {
            notes.pop();
        }
    }
    notes.push(("Policy", policy_text(&decision.policy)));
    if view.verbose {
        notes.push(("", constants(&decision.policy)));
    }
    notes.push(("Data", data::text(decision)));
    notes.push(("Replay", format!("--at {} --seed {}", decision.at, decision.seed)));
    notes
}

/// That the order is not by the sum, and by what it is.
fn rule_text(decision: &Decision) -> String {
    let by = match decision.policy.rule {
        Rule::Score => "the sum of the terms",
        Rule::Ttft => "the expected time to the first token, what was never measured last",
        Rule::OriginFirst => "the author's own endpoint, then the expected time to the first token",
        Rule::InverseSquarePrice => "no fault in the last 30 s, then a draw by 1/price² from the seed",
        Rule::Listed => "--order, the others by name",
    };
    let name = decision.policy.preset.map_or("--time-value", crate::routing::Preset::name);
    format!("by the rule of {name}: {by}; the terms are shown, and the sum decides nothing")
}

/// What was asked of waits, speeds and availability, and who misses it or was not measured.
fn wishes_text(decision: &Decision) -> Option<String> {
    if decision.request.constraints.thresholds.is_empty() {
        return None;
    }
    let names = |pick: fn(&Ranked) -> bool| {
        let names: Vec<&str> =
            decision.ranked.iter().filter(|entry| pick(entry)).map(|entry| entry.endpoint.provider.as_str()).collect();
        super::text::first_of(&names, 6)
    };
    let kept = names(|entry| entry.grade() == 0);
    let unproven = names(|entry| entry.grade() == 1);
    let missed = names(|entry| entry.grade() == 2);
    let mut parts = Vec::new();
    for (who, what) in [
        (kept, "kept by"),
        (unproven, "not measured, so neither kept nor missed, at"),
        (missed, "missed, and so behind the others, by"),
    ] {
        if !who.is_empty() {
            parts.push(format!("{what} {who}"));
        }
    }
    let flags: Vec<&str> = decision.request.constraints.thresholds.iter().map(|wish| wish.measure.flag()).collect();
    Some(format!("{}: {}", flags.join(", "), parts.join("; ")))
}

/// Who is tried, and how long each may take to its first token while another is open.
fn chain_text(decision: &Decision) -> String {
    let most = usize::try_from(decision.policy.max_attempts).unwrap_or(usize::MAX);
    let tried = decision.ranked.iter().take(most);
    let each: Vec<String> =
        tried.map(|entry| format!("{} {}", entry.endpoint.provider, duration(entry.first_token_limit))).collect();
    format!("{}: how long each may take to its first token while another is open", each.join(", "))
}

fn policy_text(policy: &Policy) -> String {
    let name = policy.preset.map_or("--time-value", crate::routing::Preset::name);
    format!(
        "{name}: ${} a second to the first token, ${} a second of answer, ${} a failed call",
        policy.wait_value.exact(),
        policy.stream_value.exact(),
        policy.retry_cost.exact()
    )
}

fn constants(policy: &Policy) -> String {
    format!(
        "priors, on the good side so that each is tried once: first token {} s (weighs {} samples), {} tok/s (weighs {} \
         answers), availability {} (weighs {} attempts); beside what was seen of late, the long run counts as {} waits, \
         {} speeds and {} attempts; half of what was seen is forgotten after {} (availability) or {} to {} (times, of which at \
         most {} samples count); a \
         cache of {} tokens or more lives {} and serves {} of what is warm, a conversation goes on with {}; an answer has {} \
         tokens (weighs {} answers); a failure wastes {}; \
         a rejected round trip {} and ${}; near-tie {} %; {}; at most {} attempts, {} retries; first-token limit {} x p95, at \
         least {}, and {} for 1,000 tokens to read, at most {}, {} where reasoning is hidden; of whom no wait is known, the \
         logarithm of its wait has a variance of {} more, half of that after one wait",
        policy.learning.prior_ttft_s,
        policy.learning.prior_samples,
        policy.prior_speed,
        policy.prior_speed_samples,
        policy.prior_availability,
        policy.prior_attempts,
        policy.learning.lasting_samples,
        policy.lasting_speed_samples,
        policy.lasting_attempts,
        duration(policy.learning.recent),
        duration(policy.learning.half_life_min),
        duration(policy.learning.half_life_max),
        policy.learning.cap,
        policy.cache_min.count(),
        duration(policy.cache_lifetime),
        policy.prior_cache_hit,
        policy.continuation,
        policy.prior_output.count(),
        policy.prior_answers,
        duration(policy.failure_wait),
        duration(policy.reject_wait),
        policy.reject_cost.exact(),
        policy.near_tie_percent,
        back::steps(policy),
        policy.max_attempts,
        policy.retries,
        policy.first_token_factor,
        duration(policy.first_token_min),
        duration(policy.first_token_per_1k),
        duration(policy.first_token_max),
        duration(policy.first_token_hidden),
        policy.learning.prior_ttft_doubt,
    )
}
