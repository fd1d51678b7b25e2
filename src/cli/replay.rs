//! `openmux route replay`: a decision of the past, made again from what it was made of.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::args::{Format, RouteReplay};
use super::contract::Exit;
use super::error::CliError;
use super::render::decision::with_rates;
use super::render::explain::{View, human};
use super::render::inputs::fees;
use super::render::text::wrap;
use super::settings::Settings;
use super::{Outcome, print, print_page, warn};
use crate::routing::{Decision, Kept, Policy, Question, decision_hex};
use crate::store::ObservationStore;

/// Runs the command. The exit code is 1 where this version decides otherwise than the one that decided.
///
/// # Errors
/// There is no such decision, or it cannot be read.
pub(crate) fn replay(settings: &Settings, args: &RouteReplay) -> Outcome {
    let format = match settings.format {
        None | Some(Format::Table | Format::Wide | Format::Text) => Format::Table,
        Some(Format::Json | Format::Jsonl) => Format::Json,
        Some(other) => return Err(CliError::no_format(other, &["table", "wide", "json"])),
    };
    let (store, warning) = settings.store_to_read();
    if let Some(text) = warning {
        warn(settings, &text);
    }
    let kept = find(settings, store.as_ref(), args.id.as_deref())?;
    let today = kept.input.decide();
    let same = kept.agrees_with(&today);
    let trade = args.policy.map(Policy::preset).or_else(|| args.time_value.map(Policy::time_value));
    let other = trade.map(|trade| kept.input.decide_by(&kept.input.traded(&trade)));
    if format == Format::Json {
        print(&format!("{}\n", Value::Object(document(&kept, &today, other.as_ref()))))?;
    } else {
        let view = View {
            width: settings.width.clamp(40, 120),
            style: settings.out,
            all: args.all,
            verbose: settings.verbose > 0,
            supposed: kept.input.supposes_keys(),
            sending: false,
        };
        let mut page = String::new();
        for line in wrap(&headline(&kept, same), view.width) {
            let _ = writeln!(page, "{line}");
        }
        if let Some(other) = &other {
            for line in wrap(&instead(&today, other), view.width) {
                let _ = writeln!(page, "{}", view.style.yellow(&line));
            }
        }
        let shown = other.as_ref().unwrap_or(&today);
        let question = question(&kept, shown);
        let fees = fees(shown, &|entry| question.rates(entry), view.width);
        print_page(settings, &format!("{page}\n{}{fees}", human(shown, view)))?;
    }
    Ok(if same { Exit::Ok } else { Exit::Negative })
}

/// The decision, and what would have been decided instead. Nothing of today's catalog or clock is in it, so that the
/// bytes are the same everywhere and at any time.
fn document(kept: &Kept, today: &Decision, other: Option<&Decision>) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("schema".to_owned(), "route.replay/1".into());
    document.insert("decision_id".to_owned(), decision_hex(&kept.id).into());
    document.insert("decided_by".to_owned(), kept.version.as_str().into());
    document.insert("same_order".to_owned(), kept.agrees_with(today).into());
    let order: Vec<Value> = kept.order.iter().map(|placed| placed.endpoint.provider.as_str().into()).collect();
    document.insert("order".to_owned(), order.into());
    // Marked as such: it is not what was decided.
    document.insert("counterfactual".to_owned(), other.is_some().into());
    let shown = other.unwrap_or(today);
    let question = question(kept, shown);
    document.extend(with_rates(shown, kept.input.supposes_keys(), &|entry| Some(question.rates(entry))));
    document
}

/// What a decision about a kept request was an answer to.
fn question<'a>(kept: &'a Kept, shown: &'a Decision) -> Question<'a> {
    let input = &kept.input;
    let (request, policy) = (&input.request, &shown.policy);
    Question { request, candidates: &input.candidates, policy, now: input.now, seed: input.seed }
}

fn headline(kept: &Kept, same: bool) -> String {
    let (id, version) = (decision_hex(&kept.id), &kept.version);
    let verdict = if same {
        "this version gives the same order and sums.".to_owned()
    } else {
        let order: Vec<&str> = kept.order.iter().map(|placed| placed.endpoint.provider.as_str()).collect();
        format!("this version ({}) decides otherwise; it was {}.", env!("CARGO_PKG_VERSION"), order.join(", "))
    };
    format!("Decision {} of {} by openmux {version}: {verdict}", &id[..8], kept.input.now)
}

fn instead(today: &Decision, other: &Decision) -> String {
    let name = |decision: &Decision| decision.policy.preset.map_or("--time-value", crate::routing::Preset::name);
    let chosen = |decision: &Decision| {
        decision.chosen().map_or("nobody".to_owned(), |first| first.endpoint.provider.to_string())
    };
    format!(
        "Not what was decided: this is {}, under which {} goes first; it was {}, and {}.",
        name(other),
        chosen(other),
        name(today),
        chosen(today)
    )
}

fn find(settings: &Settings, store: &dyn ObservationStore, typed: Option<&str>) -> Result<Kept, CliError> {
    let prefix = typed.unwrap_or_default().to_ascii_lowercase();
    if !prefix.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(CliError::usage(format!("\"{prefix}\" is no id of a decision: it has other than hex digits"))
            .fix("an id as `openmux chat -v` or `-o json` (decision_id) prints it, or its beginning"));
    }
    let mut found = store.decision(&prefix).map_err(|error| {
        CliError::new(Exit::Config, "decision", "the decision cannot be read")
            .fact("reason", error.to_string())
            .fix("openmux route explain decides anew; `openmux config path` says where what was kept is")
    })?;
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().map(|kept| decision_hex(&kept.id)).collect();
        return Err(CliError::usage(format!("several decisions begin with \"{prefix}\""))
            .fact("the newest", ids.join("\n"))
            .fix("give more of its digits"));
    }
    found.pop().ok_or_else(|| {
        let error = if prefix.is_empty() {
            CliError::new(Exit::NotFound, "decision", "no decision is kept on this machine")
        } else {
            CliError::new(Exit::NotFound, "decision", format!("no decision that is kept begins with \"{prefix}\""))
        };
        if settings.sandbox.is_some() {
            return error.fix("leave out --sandbox, which keeps nothing");
        }
        error
            .fact("kept", "what `openmux chat` decided in the last 90 days")
            .fix("openmux chat -v ... prints the id of what it decides")
    })
}
