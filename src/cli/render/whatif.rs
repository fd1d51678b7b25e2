//! What would change a decision, and why an endpoint does not go first: for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::json::literal;
use super::money::dollars;
use super::reason::{decimal, reason};
use super::text::wrap;
use crate::catalog::price::Item;
use crate::catalog::{EndpointId, ProviderId};
use crate::routing::{Change, Decision, Flip, Preset, Question, Ranked, TermKind, Why};
use crate::units::Usd;

/// So many keys are named to people; programs get all.
const KEYS_SHOWN: usize = 3;

/// Everything that is said of a decision beside itself.
#[derive(Debug, Clone)]
pub(crate) struct Otherwise {
    /// Prices, waits and time values at which another endpoint goes first.
    flips: Vec<Flip>,
    /// Keys that would put their endpoint first.
    keys: Vec<(EndpointId, Vec<String>)>,
    /// Presets that would.
    presets: Vec<(Preset, EndpointId)>,
    /// Why the endpoints of one provider do not go first, where that was asked.
    why: Option<(ProviderId, Vec<(EndpointId, Why)>)>,
}

impl Otherwise {
    /// Asks.
    pub(crate) fn of(question: &Question<'_>, decision: &Decision, why: Option<&ProviderId>) -> Self {
        let why = why.map(|provider| {
            let own = question.candidates.iter().map(|candidate| &candidate.endpoint.id);
            let own = own.filter(|endpoint| endpoint.provider == *provider);
            let told = own.map(|endpoint| (endpoint.clone(), question.why(decision, endpoint)));
            (provider.clone(), told.collect())
        });
        Self {
            flips: question.flips(decision),
            keys: question.keys(decision),
            presets: question.presets(decision),
            why,
        }
    }

    /// For people, at most so wide.
    pub(crate) fn text(&self, decision: &Decision, width: usize) -> String {
        let mut page = String::new();
        if let Some((provider, told)) = &self.why {
            let mut lines = Vec::new();
            for (endpoint, why) in told {
                let several = told.len() > 1;
                let name = if several { endpoint.to_string() } else { provider.to_string() };
                lines.extend(why_lines(&name, endpoint, why, decision));
            }
            section(&mut page, &format!("Why {provider}"), &lines, width);
        }
        section(&mut page, "Would change it", &self.lines(decision), width);
        page
    }

    fn lines(&self, decision: &Decision) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.flips.iter().filter(|flip| flip.change == Change::TimeValue).map(time_line));
        let mut owners: Vec<&EndpointId> = Vec::new();
        for flip in &self.flips {
            let (Change::Price { endpoint, .. } | Change::Ttft { endpoint }) = &flip.change else { continue };
            if !owners.contains(&endpoint) {
                owners.push(endpoint);
            }
        }
        for owner in owners {
            let own: Vec<&Flip> = self.flips.iter().filter(|flip| owner_of(flip) == Some(owner)).collect();
            lines.push(lever_line(owner, &own));
        }
        let keyed =
            |(endpoint, names): &(EndpointId, Vec<String>)| format!("{} ({})", endpoint.provider, names.join(", "));
        match self.keys.as_slice() {
            [] => {}
            [(endpoint, names)] => lines.push(format!("{}, with a key: {}", endpoint.provider, names.join(", "))),
            several => {
                let shown: Vec<String> = several.iter().take(KEYS_SHOWN).map(keyed).collect();
                let more = match several.len() - shown.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                lines.push(format!("with a key of its own, each of {}{more}", shown.join(", ")));
            }
        }
        let winners =
            self.presets.iter().map(|(preset, to)| format!("{}, with --prefer {}", to.provider, preset.name()));
        lines.extend(winners);
        if lines.is_empty() && decision.ranked.len() > 1 {
            lines.push("no single price, wait, time value, key or preset".to_owned());
        }
        lines
    }

    /// The members `would_change` and `why` for programs.
    pub(crate) fn json(&self, decision: &Decision) -> Map<String, Value> {
        let mut list: Vec<Value> = self.flips.iter().map(flip_json).collect();
        list.extend(self.keys.iter().map(|(endpoint, names)| {
            json!({ "kind": "key", "of": endpoint.provider.as_str(), "set": names, "to": endpoint.provider.as_str() })
        }));
        list.extend(
            self.presets
                .iter()
                .map(|(preset, to)| json!({ "kind": "preset", "value": preset.name(), "to": to.provider.as_str() })),
        );
        let mut object = Map::new();
        object.insert("would_change".to_owned(), list.into());
        if let Some((_, told)) = &self.why {
            let each = told.iter().map(|(endpoint, why)| why_json(endpoint, why, decision));
            object.insert("why".to_owned(), each.collect::<Vec<_>>().into());
        }
        object
    }
}

fn section(page: &mut String, title: &str, lines: &[String], width: usize) {
    if lines.is_empty() {
        return;
    }
    page.push_str(title);
    page.push('\n');
    for text in lines {
        for (at, line) in wrap(text, width.saturating_sub(11).max(29)).into_iter().enumerate() {
            let _ = writeln!(page, "{:<9}{line}", if at == 0 { "" } else { "           " });
        }
    }
}

fn owner_of(flip: &Flip) -> Option<&EndpointId> {
    match &flip.change {
        Change::TimeValue => None,
        Change::Price { endpoint, .. } | Change::Ttft { endpoint } => Some(endpoint),
    }
}

fn time_line(flip: &Flip) -> String {
    let way = if flip.flips_at < flip.now { "or less" } else { "or more" };
    format!("{}, at --time-value {} {way} (now {})", flip.to.provider, decimal(flip.flips_at), decimal(flip.now))
}

/// `google-vertex, with its input at $2.97 per 1M or less (now 3), or a first token in 0.61 s or less (now 0.8 s)`; of the
/// first it is who would go before it.
fn lever_line(owner: &EndpointId, flips: &[&Flip]) -> String {
    let each = |flip: &&Flip| {
        let way = if flip.flips_at < flip.now { "or less" } else { "or more" };
        let (value, now) = shown(flip);
        match &flip.change {
            Change::Price { item: Item::Output, .. } => format!("output at ${value} per 1M {way} (now {now})"),
            Change::Price { .. } => format!("input at ${value} per 1M {way} (now {now})"),
            Change::Ttft { .. } | Change::TimeValue => format!("a first token in {value} s {way} (now {now} s)"),
        }
    };
    let each: Vec<String> = flips.iter().map(each).collect();
    let levers = each.join(", or ");
    let mut winners: Vec<&str> = flips.iter().map(|flip| flip.to.provider.as_str()).collect();
    winners.dedup();
    match winners.as_slice() {
        [own] if *own == owner.provider.as_str() => format!("{own}, with {levers}"),
        others => format!("{}, if {} had {levers}", others.join(" or "), owner.provider),
    }
}

/// Where it flips and where it is, as decimals of the unit that people know.
fn shown(flip: &Flip) -> (String, String) {
    let millionths = |value: u64| match flip.change {
        Change::Ttft { .. } => value.saturating_mul(1000),
        Change::TimeValue | Change::Price { .. } => value,
    };
    (decimal(millionths(flip.flips_at)), decimal(millionths(flip.now)))
}

fn flip_json(flip: &Flip) -> Value {
    let factor = if matches!(flip.change, Change::Ttft { .. }) { 1000 } else { 1 };
    let value = |units: u64| literal(&decimal(units.saturating_mul(factor)));
    let (kind, unit) = match &flip.change {
        Change::TimeValue => ("time_value", "usd_per_h"),
        Change::Price { item: Item::Output, .. } => ("output_price", "usd_per_mtok"),
        Change::Price { .. } => ("input_price", "usd_per_mtok"),
        Change::Ttft { .. } => ("ttft", "s"),
    };
    let mut object = Map::new();
    object.insert("kind".to_owned(), kind.into());
    object.insert("of".to_owned(), owner_of(flip).map_or(Value::Null, |owner| owner.provider.as_str().into()));
    object.insert("unit".to_owned(), unit.into());
    object.insert("now".to_owned(), value(flip.now));
    object.insert("holds_at".to_owned(), value(flip.holds_at));
    object.insert("flips_at".to_owned(), value(flip.flips_at));
    object.insert("to".to_owned(), flip.to.provider.as_str().into());
    object.into()
}

/// How an endpoint that is behind stands to the first: by how much, and mostly by which term.
fn behind(endpoint: &EndpointId, decision: &Decision) -> Option<(Usd, Option<(TermKind, Usd)>)> {
    let first = decision.chosen()?;
    let entry = decision.ranked.iter().find(|entry| entry.endpoint == *endpoint)?;
    let gap =
        |kind: TermKind| entry.score.amount(kind).unwrap_or_default() - first.score.amount(kind).unwrap_or_default();
    let most = TermKind::ALL.into_iter().map(|kind| (kind, gap(kind))).max_by_key(|(_, gap)| *gap);
    Some((entry.score.total() - first.score.total(), most.filter(|(_, gap)| *gap > Usd::ZERO)))
}

fn why_lines(name: &str, endpoint: &EndpointId, why: &Why, decision: &Decision) -> Vec<String> {
    match why {
        Why::First => vec![format!("{name} goes first")],
        Why::NotServed => vec![format!("{name} was not weighed")],
        Why::Behind { place, flips } => {
            let mut lines = vec![place_line(name, *place, endpoint, decision)];
            let time = flips.iter().filter(|flip| flip.change == Change::TimeValue).map(time_line);
            lines.extend(time.map(|line| format!("first would be {line}")));
            let levers: Vec<&Flip> = flips.iter().filter(|flip| flip.change != Change::TimeValue).collect();
            if !levers.is_empty() {
                lines.push(format!("first would be {}", lever_line(endpoint, &levers)));
            }
            if lines.len() == 1 {
                lines.push("no price, wait or time value of its own alone puts it first".to_owned());
            }
            lines
        }
        Why::Rejected { reasons, otherwise } => {
            let mut lines: Vec<String> = reasons.iter().map(|told| reason(told, &endpoint.provider)).collect();
            if let Some((total, place)) = otherwise {
                let among = decision.ranked.len() + 1;
                lines.push(format!("without that: {}, number {place} of {among} by its sum", dollars(*total)));
            }
            lines
        }
    }
}

fn place_line(name: &str, place: usize, endpoint: &EndpointId, decision: &Decision) -> String {
    let mut text = format!("{name} is number {place} of {}", decision.ranked.len());
    let listed = decision.request.constraints.order.as_slice();
    if let Some((gap, most)) = behind(endpoint, decision) {
        let _ = match (gap.cmp(&Usd::ZERO), most) {
            (std::cmp::Ordering::Greater, Some((kind, by))) => {
                write!(text, ": {} more than the first, mostly {} ({} more)", dollars(gap), kind.name(), dollars(by))
            }
            (std::cmp::Ordering::Greater, None) => write!(text, ": {} more than the first", dollars(gap)),
            (std::cmp::Ordering::Equal, _) => write!(text, ": its sum is the first's"),
            (std::cmp::Ordering::Less, _) => write!(text, ": its sum is {} less than the first's", dollars(-gap)),
        };
    }
    let entry = decision.ranked.iter().find(|entry| entry.endpoint == *endpoint);
    let (own, first) = (entry.map(|entry| entry.grade()), decision.chosen().map(|entry| entry.grade()));
    if entry.is_some_and(Ranked::is_held_back) {
        text += "; it comes back after a pause, and this request is not among its share";
    } else if !listed.is_empty() {
        text += "; --order comes before the sum";
    } else if own > first {
        text += "; what was asked of waits, speed or availability comes before the sum";
    } else if decision.policy.rule != crate::routing::Rule::Score {
        text += "; the order is not by the sum";
    } else if decision.chosen().is_some_and(|first| first.tie.is_some()) && own.is_some() {
        let _ = write!(
            text,
            "; within {} % the least loaded goes first, then the seed decides",
            decision.policy.near_tie_percent
        );
    }
    text
}

fn why_json(endpoint: &EndpointId, why: &Why, decision: &Decision) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("provider", endpoint.provider.as_str().into());
    put("upstream_model", endpoint.upstream_model.as_str().into());
    match why {
        Why::First => put("standing", "first".into()),
        Why::NotServed => put("standing", "not_weighed".into()),
        Why::Behind { place, flips } => {
            put("standing", "behind".into());
            put("place", (*place).into());
            let gap = behind(endpoint, decision);
            put("more_usd", gap.map_or(Value::Null, |(gap, _)| literal(&gap.exact())));
            put("mostly", gap.and_then(|(_, most)| most).map_or(Value::Null, |(kind, _)| kind.name().into()));
            put("first_at", flips.iter().map(flip_json).collect::<Vec<_>>().into());
        }
        Why::Rejected { reasons, otherwise } => {
            put("standing", "rejected".into());
            let told =
                reasons.iter().map(|told| json!({ "code": told.code(), "text": reason(told, &endpoint.provider) }));
            put("reasons", told.collect::<Vec<_>>().into());
            put("otherwise_usd", otherwise.map_or(Value::Null, |(total, _)| literal(&total.exact())));
            put("otherwise_place", otherwise.map_or(Value::Null, |(_, place)| place.into()));
        }
    }
    object.into()
}
