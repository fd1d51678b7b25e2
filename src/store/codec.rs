//! A decision as text: mirrors of the values of `routing` with serde on them, because those are not made to be stored.
//!
//! What differs from call to call is one text, the *row*; what hardly does (the policy and the endpoints' facts) is another,
//! the *sheet*, which many rows share under its hash. A field that an old row lacks reads as its default, and one that is
//! not known is passed over. Floats are written so that they read back to the bit, money as exact decimals, moments to the
//! nanosecond. To add a field: the compiler says where a value is taken apart; a line in its mirror, one in `of`, one in
//! `value`.

mod facts;
mod live;
mod request;
mod sheets;
mod trade;

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use super::StoreError;
use super::words::sixteen;
use crate::routing::{Candidate, Input, Kept, Placed, decision_hex};
use crate::units::Usd;
use facts::Fact;
use live::Live;
use request::Request;
pub(super) use sheets::Sheets;
use sheets::{Sheet, Written};

/// A decision as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Encoded {
    /// What many decisions share.
    pub sheet: Arc<Written>,
    /// What is this one's own; it names the hash.
    pub row: String,
}

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
struct Row<'a> {
    by: Cow<'a, str>,
    sheet: Cow<'a, str>,
    at: String,
    seed: u64,
    request: Request,
    /// The candidates of which more is known than the sheet says, by their place in it.
    live: Vec<(usize, Live)>,
    /// Places in the order of trying, each with its total in picodollars.
    order: Vec<(usize, Option<i64>)>,
    #[serde(skip_serializing_if = "is_plain")]
    client: Option<Cow<'a, str>>,
    /// The id of the decision before, as it is printed.
    #[serde(skip_serializing_if = "is_plain")]
    after: Option<String>,
}

/// The texts of a decision; `sheets` are those that were written before.
///
/// # Errors
/// It cannot be written as JSON, which does not happen.
pub(super) fn encode(kept: &Kept, sheets: &mut Sheets) -> Result<Encoded, StoreError> {
    let Kept { id: _, version, input, order, client, after } = kept;
    let Input { request, candidates, policy, now, seed } = input;
    let failed = |error: serde_json::Error| StoreError(error.to_string());
    let sheet = sheets.of(policy, candidates).map_err(failed)?;
    let live = candidates.iter().map(Live::of).enumerate().filter(|(_, live)| *live != Live::default());
    let place = |placed: &Placed| {
        let at = candidates.iter().position(|candidate| candidate.endpoint.id == placed.endpoint)?;
        Some((at, placed.total.and_then(Usd::to_pico)))
    };
    let row = Row {
        by: version.into(),
        sheet: Cow::Borrowed(&sheet.hash),
        at: now.to_string(),
        seed: *seed,
        request: Request::of(request),
        live: live.collect(),
        order: order.iter().filter_map(place).collect(),
        client: client.as_ref().map(Cow::from),
        after: after.as_ref().map(decision_hex),
    };
    let row = serde_json::to_string(&row).map_err(failed)?;
    Ok(Encoded { sheet, row })
}

/// A decision from its texts; `sheet` gives the sheet of a hash.
///
/// # Errors
/// A text is damaged, or says something in words of a newer version; or the sheet is gone.
pub(super) fn decode(
    id: [u8; 16],
    row: &str,
    sheet: impl FnOnce(&str) -> Result<Option<String>, StoreError>,
) -> Result<Kept, StoreError> {
    let damaged = |error: serde_json::Error| StoreError(format!("the decision is damaged: {error}"));
    let row: Row<'_> = serde_json::from_str(row).map_err(damaged)?;
    let sheet = sheet(&row.sheet)?.ok_or_else(|| StoreError("what the decision was made of is gone".to_owned()))?;
    let sheet: Sheet = serde_json::from_str(&sheet).map_err(damaged)?;
    let mut candidates =
        sheet.candidates.into_iter().map(Fact::value).collect::<Result<Vec<Candidate<'static>>, _>>()?;
    for (at, live) in row.live {
        let candidate = candidates.get_mut(at).ok_or_else(|| not_known("candidate", &at.to_string()))?;
        live.lay_over(candidate)?;
    }
    let place = |(at, total): (usize, Option<i64>)| {
        let candidate = candidates.get(at).ok_or_else(|| not_known("candidate", &at.to_string()))?;
        Ok(Placed { endpoint: candidate.endpoint.id.clone(), total: total.map(Usd::from_pico) })
    };
    let order = row.order.into_iter().map(place).collect::<Result<Vec<_>, StoreError>>()?;
    let client = row.client.map(Cow::into_owned);
    let after = row.after.map(|hex| sixteen(&hex).ok_or_else(|| not_known("decision", &hex))).transpose()?;
    let request = row.request.value()?;
    let (policy, now) = (sheet.policy.value()?, parsed("moment", &row.at)?);
    let input = Input { request, candidates, policy, now, seed: row.seed };
    Ok(Kept { id, version: row.by.into_owned(), input, order, client, after })
}

/// A float that reads back to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(try_from = "String")]
struct Float(f64);

impl Serialize for Float {
    /// As `{:?}` writes it, which serde_json does faster where no exponent is needed; of two shortest texts that are equally
    /// near it may take the other.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        if !(value == 0.0 || (1e-4..1e16).contains(&value.abs())) {
            return serializer.collect_str(&format_args!("{value:?}"));
        }
        let mut room = [0; 32];
        let mut left = &mut room[..];
        serde_json::to_writer(&mut left, &value).map_err(S::Error::custom)?;
        let length = 32 - left.len();
        serializer.serialize_str(std::str::from_utf8(&room[..length]).map_err(S::Error::custom)?)
    }
}

impl TryFrom<String> for Float {
    type Error = std::num::ParseFloatError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// Seconds and nanoseconds.
type Span = (u64, u32);

fn span(time: std::time::Duration) -> Span {
    (time.as_secs(), time.subsec_nanos())
}

fn time((seconds, nanos): Span) -> std::time::Duration {
    std::time::Duration::new(seconds, nanos.min(999_999_999))
}

/// Whether a field says nothing, so that it is left out.
fn is_plain<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn not_known(what: &str, text: &str) -> StoreError {
    StoreError(format!("the decision is damaged, or of a newer openmux: the {what} \"{text}\" is not known"))
}

fn parsed<T: FromStr>(what: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| not_known(what, text))
}

fn parsed_if<T: FromStr>(what: &str, text: Option<&String>) -> Result<Option<T>, StoreError> {
    text.map(|text| parsed(what, text)).transpose()
}

/// The value of a word.
fn named<T>(what: &str, word: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
    parse(word).ok_or_else(|| not_known(what, word))
}

fn moment(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// A small decision of a moment.
#[cfg(test)]
pub(super) fn decided(id: [u8; 16], at: &str) -> Kept {
    let row = format!(
        r#"{{"by":"0.0.1","sheet":"s","at":"{at}","seed":1,"request":{{"model":"a/m","input":10,"stream":true}},"live":[],"order":[]}}"#
    );
    let sheet = r#"{"policy":{"preset":"latency"},"candidates":[]}"#;
    decode(id, &row, |_| Ok(Some(sheet.to_owned()))).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_reads_back_to_the_bit() {
        let odd = [0.1 + 0.2, 1.0 / 3.0, -0.0, 5e-324, f64::MAX, f64::INFINITY, 1e21, 0.992, 123_456_789.123_456_79];
        for value in odd {
            let text = serde_json::to_string(&Float(value)).unwrap();
            let back: Float = serde_json::from_str(&text).unwrap();
            assert_eq!(back.0.to_bits(), value.to_bits(), "{text}");
        }
    }

    #[test]
    fn a_float_is_written_as_shortly_as_rust_writes_it() {
        let words =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::EPSILON, 0.0, 1.0, -1e-4, 1e15];
        let powers =
            (-324..309).flat_map(|power| [1.0, 9.999_999_999_999_999, -1.25].map(|by| by * 10_f64.powi(power)));
        let mut bits = 1_u64;
        let odd = (0..20_000).map(|_| {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from_bits(bits)
        });
        for value in words.into_iter().chain(powers).chain(odd) {
            for value in [value, value.fract(), value % 1e6] {
                let (text, rust) = (serde_json::to_string(&Float(value)).unwrap(), format!("\"{value:?}\""));
                let is_tie = text.len() == rust.len() && text[..text.len() - 2] == rust[..rust.len() - 2];
                assert!(text == rust || is_tie && value.abs() >= 1e-4, "{text} {rust}");
                let back: Float = serde_json::from_str(&text).unwrap();
                assert!(back.0.to_bits() == value.to_bits() || value.is_nan(), "{text}");
            }
        }
    }

    #[test]
    fn what_an_old_row_lacks_is_its_default_and_what_is_new_is_passed_over() {
        let row = r#"{"by":"0.0.1","sheet":"s","at":"2026-11-24T12:00:00.000000001Z","seed":18446744073709551615,
            "novel":{"a":[1]},"request":{"model":"a/m","input":10,"stream":true,"novel":1},"live":[[0,{"in_flight":2}]],
            "order":[[0,null]]}"#;
        let sheet = r#"{"policy":{"preset":"latency"},"candidates":[{"provider":"p","upstream":"m","novel":true}]}"#;
        let kept = decode([1; 16], row, |hash| Ok((hash == "s").then(|| sheet.to_owned()))).unwrap();
        let (input, default) = (&kept.input, crate::routing::Policy::default());
        assert_eq!(input.now.subsec_nanosecond(), 1);
        assert_eq!((input.seed, input.candidates[0].in_flight), (u64::MAX, 2));
        assert_eq!(input.policy.preset, Some(crate::routing::Preset::Latency));
        assert_eq!((input.policy.learning, input.policy.retry_cost), (default.learning, default.retry_cost));
        assert_eq!(input.candidates[0].endpoint.status, crate::catalog::Status::Active);
        assert_eq!(kept.order[0].total, None);
        let gone = decode([1; 16], row, |_| Ok(None)).unwrap_err();
        assert_eq!(gone.0, "what the decision was made of is gone");
        let newer = sheet.replace("\"novel\":true", "\"status\":\"sleeping\"");
        let error = decode([1; 16], row, |_| Ok(Some(newer))).unwrap_err();
        assert!(error.0.ends_with("the status \"sleeping\" is not known"), "{error}");
    }
}
