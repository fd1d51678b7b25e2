//! Sentences about calls that failed or do not count, and about endpoints that were not asked to the end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::render::text::{duration, one_line};
use super::Found;
use crate::observe::{ErrorClass, Why};
use crate::probe::plan::Kind as Asked;
use crate::probe::report::Line;
use crate::probe::sample::{Ended, Sample};
use crate::upstream::exchange::Limit;

/// What failures have in common that are told in one sentence.
type Kind = (ErrorClass, Option<u16>, Option<&'static str>);

/// The least lateness that is said.
const LATE: Duration = Duration::from_millis(50);

/// Everything that is to be said of these lines, a sentence each.
pub(super) fn told(found: &Found, asked: Asked, lines: &[Line]) -> Vec<String> {
    let of = |line: &Line| {
        let endpoint = &found.targets[line.target].endpoint.id;
        let mut sentences = failures(&line.failures);
        sentences.extend(uncounted(line));
        sentences.extend(no_speed(line).filter(|_| asked != Asked::Ping));
        sentences.extend(ended(line.ended));
        sentences.into_iter().map(move |said| format!("{}{said}", endpoint.provider)).collect::<Vec<_>>()
    };
    let offline = !lines.is_empty() && lines.iter().all(|line| line.ended == Ended::Offline);
    let all = offline.then(|| "nobody could be reached, so nobody was asked again".to_owned());
    lines.iter().flat_map(of).chain(all).collect()
}

/// Failures of one kind in one sentence.
fn failures(failures: &[Sample]) -> Vec<String> {
    let mut groups: BTreeMap<Kind, Vec<&Sample>> = BTreeMap::new();
    for failure in failures {
        let limit = failure.limit.map(|(limit, _)| limit.flag());
        groups.entry((failure.class, failure.http_status, limit)).or_default().push(failure);
    }
    let one = |((class, status, _), failures): (Kind, Vec<&Sample>)| {
        let (calls, one) = (calls(failures.len()), failures.len() == 1);
        let after = match failures.as_slice() {
            [failure] => failure.total.map(|total| format!(" after {}", duration(total))).unwrap_or_default(),
            _ => String::new(),
        };
        let said = failures.iter().find_map(|failure| failure.message.as_deref());
        let class = match said.map(one_line).filter(|said| !said.is_empty()) {
            Some(said) => format!("{}: {}", class.name(), shortened(&said)),
            None => class.name().to_owned(),
        };
        let counts = if one { "; its wait counts as at least that" } else { "; their waits count as at least that" };
        let left_out = if one { "; it is not in the times" } else { "; they are not in the times" };
        match (failures[0].limit, status) {
            (Some((Limit::Connect, waited)), _) => {
                format!(": {calls} had no connection within {} ({class}){left_out}", duration(waited))
            }
            (Some((limit, waited)), _) if failures[0].ttft.is_none() => {
                let what = if limit == Limit::Total { "no answer" } else { "no token" };
                format!(": {calls} had {what} within {} ({class}){counts}", duration(waited))
            }
            (Some((Limit::Idle, waited)), _) => {
                format!(": {calls} stalled for {} in the answer ({class}){left_out}", duration(waited))
            }
            (Some((_, waited)), _) => format!(": {calls} did not end within {} ({class}){left_out}", duration(waited)),
            (None, Some(status)) if !(200..300).contains(&status) => {
                format!(": {calls} answered {status} ({class}){after}{left_out}")
            }
            (None, _) => format!(": {calls} failed ({class}){after}{left_out}"),
        }
    };
    groups.into_iter().map(one).collect()
}

/// As much of a message as a line of notes bears.
fn shortened(said: &str) -> String {
    const MOST: usize = 120;
    if said.chars().count() <= MOST { said.to_owned() } else { said.chars().take(MOST).chain(['…']).collect() }
}

/// Calls that are not in the times, costs that nobody knows, a schedule that was not kept.
fn uncounted(line: &Line) -> Vec<String> {
    let mut told = Vec::new();
    match line.warmups {
        0 => {}
        1 => told.push(": nothing warmed its connection, so its first call is not in the times".to_owned()),
        many => told.push(format!(": nothing warmed its connections, so its first {many} calls are not in the times")),
    }
    if line.cached > 0 {
        let calls = calls(usize::try_from(line.cached).unwrap_or(usize::MAX));
        told.push(format!(": {calls} read a part of the prompt from a cache; not in the times"));
    }
    if line.busy > 0 {
        let calls = calls(usize::try_from(line.busy).unwrap_or(usize::MAX));
        told.push(format!(": {calls} came while this machine slept or was too busy to read in time; not in the times"));
    }
    if let Some(late) = line.late.filter(|late| *late >= LATE) {
        told.push(format!(": a call was sent {} later than planned", duration(late)));
    }
    if line.unknown_cost > 0 {
        let calls = calls(usize::try_from(line.unknown_cost).unwrap_or(usize::MAX));
        told.push(format!(": {calls} may have been billed and nobody said how much; not in COST"));
    }
    told
}

/// Why there is no speed, where there could be one.
fn no_speed(line: &Line) -> Option<String> {
    let (why, _) = line.no_speed.first().filter(|_| line.each_speed.is_empty())?;
    let why = match why {
        Why::Burst => "the answers came in bursts",
        Why::TooFewTokens => "the answers were too short",
        Why::TooShort => "the answers came too fast to time them",
        Why::UsageMissing => "the answers did not say how many tokens they had",
        Why::NotStreamed => "the answers were not streamed",
        Why::Suspended | Why::ClientBusy | Why::Failed => return None,
    };
    Some(format!(": no speed: {why} ({})", line.no_speed.first()?.0.name()))
}

/// Why an endpoint was not asked to the end, if it was not.
fn ended(ended: Ended) -> Option<String> {
    let why = match ended {
        Ended::RateLimited => "two refusals in a row".to_owned(),
        Ended::AskedToWait(wait) => format!("it asks to wait {}", duration(wait)),
        Ended::Hopeless(class) => format!("{} would come again", class.name()),
        Ended::Budget => "the budget is used up".to_owned(),
        Ended::Daily => {
            "it had its calls of today (max_probes_per_day under [probe] in config.toml, or --yes)".to_owned()
        }
        Ended::Rounds | Ended::Known | Ended::Offline | Ended::Cancelled => return None,
    };
    Some(format!(" was not asked any more: {why}"))
}

fn calls(count: usize) -> String {
    if count == 1 { "1 call".to_owned() } else { format!("{count} calls") }
}
