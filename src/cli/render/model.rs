//! One model for people and for programs: facts, and whole price sheets.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::json::literal;
use super::{money, text};
use crate::catalog::price::{Fee, FeeItem, Item, Rate};
use crate::catalog::resolve::Resolved;
use crate::catalog::{Endpoint, Model, Pricing, Status};
use crate::cli::args::Shape;
use crate::cli::facts;
use crate::dispatch::Reach;
use crate::units::UsdPerMtok;

/// How the page is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Columns of text.
    pub width: usize,
    /// Escapes.
    pub style: text::Style,
    /// The call that is priced.
    pub shape: Option<Shape>,
    /// The moment of the answer.
    pub now: Timestamp,
}

/// The facts above the table; `called` says of the name that was typed why it means this model.
pub(crate) fn head(model: &Model, called: Option<&str>, reaches: &[Reach], view: View) -> String {
    let style = view.style;
    let mut page = String::new();
    let id = model.id.to_string();
    let room = view.width.clamp(40, 100);
    let name = text::visible(&model.name);
    match room.checked_sub(text::width(&name) + text::width(&id)).filter(|gap| *gap >= 2) {
        Some(gap) => drop(writeln!(page, "{}{}{id}", style.bold(&name), " ".repeat(gap))),
        None => drop(writeln!(page, "{}\n{id}", style.bold(&name))),
    }
    if let Some(called) = called {
        let _ = writeln!(page, "{}", style.dim(&text::visible(called)));
    }
    page.push('\n');
    let mut line = |key: &str, value: &str| {
        for (at, part) in text::wrap(&text::visible(value), room.saturating_sub(14)).into_iter().enumerate() {
            let _ = writeln!(page, "  {:<12}{part}", if at == 0 { key } else { "" });
        }
    };
    line("Status", &status(reaches));
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let weights = match model.open_weights {
        Some(true) => "open",
        Some(false) => "closed",
        None => "-",
    };
    line(
        "Released",
        &format!("{}; knowledge until {}; weights {weights}", known(&model.released), known(&model.knowledge)),
    );
    let tokens = |count: Option<crate::units::Tokens>| {
        count.map_or_else(|| "-".to_owned(), |count| format!("{} tokens", text::grouped(count.count())))
    };
    line("Context", &format!("{}; longest answer {}", tokens(model.context), tokens(model.max_output)));
    if let Some(own) = reaches.first().filter(|reach| facts::kind(reach) == "official") {
        let names = facts::abilities(&own.endpoint.capabilities, &own.endpoint.input);
        if !names.is_empty() {
            line("Can", &names.join(", "));
        }
        let cannot = crate::catalog::Capability::ALL.into_iter().filter(|can| own.endpoint.can(*can));
        let cannot: Vec<&str> = cannot.filter_map(|can| can.name().strip_prefix("no_")).collect();
        if !cannot.is_empty() {
            line("Cannot", &cannot.join(", "));
        }
    }
    let priced = reaches.iter().filter(|reach| {
        let is_called = !facts::is_uncalled(&reach.provider);
        reach.endpoint.status != Status::Retired && reach.endpoint.is_plain() && is_called
    });
    let cheapest = priced
        .filter_map(|reach| {
            let pricing = reach.endpoint.pricing.as_ref()?;
            let (input, output) = (pricing.base(Item::Input)?, pricing.base(Item::Output)?);
            Some((input, output, reach.provider.id.clone()))
        })
        .min();
    let count = reaches.iter().map(|reach| &reach.provider.id).collect::<std::collections::BTreeSet<_>>().len();
    let mut providers = format!("{count}");
    if let Some((input, output, provider)) = cheapest {
        let _ = write!(providers, "; cheapest {provider} {}/{}", money::per_mtok(input), money::per_mtok(output));
    }
    line("Providers", &providers);
    let cheaper_hours = reaches.iter().filter(|reach| {
        reach.endpoint.is_plain() && reach.endpoint.pricing.as_ref().is_some_and(|pricing| pricing.off_peak.is_some())
    });
    let cheaper_hours: Vec<&str> = cheaper_hours.map(|reach| reach.provider.id.as_str()).collect();
    if !cheaper_hours.is_empty() {
        line("Off-peak", &format!("other prices at some hours at {}: --prices says which", cheaper_hours.join(", ")));
    }
    if let Some(shape) = view.shape {
        line(
            "Call",
            &format!(
                "{} in + {} out, {} of the input cached; at {}",
                text::grouped(shape.input.count()),
                text::grouped(shape.output.count()),
                text::grouped(shape.cached.count()),
                view.now,
            ),
        );
    }
    page
}

/// The status at the author's own provider, and where it differs elsewhere.
fn status(reaches: &[Reach]) -> String {
    let told = |endpoint: &Endpoint| match (&endpoint.status, &endpoint.sunset) {
        (Status::Retired, Some(day)) => format!("retired {day}"),
        (status, Some(day)) => format!("{}, ends {day}", status.name()),
        (status, None) => status.name().to_owned(),
    };
    let mut parts = Vec::new();
    let main = ["lab", "cloud"];
    let plain = reaches.iter().any(|reach| reach.endpoint.is_plain());
    for reach in reaches.iter().filter(|reach| reach.endpoint.is_plain() || !plain) {
        let first = parts.is_empty();
        let notable = reach.endpoint.status != Status::Active && main.contains(&reach.provider.kind.name());
        if first || notable {
            let part = format!("{} at {}", told(&reach.endpoint), reach.provider.id);
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join("; ") }
}

/// The whole price sheet of each provider, all billing items.
pub(crate) fn price_sheets(reaches: &[Reach]) -> String {
    let mut page = String::new();
    for reach in reaches {
        let endpoint = &reach.endpoint;
        let place = endpoint.region.as_ref().map(|region| format!(" ({region})")).unwrap_or_default();
        let _ = writeln!(
            page,
            "\n{}",
            text::visible(&format!("{}{place}  {}", reach.provider.id, endpoint.id.upstream_model))
        );
        match &endpoint.pricing {
            None => page += "  price not known\n",
            Some(pricing) => page += &price_lines(pricing),
        }
        if let Some(dispute) = endpoint.dispute {
            for (name, item, (low, high)) in
                [("sources disagree", "input", dispute.input), ("", "output", dispute.output)]
            {
                let _ = writeln!(page, "  {name:<24}{item} {low} to {high}");
            }
        }
    }
    page
}

fn price_lines(pricing: &Pricing) -> String {
    let mut lines = String::new();
    // A tier has a line of its own, below the rate that it replaces.
    let tiered = |name: String, rate: &Rate| {
        let known = |price: Option<UsdPerMtok>, unit: &str| {
            price.map_or_else(|| "not known".to_owned(), |price| money::per_mtok(price) + unit)
        };
        let mut part = format!("  {name:<24}{}\n", known(rate.base, " per 1M tokens"));
        for tier in &rate.tiers {
            let (price, size) = (known(tier.price, ""), text::grouped(tier.threshold.count()));
            let _ = writeln!(part, "  {:<24}{price} where input {} {size}", "", tier.comparator.sign());
        }
        part
    };
    for (item, rate) in &pricing.rates {
        lines += &tiered(item.key().to_owned(), rate);
    }
    for (service, rates) in &pricing.service {
        for (item, rate) in rates {
            lines += &tiered(format!("{} {}", service.name(), item.key()), rate);
        }
    }
    for (item, fee) in &pricing.fees {
        let _ = writeln!(lines, "  {:<24}{}", item.key(), fee_text(*item, *fee));
    }
    if let Some(off_peak) = &pricing.off_peak {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let windows: Vec<String> = off_peak
            .windows
            .iter()
            .map(|window| {
                let days: Vec<&str> = window.weekdays.iter().map(|day| weekday(*day)).collect();
                let days = if days.is_empty() { String::new() } else { format!(" {}", days.join(" ")) };
                if window.from == window.to {
                    return format!("all day{days}");
                }
                format!("{} to {}{days}", clock(window.from), clock(window.to))
            })
            .collect();
        for (item, rate) in &off_peak.rates {
            let name = format!("off-peak {}", item.key());
            let _ = writeln!(lines, "  {name:<24}{} per 1M tokens", money::per_mtok(*rate));
        }
        let _ = writeln!(lines, "  {:<24}{} (UTC)", "off-peak hours", windows.join("; "));
    }
    lines
}

/// Of an ISO weekday.
fn weekday(day: u8) -> &'static str {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    NAMES.get(usize::from(day).wrapping_sub(1)).copied().unwrap_or("?")
}

fn fee_text(item: FeeItem, fee: Fee) -> String {
    let what = match item {
        FeeItem::Request => "request",
        FeeItem::WebSearch => "web search",
        FeeItem::InputImages | FeeItem::OutputImages => "image",
        FeeItem::InputSeconds | FeeItem::OutputSeconds => "second",
    };
    let ending = if what.ends_with("ch") { "es" } else { "s" };
    let per =
        if fee.per == 1 { what.to_owned() } else { format!("{} {what}{ending}", text::grouped(u64::from(fee.per))) };
    format!("{} per {per}", money::price(fee.price.decimal()))
}

/// The model and every endpoint of it, with whole price sheets.
pub(crate) fn json(model: &Model, (resolved, stands_for): (&Resolved, Option<&str>), endpoints: Vec<Value>) -> Value {
    let mut object = Map::new();
    let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::from);
    let count = |tokens: Option<crate::units::Tokens>| tokens.map_or(Value::Null, |tokens| tokens.count().into());
    object.insert("id".to_owned(), model.id.as_str().into());
    object.insert("alias".to_owned(), text(&resolved.via_alias));
    object.insert("alias_of".to_owned(), stands_for.map_or(Value::Null, Value::from));
    object.insert("name".to_owned(), model.name.as_str().into());
    object.insert("vendor".to_owned(), model.id.author().into());
    object.insert("released".to_owned(), text(&model.released));
    object.insert("knowledge".to_owned(), text(&model.knowledge));
    object.insert("open_weights".to_owned(), model.open_weights.map_or(Value::Null, Value::from));
    object.insert("context_tokens".to_owned(), count(model.context));
    object.insert("max_output_tokens".to_owned(), count(model.max_output));
    object.insert("floating".to_owned(), model.floating.into());
    object.insert("endpoints".to_owned(), endpoints.into());
    object.into()
}

/// One endpoint with its whole price sheet.
pub(crate) fn endpoint_json(reach: &Reach) -> Map<String, Value> {
    let endpoint = &reach.endpoint;
    let mut object = Map::new();
    let text = |value: &Option<String>| value.clone().map_or(Value::Null, Value::from);
    let count = |tokens: Option<crate::units::Tokens>| tokens.map_or(Value::Null, |tokens| tokens.count().into());
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("provider", reach.provider.id.as_str().into());
    put("kind", facts::kind(reach).into());
    put("upstream_model", endpoint.id.upstream_model.as_str().into());
    put("region", text(&endpoint.region));
    put("variant", endpoint.variant.clone().into());
    put("quantization", text(&endpoint.quant));
    put("status", endpoint.status.name().into());
    put("retires", text(&endpoint.sunset));
    put("protocol", endpoint.protocol.map_or(Value::Null, |protocol| protocol.name().into()));
    put("api", facts::compatibility(reach.protocol).into());
    put("context_tokens", count(endpoint.context));
    put("max_input_tokens", count(endpoint.max_input));
    put("max_output_tokens", count(endpoint.max_output));
    put("abilities", facts::abilities(&endpoint.capabilities, &endpoint.input).into());
    put("reasoning_options", endpoint.reasoning_options.clone().into());
    put("price", endpoint.pricing.as_ref().map_or(Value::Null, pricing_json));
    put(
        "price_range",
        endpoint.dispute.map_or(Value::Null, |dispute| {
            let pair = |low: crate::units::UsdPerMtok, high: crate::units::UsdPerMtok| {
                Value::Array(vec![literal(&low.exact()), literal(&high.exact())])
            };
            let mut range = Map::new();
            range.insert("input".to_owned(), pair(dispute.input.0, dispute.input.1));
            range.insert("output".to_owned(), pair(dispute.output.0, dispute.output.1));
            range.into()
        }),
    );
    put("overlay", text(&endpoint.overlay));
    object
}

fn pricing_json(pricing: &Pricing) -> Value {
    let known = |price: Option<UsdPerMtok>| price.map_or(Value::Null, |price| literal(&price.exact()));
    let rate_json = |rate: &Rate| {
        let mut object = Map::new();
        object.insert("usd_per_mtok".to_owned(), known(rate.base));
        let tiers: Vec<Value> = rate
            .tiers
            .iter()
            .map(|tier| {
                let mut object = Map::new();
                object.insert("input_tokens".to_owned(), tier.threshold.count().into());
                object.insert("comparator".to_owned(), tier.comparator.sign().into());
                object.insert("usd_per_mtok".to_owned(), known(tier.price));
                object.into()
            })
            .collect();
        if !tiers.is_empty() {
            object.insert("tiers".to_owned(), tiers.into());
        }
        Value::from(object)
    };
    let mut object = Map::new();
    for (item, rate) in &pricing.rates {
        object.insert(item.key().to_owned(), rate_json(rate));
    }
    for (service, rates) in &pricing.service {
        for (item, rate) in rates {
            object.insert(format!("{}_{}", service.name(), item.key()), rate_json(rate));
        }
    }
    for (item, fee) in &pricing.fees {
        let mut entry = Map::new();
        entry.insert("usd".to_owned(), literal(&fee.price.exact()));
        entry.insert("per".to_owned(), fee.per.into());
        object.insert(format!("fee_{}", item.key()), entry.into());
    }
    if let Some(off_peak) = &pricing.off_peak {
        let rates = off_peak.rates.iter();
        let rates: Map<String, Value> =
            rates.map(|(item, rate)| (item.key().to_owned(), literal(&rate.exact()))).collect();
        let windows = off_peak.windows.iter().map(|window| {
            let mut entry = Map::new();
            entry.insert("from_minute_utc".to_owned(), window.from.into());
            entry.insert("to_minute_utc".to_owned(), window.to.into());
            entry.insert("weekdays".to_owned(), window.weekdays.clone().into());
            Value::from(entry)
        });
        let mut entry = Map::new();
        entry.insert("windows".to_owned(), windows.collect::<Vec<_>>().into());
        entry.insert("usd_per_mtok".to_owned(), rates.into());
        object.insert("off_peak".to_owned(), entry.into());
    }
    object.into()
}
