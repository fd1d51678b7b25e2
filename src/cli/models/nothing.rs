//! A list without a row: what was asked for, and what there would be with one wish less.

use super::super::args::ModelsList;
use super::super::render::money::price as in_text;
use super::super::render::text::short_count;
use super::{Filter, Kept};
use crate::catalog::price::Item;
use crate::catalog::{Catalog, EndpointLine};
use crate::units::UsdPerMtok;

/// What a person is told where no model matches.
pub(super) fn told(catalog: &Catalog, filter: &Filter<'_>) -> String {
    let wishes = wishes(filter.args);
    let names: Vec<&str> = wishes.iter().map(|(name, _)| name.as_str()).collect();
    let asked = if names.is_empty() { String::new() } else { format!(": {}", names.join(" ")) };
    format!("no model matches{asked}{}", missed(catalog, filter, &wishes))
}

/// A wish as it was typed, and the command without it.
type Wish = (String, ModelsList);

/// Everything that was asked for. What has a measure comes first: its nearest miss says most.
fn wishes(args: &ModelsList) -> Vec<Wish> {
    let mut wishes: Vec<Wish> = Vec::new();
    let mut add = |name: Option<String>, forget: fn(&mut ModelsList)| {
        if let Some(name) = name {
            let mut without = args.clone();
            forget(&mut without);
            wishes.push((name, without));
        }
    };
    let list = |flag: &str, names: &[String]| (!names.is_empty()).then(|| format!("{flag} {}", names.join(",")));
    let flag = |set: bool, name: &str| set.then(|| name.to_owned());
    add(args.max_price.map(|price| format!("--max-price {price}")), |args| args.max_price = None);
    let context = args.min_context.map(|tokens| format!("--min-context {}", short_count(tokens.count())));
    add(context, |args| args.min_context = None);
    add(Some(args.words.join(" ")).filter(|words| !words.is_empty()), |args| args.words.clear());
    add(list("--vendor", &args.vendor), |args| args.vendor.clear());
    add(list("--provider", &args.provider), |args| args.provider.clear());
    add(flag(args.tools, "--tools"), |args| args.tools = false);
    add(flag(args.vision, "--vision"), |args| args.vision = false);
    add(flag(args.reasoning, "--reasoning"), |args| args.reasoning = false);
    add(flag(args.structured, "--structured"), |args| args.structured = false);
    add(flag(args.open_weights, "--open-weights"), |args| args.open_weights = false);
    add(flag(args.free, "--free"), |args| args.free = false);
    add(flag(args.callable, "--callable"), |args| args.callable = false);
    let released = args.released_after.as_ref().map(|day| format!("--released-after {day}"));
    add(released, |args| args.released_after = None);
    add(args.not_retiring.map(|days| format!("--not-retiring {days}d")), |args| args.not_retiring = None);
    wishes
}

/// The nearest that there is: what `--all` would show, else what one wish less would.
fn missed(catalog: &Catalog, filter: &Filter<'_>, wishes: &[Wish]) -> String {
    let args = filter.args;
    if !args.all {
        match kept(catalog, filter, &ModelsList { all: true, ..args.clone() }).len() {
            0 => {}
            1 => return "; with --all one does: no chat model, or retired".to_owned(),
            count => return format!("; with --all {count} do: no chat models, or retired"),
        }
    }
    // Without its only wish a list is all there is, which is no news but of a limit.
    let telling = wishes.iter().filter(|(name, _)| wishes.len() > 1 || name.starts_with("--m"));
    let near = telling.into_iter().find_map(|(name, without)| {
        let found = kept(catalog, filter, without);
        let best = match (found.len(), name.as_str()) {
            (0, _) => return None,
            (_, name) if name.starts_with("--max-price") => {
                let (price, id) = found.iter().filter_map(|kept| Some((price(kept)?, kept.line.id()))).min()?;
                format!("the cheapest is {id} at {}", in_text(price.decimal()))
            }
            (_, name) if name.starts_with("--min-context") => {
                let context =
                    |kept: &Kept<'_>| kept.own.as_ref().and_then(EndpointLine::context).or(kept.line.context());
                let (most, id) = found.iter().filter_map(|kept| Some((context(kept)?, kept.line.id()))).max()?;
                format!("the longest is {id} with {}", short_count(most.count()))
            }
            (1, _) => "one does".to_owned(),
            (count, _) => format!("{count} do"),
        };
        Some(format!("; without {name} {best}"))
    });
    near.unwrap_or_default()
}

/// The models that pass with these arguments in place of what was typed.
fn kept<'a>(catalog: &'a Catalog, filter: &Filter<'_>, args: &ModelsList) -> Vec<Kept<'a>> {
    let callable = filter.callable.clone().filter(|_| args.callable);
    let (unmetered, uncalled) = (Vec::new(), filter.uncalled.clone());
    let other = Filter { args, callable, now: filter.now, unmetered, uncalled, last: Default::default() };
    let mut plain = Vec::new();
    catalog.models().filter_map(|line| other.keep(&line, &mut plain)).collect()
}

/// The input price of what speaks for a model.
fn price(kept: &Kept<'_>) -> Option<UsdPerMtok> {
    kept.own.as_ref()?.price(Item::Input)?.parse().ok()
}
