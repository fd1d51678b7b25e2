//! What a call comes to before there is a bill: expected, and at most.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{FeeItem, Item, Pricing};
use crate::units::{Tokens, Usd, UsdPerMtok};

impl Pricing {
    /// The most that so many tokens can cost on this sheet: input at the dearest of its plain, cache-write (with `hours`
    /// those for an hour, too), tier and (with `media`) image rates, output at the dearest of its rates, both times the
    /// sheet's multiplier, plus the fee of one request; `None` where the price of plain input or output is not known, or
    /// where images are billed apiece too: how many a document holds is not known.
    #[must_use]
    pub fn worst_case(&self, input: Tokens, output: Tokens, (media, hours): (bool, bool)) -> Option<Usd> {
        if media && self.fees.contains_key(&FeeItem::InputImages) {
            return None;
        }
        let (inputs, outputs) = self.worst_rates(input, output, (media, hours))?;
        Some((inputs * input + outputs * output).times(self.multiplier) + self.request_fee())
    }

    /// The rates of input and output that [`Pricing::worst_case`] reckons with; `None` where a plain one is not known.
    #[must_use]
    pub fn worst_rates(
        &self,
        input: Tokens,
        output: Tokens,
        (media, hours): (bool, bool),
    ) -> Option<(UsdPerMtok, UsdPerMtok)> {
        let dearest = |items: &[Item]| {
            let rates = items.iter().filter_map(|item| self.rates.get(item));
            rates.filter_map(|rate| rate.dearest(input, output)).max()
        };
        let further = [(Item::InputImage, media), (Item::CacheWrite1h, hours)];
        let further = further.into_iter().filter(|(_, counts)| *counts).map(|(item, _)| item);
        let inputs = [Item::Input, Item::CacheWrite].into_iter().chain(further).collect::<Vec<_>>();
        let inputs = dearest(&inputs)?;
        let outputs = dearest(&[Item::Output, Item::Reasoning])?;
        self.base(Item::Input)?;
        self.base(Item::Output)?;
        Some((inputs, outputs))
    }

    /// What [`Pricing::cost`] comes to for text alone: `cached` of the `input` tokens read from a cache. The same to the
    /// last digit, without the lines of the bill. `None` where plain input or output has no price, or `cached` exceeds
    /// `input`.
    #[must_use]
    pub fn of_text(&self, input: Tokens, cached: Tokens, output: Tokens, at: Timestamp) -> Option<Usd> {
        let rate = |item| self.rate_at(item, input, output, at);
        let amount = |rate: UsdPerMtok, count: Tokens| {
            let amount = rate * count;
            if self.multiplier == Decimal::ONE { amount } else { amount.times(self.multiplier) }
        };
        let (plain, answer) = (rate(Item::Input)?, rate(Item::Output)?);
        let fresh = input.checked_sub(cached)?;
        // What has no rate of its own is charged as plain input.
        let read = if cached > Tokens::ZERO { rate(Item::CacheRead) } else { None };
        let inputs = match read {
            Some(read) => amount(plain, fresh) + amount(read, cached),
            None => amount(plain, input),
        };
        Some(inputs + amount(answer, output) + self.request_fee())
    }

    /// What writing so many of the `input` tokens to a prompt cache costs beyond reading them, `hour` of them for an hour:
    /// [`Pricing::cost`] with these counts is [`Pricing::of_text`] and this. `None` where the sheet has no price for it.
    #[must_use]
    pub fn of_writing(
        &self,
        (input, output): (Tokens, Tokens),
        (written, hour): (Tokens, Tokens),
        at: Timestamp,
    ) -> Option<Usd> {
        let rate = |item: Item| self.rate_at(item, input, output, at);
        let amount = |rate: UsdPerMtok, count: Tokens| (rate * count).times(self.multiplier);
        let (plain, short) = (rate(Item::Input)?, rate(Item::CacheWrite));
        // What has no rate of its own is charged as what contains it.
        let long = rate(Item::CacheWrite1h).or(short);
        short.or(long)?;
        let hour = hour.min(written);
        let beyond = |rate: Option<UsdPerMtok>, count| amount(rate.unwrap_or(plain), count) - amount(plain, count);
        Some(beyond(short, written.saturating_sub(hour)) + beyond(long, hour))
    }

    /// The rate of an item in a request of this size that starts then, of the standard service tier, before the sheet's
    /// multiplier; `None` where none is known and the item is charged through what contains it.
    #[must_use]
    pub fn rate_at(&self, item: Item, input: Tokens, output: Tokens, at: Timestamp) -> Option<UsdPerMtok> {
        let off_peak = self.off_peak.as_ref().filter(|hours| hours.windows.iter().any(|window| window.contains(at)));
        let cheap = off_peak.and_then(|hours| hours.rates.get(&item)).copied();
        cheap.or_else(|| self.rates.get(&item)?.at(input, output).0)
    }
}
