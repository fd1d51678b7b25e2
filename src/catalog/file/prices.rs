//! The `price` table of an overlay's endpoint.

use super::OverlayError;
use super::reader::{Reader, suggestion};
use crate::catalog::price::{Comparator, Item, Meter, PriceKey, Pricing, Tier};
use crate::units::{Tokens, UsdPerMtok};

/// A price sheet whose tiers wait for the provider's comparator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PricePatch {
    flat: Pricing,
    tiers: Vec<(Tokens, Item, UsdPerMtok)>,
}

impl PricePatch {
    /// Reads the table; every key must be one of the price keys of the snapshot, every value a decimal in quotes.
    pub(super) fn read(table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        let mut flat = Pricing::default();
        for key in table.keys().iter().filter(|key| *key != "tiers") {
            let Some(value) = table.decimal(key)? else { continue };
            match flat.set(key, &value) {
                Ok(true) => {}
                Ok(false) => return Err(unknown(table, key)),
                Err(error) => return Err(table.error(key, error.to_string())),
            }
        }
        for key in ["input", "output"] {
            if !table.has(key) {
                return Err(table.error(key, "is missing: a price needs input and output, in USD per 1M tokens"));
            }
        }
        let mut tiers = Vec::new();
        for tier in table.tables("tiers")? {
            let over =
                tier.tokens("over")?.ok_or_else(|| tier.error("over", "is missing: above how many input tokens?"))?;
            for key in tier.keys().iter().filter(|key| *key != "over") {
                let Some(PriceKey::Token(item)) = PriceKey::parse(key) else { return Err(unknown(&tier, key)) };
                if flat.base(item).is_none() {
                    return Err(tier.error(key, format!("has no base rate: add {key} to the price as well")));
                }
                let Some(value) = tier.decimal(key)? else { continue };
                tiers.push((over, item, value.parse().map_err(|error| tier.error(key, format!("{error}")))?));
            }
        }
        Ok(Self { flat, tiers })
    }

    /// The price sheet; `inclusive` thresholds are crossed by a request of exactly that size.
    pub(super) fn sheet(&self, inclusive: bool) -> Pricing {
        let mut sheet = self.flat.clone();
        let comparator = if inclusive { Comparator::Ge } else { Comparator::Gt };
        for &(threshold, item, price) in &self.tiers {
            if let Some(rate) = sheet.rates.get_mut(&item) {
                rate.tiers.push(Tier { threshold, comparator, meter: Meter::Input, price: Some(price) });
            }
        }
        sheet
    }
}

fn unknown(table: &Reader<'_, '_>, key: &str) -> OverlayError {
    let fees = ["per_request", "web_search_per_1k", "per_input_image", "per_output_image", "tiers"];
    let known = Item::ALL.into_iter().map(Item::key).chain(fees);
    table.error(key, format!("unknown key{}", suggestion(key, known)))
}
