//! Amounts and prices as people read them; exact figures are JSON's.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::units::{Usd, UsdPerMtok};

/// At most six significant digits, trailing zeros trimmed, no exponent.
fn six_digits(value: Decimal) -> Decimal {
    let digits = value.round_sf_with_strategy(6, RoundingStrategy::MidpointNearestEven).unwrap_or(value);
    digits.normalize()
}

/// A price per 1M tokens, without its sign: `3.00`, `0.075`, `0`.
pub(crate) fn price(value: Decimal) -> String {
    if value.is_zero() {
        return "0".to_owned();
    }
    let mut shown = six_digits(value);
    if shown.scale() < 2 {
        shown.rescale(2);
    }
    shown.to_string()
}

/// A price per 1M tokens.
pub(crate) fn per_mtok(price_: UsdPerMtok) -> String {
    price(price_.decimal())
}

/// An amount with its sign: `$0.0039`, `< $0.000001`, `$0`.
pub(crate) fn dollars(amount: Usd) -> String {
    let value = amount.decimal();
    if value.is_zero() {
        return "$0".to_owned();
    }
    if value.is_sign_negative() {
        return format!("-{}", dollars(-amount));
    }
    if value < Decimal::new(1, 6) {
        return "< $0.000001".to_owned();
    }
    format!("${}", six_digits(value))
}

/// By how much something lies above something else: `+12 %`, `-3 %`, `0 %`.
pub(crate) fn change(share: Decimal) -> String {
    let percent = (share * Decimal::ONE_HUNDRED).round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven);
    if percent.is_zero() { "0 %".to_owned() } else { format!("{:+} %", percent.normalize()) }
}

/// Amounts rounded to `places` so that they add up to their own rounded sum: the rounding error goes, a unit at a time,
/// to the amounts with the largest remainders. What is printed can be added by eye.
pub(crate) fn adding_up(amounts: &[Usd], places: u32) -> (Vec<String>, String) {
    let unit = Decimal::new(1, places);
    let total: Usd = amounts.iter().copied().sum();
    let rounded = total.decimal().round_dp_with_strategy(places, RoundingStrategy::MidpointNearestEven);
    let mut shown: Vec<Decimal> = amounts.iter().map(|amount| floor(amount.decimal(), places)).collect();
    let mut missing = rounded - shown.iter().copied().sum::<Decimal>();
    let mut order: Vec<usize> = (0..amounts.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(amounts[at].decimal() - shown[at]));
    for at in order {
        if missing < unit {
            break;
        }
        shown[at] += unit;
        missing -= unit;
    }
    let fixed = |value: Decimal| {
        let mut value = value;
        value.rescale(places);
        format!("${value}")
    };
    (shown.into_iter().map(fixed).collect(), fixed(rounded))
}

fn floor(value: Decimal, places: u32) -> Decimal {
    value.round_dp_with_strategy(places, RoundingStrategy::ToNegativeInfinity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_trimmed_and_never_in_exponents() {
        let shown = |text: &str| dollars(text.parse().unwrap());
        assert_eq!(shown("0.0390"), "$0.039");
        assert_eq!(shown("0.0027112345"), "$0.00271123");
        assert_eq!(shown("0.0000004"), "< $0.000001");
        assert_eq!(shown("0"), "$0");
        assert_eq!(price("3".parse().unwrap()), "3.00");
        assert_eq!(price("0.0625".parse().unwrap()), "0.0625");
    }

    #[test]
    fn a_change_has_its_sign() {
        let shown = |text: &str| change(text.parse().unwrap());
        assert_eq!(["0.123", "-0.03", "0.001", "-0.001", "12"].map(shown), ["+12 %", "-3 %", "0 %", "0 %", "+1200 %"]);
    }

    #[test]
    fn printed_terms_add_up_to_the_printed_total() {
        let amounts: Vec<Usd> = ["0.0000014", "0.0000014", "0.0000014"].map(|text| text.parse().unwrap()).to_vec();
        let (terms, total) = adding_up(&amounts, 6);
        assert_eq!(total, "$0.000004");
        assert_eq!(terms, ["$0.000002", "$0.000001", "$0.000001"]);
    }
}
