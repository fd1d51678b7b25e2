//! The values of a scenario's file, each checked; what is wrong is said with its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::fault::Fault;

/// What is wrong, and where.
pub(super) struct Fail {
    pub(super) at: Option<Range<usize>>,
    pub(super) message: String,
}

impl Fail {
    pub(super) fn at(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at: Some(at), message: message.into() }
    }

    pub(super) fn unknown_key(at: Range<usize>, key: &str, known: &[&str]) -> Self {
        let hint = match suggestion(key, known) {
            hint if hint.is_empty() => format!("; the keys here are {}", known.join(", ")),
            hint => hint,
        };
        Self::at(at, format!("unknown key \"{key}\"{hint}"))
    }
}

/// `; did you mean ...?` with the nearest of `known`, or nothing where none is near.
pub(super) fn suggestion(typed: &str, known: &[&str]) -> String {
    let near = known.iter().map(|name| (strsim::damerau_levenshtein(typed, name), name)).min();
    match near {
        Some((distance, name)) if distance <= 1 + name.len() / 4 => format!("; did you mean {name}?"),
        _ => String::new(),
    }
}

pub(super) fn table<'a, 'i>(place: &str, value: &'a Spanned<DeValue<'i>>) -> Result<&'a DeTable<'i>, Fail> {
    value.get_ref().as_table().ok_or_else(|| Fail::at(value.span(), format!("{place} must be a table")))
}

pub(super) fn whole(key: &str, value: &Spanned<DeValue<'_>>, low: u64, high: u64) -> Result<u64, Fail> {
    let number = value.get_ref().as_integer().and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
    match number {
        Some(number) if (low..=high).contains(&number) => Ok(number),
        _ if high == u64::MAX => Err(Fail::at(value.span(), format!("{key} must be a whole number from {low}"))),
        _ => Err(Fail::at(value.span(), format!("{key} must be a whole number from {low} to {high}"))),
    }
}

pub(super) fn range(key: &str, value: &Spanned<DeValue<'_>>) -> Result<(u64, u64), Fail> {
    let Some(bounds) = value.get_ref().as_array() else {
        return whole(key, value, 0, 600_000).map(|number| (number, number));
    };
    let mut bounds = bounds.iter();
    let (Some(low), Some(high), None) = (bounds.next(), bounds.next(), bounds.next()) else {
        return Err(Fail::at(value.span(), format!("{key} must be a number or [low, high]")));
    };
    let (low, high) = (whole(key, low, 0, 600_000)?, whole(key, high, 0, 600_000)?);
    if high < low {
        return Err(Fail::at(value.span(), format!("{key} is a range whose end lies below its start")));
    }
    Ok((low, high))
}

/// Tokens a second, whole or with up to six decimals, in millionths.
pub(super) fn speed(value: &Spanned<DeValue<'_>>) -> Result<u64, Fail> {
    let text = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => "",
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let micro = format!("{whole}{decimals:0<6}").parse().ok().filter(|_| !whole.is_empty() && decimals.len() <= 6);
    match micro {
        Some(micro @ 1..=10_000_000_000_u64) => Ok(micro),
        _ => Err(Fail::at(value.span(), "tokens_per_second must be a number above 0, at most 10000")),
    }
}

pub(super) fn fault(value: &Spanned<DeValue<'_>>) -> Result<Option<Fault>, Fail> {
    match value.get_ref().as_str() {
        Some("none") => Ok(None),
        Some(name) => named(name, value).map(Some),
        None => Err(Fail::at(value.span(), "fault must be the name of a fault, in quotes")),
    }
}

/// Names of faults, at least one.
pub(super) fn faults(value: &Spanned<DeValue<'_>>) -> Result<Vec<Fault>, Fail> {
    let wrong = |at| Fail::at(at, "faults must be a list of names of faults, in quotes");
    let names = value.get_ref().as_array().filter(|names| !names.is_empty()).ok_or_else(|| wrong(value.span()))?;
    let one = |value: &Spanned<DeValue<'_>>| match value.get_ref().as_str() {
        Some(name) => named(name, value),
        None => Err(wrong(value.span())),
    };
    names.iter().map(one).collect()
}

fn named(name: &str, value: &Spanned<DeValue<'_>>) -> Result<Fault, Fail> {
    Fault::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        let hint = match suggestion(name, &names) {
            hint if hint.is_empty() => format!("; the faults are none, {}", names.join(", ")),
            hint => hint,
        };
        Fail::at(value.span(), format!("unknown fault \"{name}\"{hint}"))
    })
}
