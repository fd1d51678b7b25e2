//! Values as people write them: counts, shapes, times, money.

use std::time::Duration;

use crate::chat::{Effort, ToolChoice};
use crate::dispatch::FallbackClass;
use crate::probe::plan::Kind;
use crate::routing::{Ability, Measure, Threshold};
use crate::units::{Tokens, Usd, UsdPerMtok};

/// A time limit; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub Option<Duration>);

/// The shape of a call in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// All input.
    pub input: Tokens,
    /// Output.
    pub output: Tokens,
    /// Of the input, what is read from a cache.
    pub cached: Tokens,
}

/// Yes or no, of a variable.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err("neither 1 (or true) nor 0 (or false)".to_owned()),
    }
}

pub(crate) fn tokens(text: &str) -> Result<Tokens, String> {
    let lower = text.trim().to_ascii_lowercase().replace(['_', ','], "");
    let (digits, factor) = match lower.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => lower.strip_suffix('m').map_or((lower.as_str(), 1), |digits| (digits, 1_000_000)),
    };
    let value = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).and_then(Tokens::reported);
    value.ok_or_else(|| "not a number of tokens, such as 8000, 200k or 1m".to_owned())
}

/// At least one token: a limit of none is refused by some providers and ignored by others.
pub(crate) fn some_tokens(text: &str) -> Result<Tokens, String> {
    match tokens(text)? {
        Tokens::ZERO => Err("at least 1".to_owned()),
        count => Ok(count),
    }
}

pub(crate) fn shape(text: &str) -> Result<Shape, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (input, output, cached) = match parts[..] {
        [input, output] => (tokens(input)?, tokens(output)?, Tokens::ZERO),
        [input, output, cached] => (tokens(input)?, tokens(output)?, tokens(cached)?),
        _ => return Err("not a shape such as 8000/1000 or 8000/1000/7000".to_owned()),
    };
    if cached > input {
        return Err("more cached tokens than input tokens".to_owned());
    }
    Ok(Shape { input, output, cached })
}

/// A limit: `30s`, `2m`, `500ms`; a bare number is seconds; 0 is none.
pub(crate) fn duration(text: &str) -> Result<Limit, String> {
    let lower = text.trim().to_ascii_lowercase();
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?, *factor)))
        .unwrap_or((lower.as_str(), 1_000));
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok();
    let thousandths = format!("{part:0<3}").get(..3).and_then(|digits| digits.parse::<u64>().ok());
    let millis =
        whole.zip(thousandths).and_then(|(whole, part)| Some(whole.checked_mul(factor)? + part * factor / 1000));
    match millis {
        Some(0) => Ok(Limit(None)),
        Some(millis) if millis <= 86_400_000 => Ok(Limit(Some(Duration::from_millis(millis)))),
        Some(_) => Err("longer than a day; 0 is no limit".to_owned()),
        None => Err("not a time such as 30s, 2m or 500ms".to_owned()),
    }
}

/// A span back from now, `12h` or `7d`, or a day.
pub(crate) fn span(text: &str) -> Result<super::Since, String> {
    let lower = text.trim().to_ascii_lowercase();
    let units = [("d", 86_400_u64), ("h", 3_600), ("m", 60)];
    let ago = units.iter().find_map(|(unit, factor)| {
        lower
            .strip_suffix(unit)?
            .parse::<u64>()
            .ok()?
            .checked_mul(*factor)
            .filter(|seconds| *seconds <= 20 * 365 * 86_400)
    });
    match ago {
        Some(seconds) => Ok(super::Since::Ago(seconds)),
        None => date(text).map(super::Since::Day).map_err(|_| "not a span such as 12h or 7d, nor a day".to_owned()),
    }
}

pub(crate) fn days(text: &str) -> Result<u32, String> {
    text.strip_suffix('d').unwrap_or(text).parse().map_err(|_| "not a number of days, such as 90d".to_owned())
}

pub(crate) fn date(text: &str) -> Result<String, String> {
    let parsed = text.parse::<jiff::civil::Date>();
    parsed.map(|date| date.to_string()).map_err(|_| "not a day such as 2026-01-31".to_owned())
}

pub(crate) fn timestamp(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| "not a moment such as 2026-11-24T12:00:00Z".to_owned())
}

pub(crate) fn per_mtok(text: &str) -> Result<UsdPerMtok, String> {
    text.trim_start_matches('$').parse().map_err(|error: crate::units::MoneyError| error.to_string())
}

pub(crate) fn usd(text: &str) -> Result<Usd, String> {
    text.trim_start_matches('$').parse().map_err(|error: crate::units::MoneyError| error.to_string())
}

pub(crate) fn probe_kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| format!("not one of {}", Kind::ALL.map(Kind::name).join(", ")))
}

/// A limit on an estimate, `require:` or `prefer:` (which is meant where neither is written) before it.
fn threshold(
    text: &str,
    measure: Measure,
    read: impl FnOnce(&str) -> Result<u64, String>,
) -> Result<Threshold, String> {
    let (firm, rest) = firmness(text);
    Ok(Threshold { measure, millionths: read(rest)?, firm })
}

fn firmness(text: &str) -> (bool, &str) {
    match (text.strip_prefix("require:"), text.strip_prefix("prefer:")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => (false, text),
    }
}

/// A positive decimal in millionths.
fn millionths(text: &str) -> Option<u64> {
    let price: UsdPerMtok = text.parse().ok()?;
    price.to_millionths().filter(|value| *value > 0)
}

pub(crate) fn max_ttft(text: &str) -> Result<Threshold, String> {
    threshold(text, Measure::Ttft, ttft_micros)
}

pub(crate) fn min_throughput(text: &str) -> Result<Threshold, String> {
    threshold(text, Measure::Throughput, speed_millionths)
}

pub(crate) fn min_availability(text: &str) -> Result<Threshold, String> {
    threshold(text, Measure::Availability, share_millionths)
}

/// A wait in microseconds.
pub(crate) fn ttft_micros(text: &str) -> Result<u64, String> {
    match duration(text)?.0 {
        Some(limit) => u64::try_from(limit.as_micros()).map_err(|_| "too long".to_owned()),
        None => Err("at least 1ms".to_owned()),
    }
}

/// Tokens per second, in millionths.
pub(crate) fn speed_millionths(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches("tok/s").trim();
    millionths(number).ok_or_else(|| "not a speed in tokens per second, such as 50".to_owned())
}

/// A share of 1, in millionths.
pub(crate) fn share_millionths(text: &str) -> Result<u64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => millionths(percent.trim()).map(|value| value / 100),
        None => millionths(text),
    };
    share.filter(|share| *share <= 1_000_000).ok_or_else(|| "not a share such as 0.99 or 99%".to_owned())
}

/// A region, and whether it is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Whether nothing outside it may be used.
    pub firm: bool,
}

pub(crate) fn region(text: &str) -> Result<Region, String> {
    match firmness(text) {
        (_, "") => Err("no region".to_owned()),
        (firm, name) => Ok(Region { name: name.to_ascii_lowercase(), firm }),
    }
}

pub(crate) fn fallback_class(text: &str) -> Result<FallbackClass, String> {
    let word = text.trim().to_ascii_lowercase().replace('-', "_");
    FallbackClass::all().find(|class| class.name() == word).ok_or_else(|| {
        let names: Vec<&str> = FallbackClass::all().map(FallbackClass::name).collect();
        format!("not one of {}", names.join(", "))
    })
}

pub(crate) fn ability(text: &str) -> Result<Ability, String> {
    Ability::parse(text).ok_or_else(|| format!("not one of {}", Ability::ALL.map(Ability::name).join(", ")))
}

pub(crate) fn preset(text: &str) -> Result<crate::routing::Preset, String> {
    let known = crate::routing::Preset::ALL.map(crate::routing::Preset::name).join(", ");
    crate::routing::Preset::parse(text).ok_or_else(|| format!("not one of {known}"))
}

pub(crate) fn number(text: &str) -> Result<serde_json::Number, String> {
    text.parse().map_err(|_| "not a number".to_owned())
}

pub(crate) fn effort(text: &str) -> Result<Effort, String> {
    let word = text.trim().to_ascii_lowercase();
    let level = Effort::WORDS.into_iter().find(|level| level.word() == Some(word.as_str()));
    level.or_else(|| tokens(&word).ok().map(|budget| Effort::Budget(budget.count()))).ok_or_else(|| {
        let words: Vec<&str> = Effort::WORDS.into_iter().filter_map(Effort::word).collect();
        format!("not one of {}, nor a number of tokens", words.join(", "))
    })
}

pub(crate) fn tool_choice(text: &str) -> Result<ToolChoice, String> {
    match text {
        "" => Err("not auto, none, required or the name of a tool".to_owned()),
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Required),
        name => Ok(ToolChoice::Named(name.to_owned())),
    }
}

pub(crate) fn set(text: &str) -> Result<(String, serde_json::Value), String> {
    let (key, value) = text.split_once('=').ok_or("not KEY=JSON")?;
    if key.is_empty() {
        return Err("not KEY=JSON".to_owned());
    }
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

/// The name of a conversation: as the hosted systems take it, up to 256 bytes.
pub(super) fn session(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("it is empty".to_owned()),
        1..=256 => Ok(text.to_owned()),
        _ => Err("it is longer than 256 bytes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_people_write_them() {
        assert_eq!(tokens("200k"), Ok(Tokens::new(200_000)));
        assert!(some_tokens("0").is_err() && some_tokens("1").is_ok());
        assert!(tokens("-1").is_err() && tokens("99999999999").is_err());
        assert_eq!(duration("2m"), Ok(Limit(Some(Duration::from_secs(120)))));
        assert_eq!(duration("1.5"), Ok(Limit(Some(Duration::from_millis(1500)))));
        assert_eq!(duration("0"), Ok(Limit(None)));
        assert!(duration("soon").is_err());
        assert!(shape("10/5/20").is_err());
        assert_eq!((effort("High"), effort("8k")), (Ok(Effort::High), Ok(Effort::Budget(8000))));
        assert!(effort("hard").unwrap_err().starts_with("not one of none, minimal"));
        assert_eq!(tool_choice("look_up"), Ok(ToolChoice::Named("look_up".to_owned())));
        assert_eq!(max_ttft("require:1.5s").map(|wish| (wish.millionths, wish.firm)), Ok((1_500_000, true)));
        assert_eq!(min_throughput("50").map(|wish| (wish.millionths, wish.firm)), Ok((50_000_000, false)));
        assert_eq!(min_availability("prefer:99.5%").map(|wish| wish.millionths), Ok(995_000));
        assert_eq!(min_availability("0.9").map(|wish| wish.millionths), Ok(900_000));
        assert!(min_availability("2").is_err() && min_throughput("0").is_err() && max_ttft("0").is_err());
        assert_eq!(region("require:EU"), Ok(Region { name: "eu".to_owned(), firm: true }));
        assert_eq!(fallback_class("Rate-limited"), Ok(FallbackClass::Class(crate::observe::ErrorClass::RateLimited)));
        assert!(fallback_class("aborted").is_err() && fallback_class("ok").is_err());
        assert_eq!(set("a=[1.50]").unwrap().1.to_string(), "[1.50]");
        assert_eq!(set("a=b c").unwrap().1, "b c");
    }
}
