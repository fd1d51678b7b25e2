//! What the catalog says to an assertion about one offer: yes, no, or that nobody knows. Unknown is never a yes.

use jiff::Timestamp;

use super::claim::Claim;
use super::offer::Offer;
use super::row::Finding;
use crate::catalog::price::{Item, Meter, Rate};
use crate::catalog::{Capability, Endpoint, Limits, Modality, Status};
use crate::cli::args::Shape;
use crate::cli::render::money::{dollars, per_mtok};
use crate::cli::render::sheet::Cell;
use crate::cli::render::text::grouped;
use crate::cli::{day, facts};
use crate::routing::Ability;
use crate::units::{Tokens, Usd, UsdPerMtok};

/// What the catalog says to a claim about an offer; `None` where it is no question for the catalog.
pub(super) fn offer(claim: &Claim, offer: &Offer, shape: Option<Shape>, now: Timestamp) -> Option<Finding> {
    let endpoint = &offer.endpoint;
    Some(match claim {
        Claim::Price(item, most) => price(endpoint, *item, *most, shape),
        Claim::CallPrice(most) => call_price(endpoint, *most, shape?, now),
        Claim::Context(least) => context(endpoint, *least),
        Claim::Output(least) => limit(endpoint, "max_output", endpoint.max_output, *least),
        Claim::Has(ability) => has(endpoint, *ability),
        Claim::NotRetiring(days) => retiring(endpoint, *days, now),
        _ => return None,
    })
}

fn price(endpoint: &Endpoint, item: Item, most: UsdPerMtok, shape: Option<Shape>) -> Finding {
    let name = match item {
        Item::Input => "price_in".to_owned(),
        Item::Output => "price_out".to_owned(),
        item => format!("price_{}", item.key()),
    };
    let (provider, wanted) = (&endpoint.id.provider, Cell::money(Some(most.decimal())));
    let limit = per_mtok(most);
    let Some(rate) = endpoint.pricing.as_ref().and_then(|pricing| pricing.rates.get(&item)) else {
        let told = format!("{name} ? <= {limit}");
        return Finding::unknown(wanted, told, format!("{provider} states no price for {}", item.key()));
    };
    let Some(base) = shape.map_or(rate.base, |shape| rate.at(shape.input, shape.output).0) else {
        let told = format!("{name} ? <= {limit}");
        let why = format!("{provider} states no price for {} of requests of that size", item.key());
        return Finding::unknown(wanted, told, why);
    };
    let found = Cell::money(Some(base.decimal()));
    let told = format!("{name} {} <= {limit}", per_mtok(base));
    let range = endpoint.dispute.and_then(|dispute| match item {
        Item::Input => Some(dispute.input),
        Item::Output => Some(dispute.output),
        _ => None,
    });
    // The limit lies between what sources say: whether it is kept depends on whom one believes.
    if let Some((low, high)) = range.filter(|(low, high)| (*low).min(base) <= most && most < (*high).max(base)) {
        let why = format!("sources say {} to {}", per_mtok(low.min(base)), per_mtok(high.max(base)));
        return Finding::unknown(wanted, told, why).found(found);
    }
    let told = told + &dearer(rate, base, shape);
    let why = format!("{provider} says {}", per_mtok(base));
    Finding::decided(base <= most, (wanted, found), told, why)
}

/// What larger requests cost, where no size is stated.
fn dearer(rate: &Rate, base: UsdPerMtok, shape: Option<Shape>) -> String {
    let priced = rate.tiers.iter().filter_map(|tier| Some((tier.price?, tier)));
    let dearer = priced.filter(|(price, _)| shape.is_none() && *price > base);
    let Some((price, tier)) = dearer.max_by_key(|(price, _)| *price) else { return String::new() };
    let meter = if tier.meter == Meter::Input { "in" } else { "out" };
    let (sign, size) = (tier.comparator.sign(), grouped(tier.threshold.count()));
    format!(" ({} where {sign} {size} {meter})", per_mtok(price))
}

fn call_price(endpoint: &Endpoint, most: Usd, shape: Shape, now: Timestamp) -> Finding {
    let (provider, wanted) = (&endpoint.id.provider, Cell::money(Some(most.decimal())));
    let cached = if shape.cached == Tokens::ZERO { String::new() } else { format!("/{}", shape.cached) };
    let (limit, size) = (dollars(most), format!("{}/{}{cached}", shape.input, shape.output));
    match facts::per_call(endpoint, shape, now) {
        None => Finding::unknown(
            wanted,
            format!("call_price ? <= {limit} for {size}"),
            format!("{provider} does not state every price that it takes"),
        ),
        Some(cost) => {
            let told = format!("call_price {} <= {limit} for {size}", dollars(cost));
            let why = format!("{provider}'s prices come to {}", dollars(cost));
            Finding::decided(cost <= most, (wanted, Cell::money(Some(cost.decimal()))), told, why)
        }
    }
}

/// The window: less of it than asked for may go in, and it may be larger than what can go in and come out.
fn context(endpoint: &Endpoint, least: Tokens) -> Finding {
    let Limits { context: Some(context), max_input: Some(input), max_output } = endpoint.limits() else {
        return limit(endpoint, "context", endpoint.context, least);
    };
    if input >= context || context < least {
        return limit(endpoint, "context", endpoint.context, least);
    }
    let provider = &endpoint.id.provider;
    let (wanted, into) = (Cell::Count(least.count()), grouped(input.count()));
    let told =
        format!("context {} >= {}, at most {into} of it input", grouped(context.count()), grouped(least.count()));
    let Some(holds) = endpoint.limits().hold(least) else {
        return Finding::unknown(wanted, told, format!("{provider} does not state its longest answer"));
    };
    let out = max_output.unwrap_or_default();
    let window = if holds { context } else { input + out };
    let why = format!("{provider} takes {into} in and {} out of it", grouped(out.count()));
    Finding::decided(holds, (wanted, Cell::Count(window.count())), told, why)
}

fn limit(endpoint: &Endpoint, name: &str, known: Option<Tokens>, least: Tokens) -> Finding {
    let (provider, wanted) = (&endpoint.id.provider, Cell::Count(least.count()));
    let limit = grouped(least.count());
    let Some(known) = known else {
        return Finding::unknown(wanted, format!("{name} ? >= {limit}"), format!("{provider} states none"));
    };
    let shown = grouped(known.count());
    let told = format!("{name} {shown} >= {limit}");
    Finding::decided(known >= least, (wanted, Cell::Count(known.count())), told, format!("{provider} says {shown}"))
}

fn has(endpoint: &Endpoint, ability: Ability) -> Finding {
    let (provider, name) = (&endpoint.id.provider, ability.name());
    let wanted = Cell::Text(name.to_owned());
    let known = Cell::words(facts::abilities(&endpoint.capabilities, &endpoint.input));
    let told = format!("has {name}");
    match (ability.stated(endpoint), denies(endpoint, ability)) {
        (true, false) => Finding::decided(true, (wanted, known), told, ""),
        (false, true) => Finding::decided(false, (wanted, known), told, format!("{provider} lists it without")),
        (true, true) if matches!(ability, Ability::Takes(_)) => Finding::decided(true, (wanted, known), told, ""),
        (true, true) => Finding::unknown(wanted, told, "sources contradict each other").found(known),
        (false, false) => Finding::unknown(wanted, told, format!("no source says so of {provider}")).found(known),
    }
}

/// Whether some source says that an offer lacks an ability. What goes in is a whole list where there is one.
fn denies(endpoint: &Endpoint, ability: Ability) -> bool {
    match ability {
        Ability::Can(Capability::Tools) => endpoint.can(Capability::NoTools),
        Ability::Takes(_) => !endpoint.input.is_empty(),
        Ability::Can(_) => false,
    }
}

/// The same of an ability by its word in a lock.
pub(super) fn denies_word(endpoint: &Endpoint, word: &str) -> bool {
    if word == Capability::NoTemperature.name() {
        return endpoint.can(Capability::Temperature);
    }
    let ability = if word == "text" { Some(Ability::Takes(Modality::Text)) } else { Ability::parse(word) };
    ability.is_some_and(|ability| denies(endpoint, ability))
}

fn retiring(endpoint: &Endpoint, days: u32, now: Timestamp) -> Finding {
    let (provider, wanted) = (&endpoint.id.provider, Cell::Count(u64::from(days)));
    let status = endpoint.status;
    if status == Status::Retired {
        let (told, found) = gone(endpoint);
        return Finding::decided(false, (wanted, found), String::new(), told);
    }
    let within = if days == 0 { String::new() } else { format!(" within {}", plural(i64::from(days))) };
    let wish = if days == 0 { "not retired".to_owned() } else { format!("not retiring{within}") };
    if let Some(day) = &endpoint.sunset {
        let found = Cell::Text(day.clone());
        return match day::until(day, now) {
            None => Finding::unknown(wanted, wish, format!("{provider} names {day} as its end")).found(found),
            Some(left) => {
                let when = if left == 0 { "after today".to_owned() } else { format!("in {}", plural(left)) };
                let holds = !day::is_near(left, days);
                let told = if holds { format!("{wish}: retires {when}, {day}") } else { wish };
                let why = format!("{provider} retires it {when}, {day}");
                Finding::decided(holds, (wanted, found), told, why)
            }
        };
    }
    let found = Cell::Text(status.name().to_owned());
    match status {
        Status::Unlisted => Finding::unknown(wanted, wish, unlisted(endpoint)).found(found),
        Status::Deprecated if days > 0 => {
            Finding::unknown(wanted, wish, format!("{provider} calls it deprecated and names no day")).found(found)
        }
        Status::Deprecated => {
            let told = format!("{wish}: {provider} calls it deprecated and names no day");
            Finding::decided(true, (wanted, found), told, "")
        }
        _ => Finding::decided(true, (wanted, found), format!("{wish}: no end is announced"), ""),
    }
}

/// That an offer is gone, or may be: what else is known of it is of no use then. `None` where it is listed and living.
pub(super) fn guard(endpoint: &Endpoint) -> Option<Finding> {
    let wanted = Cell::Text("served".to_owned());
    let found = Cell::Text(endpoint.status.name().to_owned());
    match endpoint.status {
        Status::Retired => {
            let (why, found) = gone(endpoint);
            Some(Finding::decided(false, (wanted, found), String::new(), why))
        }
        Status::Unlisted => Some(Finding::unknown(wanted, "served".to_owned(), unlisted(endpoint)).found(found)),
        _ => None,
    }
}

fn gone(endpoint: &Endpoint) -> (String, Cell) {
    let provider = &endpoint.id.provider;
    match &endpoint.sunset {
        Some(day) => (format!("{provider} retired it on {day}"), Cell::Text(day.clone())),
        None => (format!("{provider} retired it"), Cell::Text(endpoint.status.name().to_owned())),
    }
}

fn unlisted(endpoint: &Endpoint) -> String {
    format!("no fresh list of {} has it; it may be gone", endpoint.id.provider)
}

/// `1 day`, `90 days`.
pub(super) fn plural(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::price::{Comparator, Tier};
    use crate::catalog::{Dispute, EndpointId, ModelId, Pricing, ProviderId};
    use crate::cli::assert::row::Verdict;
    use crate::cli::contract::Exit;

    fn usd(text: &str) -> UsdPerMtok {
        text.parse().unwrap()
    }

    fn endpoint() -> Endpoint {
        let id = EndpointId { provider: ProviderId::new("acme"), upstream_model: "a".into() };
        let mut endpoint = Endpoint::new(id, ModelId::new("acme/a"));
        let mut pricing = Pricing::default();
        pricing.rates.insert(Item::Input, Rate::flat(usd("2")));
        endpoint.pricing = Some(pricing);
        endpoint
    }

    #[test]
    fn a_limit_between_what_sources_say_is_neither_kept_nor_missed() {
        let mut disputed = endpoint();
        let (low, high) = (usd("1"), usd("3"));
        disputed.dispute = Some(Dispute { input: (low, high), output: (low, high) });
        let at = |most: &str| price(&disputed, Item::Input, usd(most), None).verdict;
        let unknown = Verdict::Unknown(Exit::NotFound);
        assert_eq!(["0.99", "1", "2.99", "3"].map(at), [Verdict::No, unknown, unknown, Verdict::Ok]);
    }

    #[test]
    fn a_window_is_no_larger_than_what_goes_in_and_comes_out() {
        let mut limited = endpoint();
        limited.context = Some(Tokens::new(1_000_000));
        let at = |endpoint: &Endpoint, least| {
            let found = context(endpoint, Tokens::new(least));
            (found.verdict, found.told)
        };
        let unknown = Verdict::Unknown(Exit::NotFound);
        assert_eq!(at(&limited, 1_000_000).0, Verdict::Ok);
        limited.max_input = Some(Tokens::new(200_000));
        assert_eq!(
            [200_000, 200_001, 1_000_001].map(|least| at(&limited, least).0),
            [Verdict::Ok, unknown, Verdict::No]
        );
        limited.max_output = Some(Tokens::new(64_000));
        assert_eq!([264_000, 264_001].map(|least| at(&limited, least).0), [Verdict::Ok, Verdict::No]);
        assert_eq!(at(&limited, 500_000).1, "context 1,000,000 >= 500,000, at most 200,000 of it input");
        limited.context = None;
        assert_eq!([200_000, 200_001].map(|least| limited.limits().hold(Tokens::new(least))), [Some(true), None]);
    }

    #[test]
    fn a_rate_that_nobody_states_is_unknown_at_its_size_alone() {
        let mut partly = endpoint();
        let sheet = partly.pricing.as_mut().unwrap();
        let million = Tokens::new(200_000);
        assert!(sheet.set("cache_read", "0.2").unwrap());
        assert!(sheet.add_tier(Item::CacheRead, million, false, UsdPerMtok::ZERO));
        assert!(sheet.add_tier(Item::CacheWrite, million, false, usd("4")));
        let of = |input| Some(Shape { input: Tokens::new(input), output: Tokens::new(1), cached: Tokens::ZERO });
        let unknown = Verdict::Unknown(Exit::NotFound);
        let at = |item, shape| price(&partly, item, usd("100"), shape).verdict;
        assert_eq!([of(1), of(200_001)].map(|shape| at(Item::CacheRead, shape)), [Verdict::Ok, unknown]);
        assert_eq!(
            [None, of(1), of(200_001)].map(|shape| at(Item::CacheWrite, shape)),
            [unknown, unknown, Verdict::Ok]
        );
        assert_eq!(
            price(&partly, Item::CacheWrite, usd("2"), None).why,
            "acme states no price for cache_write of requests of that size"
        );
    }

    #[test]
    fn the_price_is_that_of_the_size_which_is_stated_and_a_dearer_tier_is_told() {
        let mut tiered = endpoint();
        let tier = Tier {
            threshold: Tokens::new(200_000),
            comparator: Comparator::Gt,
            meter: Meter::Input,
            price: Some(usd("4")),
        };
        let rates = tiered.pricing.as_mut().map(|pricing| &mut pricing.rates);
        rates.unwrap().get_mut(&Item::Input).unwrap().tiers.push(tier);
        let of = |input| Shape { input: Tokens::new(input), output: Tokens::new(1), cached: Tokens::ZERO };
        let told = |shape| price(&tiered, Item::Input, usd("3"), shape).told;
        assert_eq!(told(None), "price_in 2.00 <= 3.00 (4.00 where > 200,000 in)");
        assert_eq!(told(Some(of(200_000))), "price_in 2.00 <= 3.00");
        assert_eq!(told(Some(of(200_001))), "price_in 4.00 <= 3.00");
        assert_eq!(price(&tiered, Item::Input, usd("3"), Some(of(200_001))).verdict, Verdict::No);
    }
}
