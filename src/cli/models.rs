//! `openmux models list`: one row a model, filtered, ordered, in any format.

mod nothing;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::args::{Format, ModelsList, Shape};
use super::contract::Exit;
use super::error::CliError;
use super::measured::{self, View};
use super::offline::Offline;
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::settings::Settings;
use super::{Outcome, day, facts, note, print, prompt};
use crate::catalog::price::Item;
use crate::catalog::{
    Capability, Catalog, EndpointId, EndpointLine, Limits, Modality, ModelKind, ModelLine, ProviderId, ProviderKind,
    Status,
};
use crate::units::{Tokens, Usd, UsdPerMtok};
use crate::upstream::auth::{Found, find_key};

/// The columns before what was measured.
const BEFORE: [Column; 15] = [
    Column::new("id", "", "MODEL", Show::Plain, 0),
    Column::new("name", "", "NAME", Show::Plain, 10),
    Column::new("vendor", "", "VENDOR", Show::Plain, 10),
    Column::new("released", "", "RELEASED", Show::Plain, 10),
    Column::new("context_tokens", "context", "CONTEXT", Show::Tokens, 1),
    Column::new("max_output_tokens", "max_output", "MAX OUT", Show::Tokens, 7),
    Column::new("input_usd_per_mtok", "input", "IN $/M", Show::Price, 1),
    Column::new("output_usd_per_mtok", "output", "OUT $/M", Show::Price, 1),
    Column::new("cache_read_usd_per_mtok", "cache_read", "CACHED", Show::Price, 10),
    Column::new("cache_write_usd_per_mtok", "cache_write", "CACHE WRITE", Show::Price, 10),
    Column::new("call_usd", "price", "PER CALL", Show::Dollars, 11),
    Column::new("price_provider", "", "PRICE OF", Show::Plain, 10),
    Column::new("billing", "", "BILLING", Show::Plain, 11),
    Column::new("abilities", "can", "CAN", Show::Letters, 8),
    Column::new("providers", "", "PROVIDERS", Show::Number, 9),
];

/// The columns after it.
const AFTER: [Column; 9] = [
    Column::new("status", "", "STATUS", Show::Plain, 10),
    Column::new("retires", "", "RETIRES", Show::Plain, 10),
    Column::new("open_weights", "", "OPEN WEIGHTS", Show::Plain, 10),
    Column::new("knowledge", "", "KNOWLEDGE", Show::Plain, 10),
    Column::new("kinds", "", "KINDS", Show::Plain, 11),
    Column::new("floating", "", "FLOATING", Show::Mark, 11),
    Column::new("cheapest_call_usd", "cheapest", "CHEAPEST", Show::Dollars, 11),
    Column::new("cheapest_provider", "", "CHEAPEST AT", Show::Plain, 11),
    Column::new("max_input_tokens", "max_input", "MAX IN", Show::Tokens, 11),
];

/// Runs the command.
///
/// # Errors
/// An overlay is broken, or a vendor, a provider or a field does not exist.
pub(crate) fn list(settings: &Settings, args: &ModelsList) -> Outcome {
    let format = settings.list_format()?;
    let offline = Offline::open(settings, args.at.at)?;
    let args = &named(&offline.catalog, args)?;
    let now = offline.now;
    let input = args.tokens.map_or(Tokens::new(1_000), |shape| shape.input);
    let measured = View::read(&offline, &args.window, args.unit, input, format);
    let callable = args.callable.then(|| callable(settings, &offline.catalog));
    let (uncalled, unmetered) = (offline.catalog.uncalled(), unmetered(&offline.catalog, args));
    let filter = Filter { args, callable, now, unmetered, uncalled, last: Default::default() };
    if let Some(outcome) = at_once(&offline, &filter, &measured, format)? {
        return Ok(outcome);
    }
    let (mut rows, mut shown, mut other, mut plain) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for line in offline.catalog.models() {
        if let Some(found) = filter.keep(&line, &mut plain) {
            if !measured.is_empty() {
                shown.push(found.own.as_ref().map(id));
            }
            let mut cells = Vec::with_capacity(COLUMNS);
            other.push(row(&found, args.tokens, &measured, now, &mut cells));
            rows.push(cells);
        }
    }
    let Sheet { mut columns, .. } = sheet();
    measured.tune(&mut columns, shown.iter().flatten(), (5, 10));
    let mut marked = measured.marks(&columns, shown.iter().map(Option::as_ref));
    marked.extend(super::show::other_rates(&columns, other.into_iter()));
    if args.tokens.is_some() {
        for column in columns.iter_mut().filter(|column| column.name == "call_usd") {
            column.rank = 2;
        }
    }
    let mut sheet = Sheet { columns, rows, marked, ..sheet() };
    let sort: Vec<String> = args.list.sort.iter().map(|name| price_alias(name, args.tokens.is_some())).collect();
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    if found == 0 {
        // An empty table's headings would look like a result.
        let asked = if format.is_page() { print("") } else { print(&printed.text) };
        note(settings, &nothing::told(&offline.catalog, &filter));
        return asked;
    }
    let models = if found == 1 { "model" } else { "models" };
    let shown = if sheet.rows.len() < found {
        format!("{} of {found} {models}", sheet.rows.len())
    } else {
        format!("{found} {models}")
    };
    let whose = match args.provider.as_slice() {
        [] => "the vendor's own, else the cheapest provider's".to_owned(),
        [provider] => format!("{provider}'s"),
        _ => "the vendor's own, else the cheapest, of the providers that are asked about".to_owned(),
    };
    let times = if measured.is_empty() { String::new() } else { format!(" {}.", measured.legend()) };
    let legend = format!(
        "{shown}. Prices: {whose}, USD per million tokens{}. {}.{times}",
        super::show::legend(&sheet),
        facts::LEGEND
    );
    // The process ends with this: giving back thousands of cells one by one would only take its time.
    std::mem::forget(sheet);
    offline.close(&printed.text, format, &legend, &printed.hidden)
}

/// How many columns there are.
const COLUMNS: usize = BEFORE.len() + measured::COLUMNS.len() + AFTER.len();

/// The list, empty.
fn sheet() -> Sheet {
    let columns = [&BEFORE[..], &measured::COLUMNS, &AFTER].concat();
    Sheet { schema: "models.list/1", command: "models list", columns, rows: Vec::new(), marked: Vec::new() }
}

/// Prints the list while its models are found, where programs read it and nothing was measured that rows would have to be
/// marked for; `None` where all must be found first.
fn at_once(
    offline: &Offline<'_>,
    filter: &Filter<'_>,
    measured: &View,
    format: Format,
) -> Result<Option<Exit>, CliError> {
    let (sheet, args) = (sheet(), filter.args);
    if !measured.is_empty() {
        return Ok(None);
    }
    let Some(mut running) = offline.running(&sheet, format, &args.list)? else { return Ok(None) };
    let (mut cells, mut plain) = (Vec::with_capacity(COLUMNS), Vec::new());
    for line in offline.catalog.models() {
        if let Some(found) = filter.keep(&line, &mut plain) {
            cells.clear();
            row(&found, args.tokens, measured, offline.now, &mut cells);
            running.row(&cells)?;
            if running.gone {
                return Ok(Some(Exit::Ok));
            }
        }
    }
    let none = running.count == 0;
    let exit = print(&running.end())?;
    if none {
        note(offline.settings, &nothing::told(&offline.catalog, filter));
    }
    Ok(Some(exit))
}

/// The same with vendors and providers as the catalog spells them.
///
/// # Errors
/// There is no such vendor, or no such provider.
fn named(catalog: &Catalog, args: &ModelsList) -> Result<ModelsList, CliError> {
    let vendors: BTreeSet<&str> =
        if args.vendor.is_empty() { BTreeSet::new() } else { catalog.models().map(|line| line.author()).collect() };
    let vendor = args.vendor.iter().map(|typed| {
        let name = typed.to_lowercase();
        if vendors.contains(name.as_str()) {
            return Ok(name);
        }
        let names: Vec<&str> = vendors.iter().copied().collect();
        let error = CliError::new(Exit::NotFound, "vendor", format!("no vendor is called \"{typed}\""));
        Err(error.near(&name, &names).fix("openmux models list -o tsv --fields vendor | sort -u"))
    });
    let provider = args.provider.iter().map(|typed| prompt::provider(catalog, typed).map(|id| id.to_string()));
    let (vendor, provider) = (vendor.collect::<Result<_, CliError>>()?, provider.collect::<Result<_, CliError>>()?);
    Ok(ModelsList { vendor, provider, ..args.clone() })
}

/// `price` sorts by the input price unless a call is priced; `output-price` and `released` are taken as well.
fn price_alias(name: &str, per_call: bool) -> String {
    match name {
        "price" if !per_call => "input".to_owned(),
        "output-price" => "output".to_owned(),
        other => other.replace('-', "_"),
    }
}

/// The providers that could be called now.
fn callable(settings: &Settings, catalog: &Catalog) -> Vec<ProviderId> {
    let usable = catalog.providers().into_iter().filter(|provider| {
        provider.protocols.iter().any(|spoken| {
            crate::upstream::BUILT.contains(&spoken.protocol)
                && !matches!(find_key(provider, &spoken.auth, &settings.keys), Found::Missing { .. })
        })
    });
    usable.map(|provider| provider.id).collect()
}

/// Providers that sell no calls: subscriptions, servers on the user's own machine. Needed only where calls are priced.
fn unmetered(catalog: &Catalog, args: &ModelsList) -> Vec<ProviderId> {
    let providers = if args.tokens.is_some() { catalog.providers() } else { Vec::new() };
    let sells = |kind| !matches!(kind, ProviderKind::Plan | ProviderKind::Local);
    providers.into_iter().filter(|provider| !sells(provider.kind)).map(|provider| provider.id).collect()
}

struct Filter<'a> {
    args: &'a ModelsList,
    callable: Option<Vec<ProviderId>>,
    now: Timestamp,
    /// Providers whose price of a call says nothing.
    unmetered: Vec<ProviderId>,
    /// Providers that are never called.
    uncalled: Vec<ProviderId>,
    /// The author of the model before, and its own provider: models come sorted by author.
    last: std::cell::RefCell<(String, Option<&'static str>)>,
}

/// A model that passed, with the endpoint that speaks for it.
struct Kept<'a> {
    line: ModelLine<'a>,
    own: Option<EndpointLine<'a>>,
    status: Status,
    providers: u64,
    /// What the priced call costs where it costs least, and where that is.
    cheapest: Option<(Usd, &'a str)>,
}

/// What the endpoints of a model add up to.
#[derive(Default)]
struct Tally<'a> {
    /// How many living providers there are, and the last of them: endpoints come sorted by provider.
    providers: u64,
    last: Option<&'a str>,
    served: bool,
    callable: bool,
    living: bool,
    chat: bool,
    free: bool,
}

impl Filter<'_> {
    /// The model, if it passes; `plain` is room for its plain offers.
    fn keep<'a>(&self, line: &ModelLine<'a>, plain: &mut Vec<EndpointLine<'a>>) -> Option<Kept<'a>> {
        let args = self.args;
        let id = line.id();
        let named = |word: &String| {
            let word = word.to_lowercase();
            id.contains(&word) || line.name().to_lowercase().contains(&word)
        };
        let author = line.author();
        let vendor = args.vendor.is_empty() || args.vendor.iter().any(|wanted| wanted.eq_ignore_ascii_case(author));
        if !vendor || !args.words.iter().all(named) {
            return None;
        }
        let mut tally =
            Tally { served: args.provider.is_empty(), callable: self.callable.is_none(), ..Tally::default() };
        plain.clear();
        for endpoint in line.endpoints() {
            self.count(&endpoint, &mut tally);
            if endpoint.is_plain() {
                plain.push(endpoint);
            }
        }
        let wanted = tally.served && tally.callable && (!args.free || tally.free);
        if !wanted || !(args.all || (tally.chat && tally.living)) {
            return None;
        }
        // Whoever asks of some providers means theirs: what others take for it is no answer.
        if !args.provider.is_empty() {
            plain.retain(|endpoint| self.is_wanted(endpoint.provider()));
        }
        let own = speaker(plain, self.own_provider(author), |id| self.is_uncalled(id), self.now);
        let status = match own.as_ref().map(|endpoint| endpoint.status_at(self.now)) {
            Some(Status::Retired) if tally.living => Status::Active,
            Some(status) => status,
            None => Status::Unlisted,
        };
        let providers = tally.providers;
        if !self.able(line, own.as_ref(), tally.free) {
            return None;
        }
        let cheapest = args.tokens.and_then(|shape| self.cheapest(line, plain, shape));
        Some(Kept { line: *line, own, status, providers, cheapest })
    }

    /// The offer of which such a call costs least, of those that take it and keep to what is asked: what a fresh list has,
    /// what is sold, and what answers in text. A price of nothing is a trial's, with limits of its own.
    fn cheapest<'a>(&self, line: &ModelLine<'a>, plain: &[EndpointLine<'a>], shape: Shape) -> Option<(Usd, &'a str)> {
        let is_sold = |endpoint: &&EndpointLine<'a>| {
            let listed = !matches!(endpoint.status_at(self.now), Status::Retired | Status::Unlisted);
            let is_sold = !self.unmetered.iter().any(|id| id.as_str() == endpoint.provider());
            listed && is_sold && !self.is_uncalled(endpoint.provider())
        };
        let takes = |endpoint: &&EndpointLine<'a>| {
            let within = |limit: Option<Tokens>, count: Tokens| limit.is_none_or(|most| count <= most);
            let speaks = endpoint.gives(Modality::Text) || !Modality::ALL.into_iter().any(|way| endpoint.gives(way));
            within(endpoint.context(), shape.input + shape.output)
                && within(endpoint.max_input(), shape.input)
                && within(endpoint.max_output(), shape.output)
                && (!line.is(ModelKind::Chat) || (endpoint.kind() == ModelKind::Chat && speaks))
        };
        let fit = plain.iter().filter(is_sold).filter(takes).filter(|endpoint| self.able(line, Some(*endpoint), false));
        let priced = fit.filter_map(|endpoint| {
            let cost = facts::per_call(&endpoint.endpoint(), shape, self.now)?;
            Some((cost, endpoint.provider()))
        });
        priced.filter(|(cost, _)| *cost > Usd::ZERO).min()
    }

    fn own_provider(&self, author: &str) -> Option<&'static str> {
        let mut last = self.last.borrow_mut();
        if last.0 != author {
            *last = (author.to_owned(), Catalog::own_provider(author));
        }
        last.1
    }

    fn is_uncalled(&self, provider: &str) -> bool {
        self.uncalled.iter().any(|id| id.as_str() == provider)
    }

    fn is_wanted(&self, provider: &str) -> bool {
        self.args.provider.iter().any(|wanted| wanted == provider)
    }

    fn count<'a>(&self, endpoint: &EndpointLine<'a>, tally: &mut Tally<'a>) {
        let (provider, living) = (endpoint.provider(), endpoint.status_at(self.now) != Status::Retired);
        tally.chat |= endpoint.kind() == ModelKind::Chat;
        tally.living |= living;
        if self.args.free && !tally.free {
            let zero = |item| endpoint.price(item).as_deref() == Some("0");
            tally.free = zero(Item::Input) && zero(Item::Output);
        }
        if !endpoint.is_plain() {
            return;
        }
        tally.served |= (living || self.args.all) && self.is_wanted(provider);
        tally.callable |= self.callable.as_ref().is_some_and(|known| known.iter().any(|id| id.as_str() == provider));
        if living && tally.last != Some(provider) {
            (tally.providers, tally.last) = (tally.providers + 1, Some(provider));
        }
    }

    fn able(&self, line: &ModelLine<'_>, own: Option<&EndpointLine<'_>>, free: bool) -> bool {
        let args = self.args;
        let can = |capability| own.is_some_and(|endpoint| endpoint.can(capability));
        let priced = || own.and_then(|endpoint| endpoint.price(Item::Input)?.parse::<UsdPerMtok>().ok());
        let limits = || Limits {
            context: own.and_then(EndpointLine::context).or(line.context()),
            max_input: own.and_then(EndpointLine::max_input),
            max_output: own.and_then(EndpointLine::max_output),
        };
        let retiring = |days: u32| {
            let left = own.and_then(EndpointLine::sunset).and_then(|day| day::until(day, self.now));
            left.is_some_and(|left| day::is_near(left, days))
        };
        (!args.tools || can(Capability::Tools))
            && (!args.vision || own.is_some_and(|endpoint| endpoint.takes(Modality::Image)))
            && (!args.reasoning || can(Capability::Reasoning))
            && (!args.structured || can(Capability::Structured))
            && (!args.open_weights || line.open_weights() == Some(true))
            && args.min_context.is_none_or(|least| limits().hold(least) == Some(true))
            && args.max_price.is_none_or(|most| (args.free && free) || priced().is_some_and(|price| price <= most))
            && args.released_after.as_deref().is_none_or(|day| line.released().is_some_and(|out| out > day))
            && !args.not_retiring.is_some_and(retiring)
    }
}

/// The endpoint that speaks for a model: its author's own, else the cheapest; of several the unqualified one.
fn speaker<'a>(
    plain: &[EndpointLine<'a>],
    own: Option<&str>,
    uncalled: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Option<EndpointLine<'a>> {
    let regional = |endpoint: &EndpointLine<'_>| endpoint.region().is_some_and(|region| region != "global");
    let price = |endpoint: &EndpointLine<'_>| endpoint.price(Item::Input)?.parse::<UsdPerMtok>().ok();
    if let Some(found) = plain.iter().filter(|endpoint| own == Some(endpoint.provider())).min_by_key(|e| regional(e)) {
        return Some(*found);
    }
    plain.iter().copied().min_by_key(|endpoint| {
        let price = price(endpoint);
        let gone = endpoint.status_at(now) == Status::Retired;
        (gone, uncalled(endpoint.provider()), price.is_none() || regional(endpoint), price)
    })
}

/// The id of an endpoint.
fn id(endpoint: &EndpointLine<'_>) -> EndpointId {
    EndpointId { provider: ProviderId::new(endpoint.provider()), upstream_model: endpoint.wire_id().to_owned() }
}

/// The cells of a model, added to others; whether the price of a call does not come out of the rates among them.
fn row(kept: &Kept<'_>, shape: Option<Shape>, measured: &View, now: Timestamp, cells: &mut Vec<Cell>) -> bool {
    let line = &kept.line;
    let own = kept.own.as_ref();
    let price = |item| own.and_then(|endpoint| endpoint.price(item)?.parse::<UsdPerMtok>().ok());
    let rate = |price: Option<UsdPerMtok>| Cell::money(price.map(UsdPerMtok::decimal));
    let count = |tokens: Option<Tokens>| Cell::count(tokens.map(Tokens::count));
    let priced = shape.zip(own).map(|(shape, endpoint)| facts::call(&endpoint.endpoint(), shape, now));
    let (call, is_other) = priced.unwrap_or_default();
    let (input, output) = (price(Item::Input), price(Item::Output));
    let prices = input.zip(output);
    let billing = prices.map(|prices| if prices == (UsdPerMtok::ZERO, UsdPerMtok::ZERO) { "free" } else { "metered" });
    let abilities = own.map(|own| facts::named_abilities(|it| own.can(it), |it| own.takes(it))).unwrap_or_default();
    cells.extend([
        Cell::Text(line.id().to_owned()),
        Cell::Text(line.name().to_owned()),
        Cell::Text(line.author().to_owned()),
        Cell::text(line.released()),
        count(own.and_then(EndpointLine::context).or(line.context())),
        count(own.and_then(EndpointLine::max_output).or(line.max_output())),
        rate(input),
        rate(output),
        rate(price(Item::CacheRead)),
        rate(price(Item::CacheWrite)),
        Cell::money(call.map(|amount| amount.decimal())),
        Cell::text(own.filter(|_| prices.is_some()).map(EndpointLine::provider)),
        Cell::text(billing),
        Cell::words(abilities),
        Cell::Count(kept.providers),
    ]);
    match own.filter(|_| !measured.is_empty()) {
        Some(endpoint) => cells.extend(measured.cells(&id(endpoint))),
        None => cells.extend(std::iter::repeat_with(Cell::default).take(measured::COLUMNS.len())),
    }
    cells.extend([
        Cell::Text(kept.status.name().to_owned()),
        Cell::text(own.and_then(EndpointLine::sunset)),
        line.open_weights().map_or(Cell::Unknown, Cell::Flag),
        Cell::text(line.knowledge()),
        Cell::words(line.kinds().iter().map(|kind| kind.name())),
        Cell::Flag(line.floating()),
        Cell::money(kept.cheapest.map(|(cost, _)| cost.decimal())),
        Cell::text(kept.cheapest.map(|(_, provider)| provider)),
        count(own.and_then(EndpointLine::max_input)),
    ]);
    is_other
}
