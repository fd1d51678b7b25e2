//! Units that multiply into units: [`Tokens`], [`Usd`], [`UsdPerMtok`], [`UsdPerSecond`].
//!
//! Money is an exact decimal from the price sheet's characters to the output's. There is no float here, and none may
//! be added. Bounds make the arithmetic total: a price has at most 12 decimals and lies below one million, a count of
//! tokens lies at or below [`Tokens::MAX`], so a product always fits the 96 bits of a decimal.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};
use std::str::FromStr;
use std::time::Duration;

use rust_decimal::{Decimal, RoundingStrategy};

/// A count of tokens, as the provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tokens(u64);

impl Tokens {
    /// No tokens.
    pub const ZERO: Self = Self(0);
    /// The largest count that is accepted: ten thousand million.
    pub const MAX: Self = Self(10_000_000_000);

    /// A count; anything above [`Tokens::MAX`] becomes [`Tokens::MAX`].
    #[must_use]
    pub const fn new(count: u64) -> Self {
        if count > Self::MAX.0 { Self::MAX } else { Self(count) }
    }

    /// A count as a provider reports it; `None` above [`Tokens::MAX`].
    #[must_use]
    pub const fn reported(count: u64) -> Option<Self> {
        if count > Self::MAX.0 { None } else { Some(Self(count)) }
    }

    /// The bare number.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.0
    }

    /// `self - other`, or `None` where that would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// `self - other`, zero where that would be negative.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Tokens {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.0.saturating_add(other.0))
    }
}

impl Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a piece of text is not a price or an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal number.
    #[error("\"{0}\" is not a decimal number")]
    NotDecimal(String),
    /// Below zero.
    #[error("\"{0}\" is negative")]
    Negative(String),
    /// A million or more, or more decimals than any price has.
    #[error("\"{0}\" is out of range (below 1000000, at most 12 decimals)")]
    OutOfRange(String),
}

/// Parses a non-negative decimal within the bounds of this module; scientific notation is accepted.
fn parse_money(text: &str, decimals: u32) -> Result<Decimal, MoneyError> {
    if let Some(value) = parse_short(text, decimals) {
        return Ok(value);
    }
    let text = text.trim();
    let parsed = if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Decimal::from_str_exact(text) };
    let value = parsed.map_err(|_| MoneyError::NotDecimal(text.to_owned()))?.normalize();
    if value.is_sign_negative() && !value.is_zero() {
        return Err(MoneyError::Negative(text.to_owned()));
    }
    if value >= Decimal::from(1_000_000) || value.scale() > decimals {
        return Err(MoneyError::OutOfRange(text.to_owned()));
    }
    Ok(value)
}

/// What nearly every price is: digits around at most one point, few enough for a word. The same value as the long way
/// gives; `None` leaves it to that. A listing reads ten thousand prices.
fn parse_short(text: &str, decimals: u32) -> Option<Decimal> {
    let bytes = text.as_bytes();
    let ends_in_digits = bytes.first()?.is_ascii_digit() && bytes.last()?.is_ascii_digit();
    if !ends_in_digits || bytes.len() > 18 {
        return None;
    }
    let (mut digits, mut scale, mut pointed) = (0_i64, 0, false);
    for byte in bytes {
        match byte {
            b'0'..=b'9' => {
                digits = digits * 10 + i64::from(byte - b'0');
                scale += u32::from(pointed);
            }
            b'.' if !pointed => pointed = true,
            _ => return None,
        }
    }
    while scale > 0 && digits % 10 == 0 {
        digits /= 10;
        scale -= 1;
    }
    let in_range = scale <= decimals && digits < 1_000_000_i64.checked_mul(10_i64.checked_pow(scale)?)?;
    in_range.then(|| Decimal::new(digits, scale))
}

/// The exact decimal, without exponent and without trailing zeros.
fn plain(value: Decimal) -> String {
    let value = value.normalize();
    if value.is_zero() { "0".to_owned() } else { value.to_string() }
}

/// US dollars, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(Decimal);

impl Usd {
    /// No money.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Picodollars (1e-12 USD), the resolution of the store and of score terms.
    #[must_use]
    pub fn from_pico(pico: i64) -> Self {
        Self(Decimal::new(pico, 12))
    }

    /// Rounded half-even to picodollars; `None` beyond the range of an `i64` (about nine million dollars).
    #[must_use]
    pub fn to_pico(self) -> Option<i64> {
        let rounded = self.rounded().0;
        let more = 10_i128.checked_pow(12_u32.checked_sub(rounded.scale())?)?;
        i64::try_from(rounded.mantissa().checked_mul(more)?).ok()
    }

    /// Rounded half-even to 1e-12 USD, as score terms are before they are summed and compared.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self(self.0.round_dp_with_strategy(12, RoundingStrategy::MidpointNearestEven))
    }

    /// The amount for `count` things at `self` each, e.g. one fee per request.
    #[must_use]
    pub fn times(self, count: Decimal) -> Self {
        Self(self.0 * count)
    }

    /// The amount divided by a positive whole number, and whether the division ended within 12 places.
    #[must_use]
    pub fn per(self, parts: u32) -> (Self, bool) {
        let parts = Decimal::from(parts.max(1));
        let exact = self.0 / parts;
        let rounded = Self(exact).rounded();
        (rounded, rounded.0 * parts == self.0)
    }

    /// A share of this amount: `self * ppt / 1e12`, rounded half-even to 1e-12 USD. `ppt` is parts per trillion.
    #[must_use]
    pub fn share(self, ppt: u64) -> Self {
        Self(self.0 * Decimal::from_i128_with_scale(i128::from(ppt), 12)).rounded()
    }

    /// By which share this lies above another amount (0.12 is 12 % above), to four places; `None` where the other is 0.
    #[must_use]
    pub fn above(self, other: Self) -> Option<Decimal> {
        let share = (self.0 - other.0).checked_div(other.0)?;
        Some(share.round_dp_with_strategy(4, RoundingStrategy::MidpointNearestEven))
    }

    /// The exact decimal without exponent and trailing zeros: what JSON prints.
    #[must_use]
    pub fn exact(self) -> String {
        plain(self.0)
    }

    /// The bare decimal, for rendering.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// An amount from a decimal that is already known to be dollars.
    #[must_use]
    pub fn from_decimal(value: Decimal) -> Self {
        Self(value)
    }
}

/// At most 16 decimals: prices per second go that far.
impl FromStr for Usd {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        parse_money(text, 16).map(Self)
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Usd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Usd {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.exact())
    }
}

/// A price in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UsdPerMtok(Decimal);

impl UsdPerMtok {
    /// Free.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// From millionths of a dollar per million tokens.
    #[must_use]
    pub fn from_millionths(millionths: u64) -> Self {
        Self(Decimal::from_i128_with_scale(i128::from(millionths), 6).normalize())
    }

    /// Millionths of a dollar per million tokens, rounded down; `None` where that is too much for a `u64`.
    #[must_use]
    pub fn to_millionths(self) -> Option<u64> {
        let scaled = self.0.checked_mul(Decimal::from(1_000_000))?.trunc();
        u64::try_from(scaled.mantissa() / 10_i128.pow(scaled.scale())).ok()
    }

    /// The exact decimal without exponent and trailing zeros.
    #[must_use]
    pub fn exact(self) -> String {
        plain(self.0)
    }

    /// The bare decimal, for rendering.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        self.0
    }
}

impl FromStr for UsdPerMtok {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        parse_money(text, 12).map(Self)
    }
}

impl fmt::Display for UsdPerMtok {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.exact())
    }
}

/// Exact: shifts the point by six places.
impl Mul<Tokens> for UsdPerMtok {
    type Output = Usd;
    fn mul(self, tokens: Tokens) -> Usd {
        let mantissa = self.0.mantissa() * i128::from(tokens.0);
        Usd(Decimal::from_i128_with_scale(mantissa, self.0.scale() + 6).normalize())
    }
}

/// What a person gives for not waiting a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UsdPerSecond(Decimal);

impl UsdPerSecond {
    /// Waiting costs nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// From dollars an hour: rounded half-even to 1e-12 USD a second.
    #[must_use]
    pub fn from_hourly(per_hour: Usd) -> Self {
        Self(per_hour.per(3600).0.0)
    }

    /// How long a wait is that is worth so much, up to the next nanosecond; `None` where waiting costs nothing.
    #[must_use]
    pub fn worth(self, amount: Usd) -> Option<Duration> {
        let (amount, second) = (amount.to_pico()?, (self * Duration::from_secs(1)).to_pico()?);
        let nanos = i128::from(amount.max(0)) * 1_000_000_000;
        let second = i128::from(second);
        (second > 0).then(|| u64::try_from((nanos + second - 1) / second).map_or(Duration::MAX, Duration::from_nanos))
    }

    /// The exact decimal without exponent and trailing zeros.
    #[must_use]
    pub fn exact(self) -> String {
        plain(self.0)
    }

    /// The bare decimal, for rendering.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        self.0
    }
}

impl FromStr for UsdPerSecond {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        parse_money(text, 12).map(Self)
    }
}

/// Rounded half-even to 1e-12 USD.
impl Mul<Duration> for UsdPerSecond {
    type Output = Usd;
    fn mul(self, wait: Duration) -> Usd {
        let nanos = i128::try_from(wait.as_nanos().min(1_000_000_000_000_000)).unwrap_or_default();
        Usd(self.0 * Decimal::from_i128_with_scale(nanos, 9)).rounded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_times_tokens_is_exact() {
        let price: UsdPerMtok = "0.01875".parse().unwrap();
        assert_eq!((price * Tokens::new(1)).exact(), "0.00000001875");
        assert_eq!((price * Tokens::ZERO).exact(), "0");
        let dear: UsdPerMtok = "999999.999999999999".parse().unwrap();
        assert_eq!((dear * Tokens::MAX).exact(), "9999999999.99999999");
    }

    #[test]
    fn prices_outside_the_bounds_are_refused() {
        assert_eq!("-1".parse::<UsdPerMtok>(), Err(MoneyError::Negative("-1".into())));
        assert!(matches!("1e9".parse::<UsdPerMtok>(), Err(MoneyError::OutOfRange(_))));
        assert!(matches!("3 USD".parse::<UsdPerMtok>(), Err(MoneyError::NotDecimal(_))));
        assert_eq!("1.25e-06".parse::<Usd>().unwrap().exact(), "0.00000125");
        assert_eq!("3.00".parse::<UsdPerMtok>().unwrap().exact(), "3");
    }

    #[test]
    fn a_short_price_is_what_the_long_way_makes_of_it() {
        let texts =
            ["0", "0.0", "00.10", "3", "3.00", "0.075", "12.5000", "999999", "999999.99999999", "0.000000000001"];
        let odd = [
            "",
            ".",
            ".5",
            "5.",
            "1.2.3",
            "1000000",
            "999999.999999999999",
            "0.0000000000001",
            "1_0",
            "-1",
            "+1",
            "1e2",
        ];
        for text in texts.into_iter().chain(odd) {
            // A space goes the long way.
            let (short, long) = (text.parse::<UsdPerMtok>(), format!(" {text}").parse::<UsdPerMtok>());
            let parts = |price: UsdPerMtok| (price.0.mantissa(), price.0.scale());
            assert_eq!(short.clone().map(parts), long.map(parts), "{text}");
            assert!(odd.contains(&text) || parse_short(text, 12).is_some_and(|value| short == Ok(UsdPerMtok(value))));
        }
    }

    #[test]
    fn picodollars_go_there_and_back() {
        let amount: Usd = "0.000123456789".parse().unwrap();
        assert_eq!(amount.to_pico(), Some(123_456_789));
        assert_eq!(Usd::from_pico(123_456_789), amount);
        for (text, pico) in [
            ("0.0000000000005", Some(0)),
            ("-0.0000000000015", Some(-2)),
            ("0.00000000000100000000000000001", Some(1)),
            ("1.50", Some(1_500_000_000_000)),
            ("9223372.036854775807", Some(i64::MAX)),
            ("9223372.0368547758074", Some(i64::MAX)),
            ("9223372.036854775808", None),
            ("79228162514264337593543950335", None),
        ] {
            assert_eq!(Usd(text.parse().unwrap()).to_pico(), pico, "{text}");
        }
    }

    #[test]
    fn eighteen_dollars_an_hour_is_half_a_cent_a_second() {
        let v = UsdPerSecond::from_hourly("18".parse().unwrap());
        assert_eq!(v.exact(), "0.005");
        assert_eq!((v * Duration::from_millis(800)).exact(), "0.004");
    }
}
