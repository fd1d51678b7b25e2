//! `openmux models list`: one row a model, filtered, ordered, in any format.

mod nothing;

use jiff::Timestamp;

use super::args::{Format, ModelsList, Shape};
use super::measured::{self, View};
use super::offline::Offline;
use super::prompt::provider;
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::settings::Settings;
use super::{Outcome, facts, note, print};
use crate::catalog::price::Item;
use crate::catalog::{
    Capability, Catalog, EndpointId, EndpointLine, Modality, ModelKind, ModelLine, ProviderId, ProviderKind, Status,
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
const AFTER: [Column; 8] = [
    Column::new("status", "", "STATUS", Show::Plain, 10),
    Column::new("retires", "", "RETIRES", Show::Plain, 10),
    Column::new("open_weights", "", "OPEN WEIGHTS", Show::Plain, 10),
    Column::new("knowledge", "", "KNOWLEDGE", Show::Plain, 10),
    Column::new("kinds", "", "KINDS", Show::Plain, 11),
    Column::new("floating", "", "FLOATING", Show::Mark, 11),
    Column::new("cheapest_call_usd", "cheapest", "CHEAPEST", Show::Dollars, 11),
    Column::new("cheapest_provider", "", "CHEAPEST AT", Show::Plain, 11),
];

/// Runs the command.
///
/// # Errors
/// An overlay is broken, or a field does not exist.
pub(crate) fn list(settings: &Settings, args: &ModelsList) -> Outcome {
    let format = settings.list_format()?;
    let offline = Offline::open(settings, args.at.at)?;
    let now = offline.now;
    let input = args.tokens.map_or(Tokens::new(1_000), |shape| shape.input);
    let measured = View::read(&offline, &args.window, args.unit, input, format);
    let callable = args.callable.then(|| callable(settings, &offline.catalog));
    let asked: Vec<ProviderId> =
        args.provider.iter().map(|name| provider(&offline.catalog, name)).collect::<Result<_, _>>()?;
    let args = &ModelsList { provider: asked.iter().map(ToString::to_string).collect(), ..args.clone() };
    let filter = Filter { args, callable, now, unmetered: unmetered(&offline.catalog, args), last: Default::default() };
    let (mut rows, mut shown) = (Vec::new(), Vec::new());
    for line in offline.catalog.models() {
        if let Some(found) = filter.keep(&line) {
            if !measured.is_empty() {
                shown.push(found.own.as_ref().map(id));
            }
            rows.push(row(&found, args.tokens, &measured, now));
        }
    }
    let mut columns = [&BEFORE[..], &measured::COLUMNS, &AFTER].concat();
    measured.tune(&mut columns, shown.iter().flatten(), (5, 10));
    let marked = measured.marks(&columns, shown.iter().map(Option::as_ref));
    if args.tokens.is_some() {
        for column in columns.iter_mut().filter(|column| column.name == "call_usd") {
            column.rank = 2;
        }
    }
    let mut sheet = Sheet { schema: "models.list/1", command: "models list", columns, rows, marked };
    let sort: Vec<String> = args.list.sort.iter().map(|name| price_alias(name, args.tokens.is_some())).collect();
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    if found == 0 {
        // An empty table's headings would look like a result.
        let asked = if matches!(format, Format::Table | Format::Wide) { print("") } else { print(&printed.text) };
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
    let legend = format!("{shown}. Prices: {whose}, USD per million tokens. {}.{times}", facts::LEGEND);
    // The process ends with this: giving back thousands of cells one by one would only take its time.
    std::mem::forget(sheet);
    offline.close(&printed.text, format, &legend, &printed.hidden)
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
    providers: Vec<&'a str>,
    served: bool,
    callable: bool,
    living: bool,
    chat: bool,
    free: bool,
}

impl Filter<'_> {
    fn keep<'a>(&self, line: &ModelLine<'a>) -> Option<Kept<'a>> {
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
        let mut plain = Vec::new();
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
        let own = speaker(&plain, self.own_provider(author), self.now);
        let status = match own.as_ref().map(|endpoint| endpoint.status_at(self.now)) {
            Some(Status::Retired) if tally.living => Status::Active,
            Some(status) => status,
            None => Status::Unlisted,
        };
        let providers = u64::try_from(tally.providers.len()).unwrap_or(0);
        if !self.able(line, own.as_ref(), tally.free) {
            return None;
        }
        let cheapest = args.tokens.and_then(|shape| self.cheapest(line, &plain, shape));
        Some(Kept { line: *line, own, status, providers, cheapest })
    }

    /// The offer of which such a call costs least, of those that keep to what is asked: what a fresh list has, and what is
    /// sold. A price of nothing is a trial's, with limits of its own.
    fn cheapest<'a>(&self, line: &ModelLine<'a>, plain: &[EndpointLine<'a>], shape: Shape) -> Option<(Usd, &'a str)> {
        let is_sold = |endpoint: &&EndpointLine<'a>| {
            let listed = !matches!(endpoint.status_at(self.now), Status::Retired | Status::Unlisted);
            listed && !self.unmetered.iter().any(|id| id.as_str() == endpoint.provider())
        };
        let fit = plain.iter().filter(is_sold).filter(|endpoint| self.able(line, Some(*endpoint), false));
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
        if living && !tally.providers.contains(&provider) {
            tally.providers.push(provider);
        }
    }

    fn able(&self, line: &ModelLine<'_>, own: Option<&EndpointLine<'_>>, free: bool) -> bool {
        let args = self.args;
        let can = |capability| own.is_some_and(|endpoint| endpoint.can(capability));
        let priced = || own.and_then(|endpoint| endpoint.price(Item::Input)?.parse::<UsdPerMtok>().ok());
        let context = || own.and_then(EndpointLine::context).or(line.context());
        let retiring = |days: u32| {
            let sunset = own.and_then(EndpointLine::sunset);
            let limit = self.now.as_second() + i64::from(days) * 86_400;
            let ends = sunset.and_then(|day| format!("{day}T00:00:00Z").parse::<Timestamp>().ok());
            ends.is_some_and(|end| end.as_second() <= limit)
        };
        (!args.tools || can(Capability::Tools))
            && (!args.vision || own.is_some_and(|endpoint| endpoint.takes(Modality::Image)))
            && (!args.reasoning || can(Capability::Reasoning))
            && (!args.structured || can(Capability::Structured))
            && (!args.open_weights || line.open_weights() == Some(true))
            && args.min_context.is_none_or(|least| context().is_some_and(|context| context >= least))
            && args.max_price.is_none_or(|most| (args.free && free) || priced().is_some_and(|price| price <= most))
            && args.released_after.as_deref().is_none_or(|day| line.released().is_some_and(|out| out > day))
            && !args.not_retiring.is_some_and(retiring)
    }
}

/// The endpoint that speaks for a model: its author's own, else the cheapest; of several the unqualified one.
fn speaker<'a>(plain: &[EndpointLine<'a>], own: Option<&str>, now: Timestamp) -> Option<EndpointLine<'a>> {
    let regional = |endpoint: &EndpointLine<'_>| endpoint.region().is_some_and(|region| region != "global");
    let price = |endpoint: &EndpointLine<'_>| endpoint.price(Item::Input)?.parse::<UsdPerMtok>().ok();
    if let Some(found) = plain.iter().filter(|endpoint| own == Some(endpoint.provider())).min_by_key(|e| regional(e)) {
        return Some(*found);
    }
    plain.iter().copied().min_by_key(|endpoint| {
        let price = price(endpoint);
        (endpoint.status_at(now) == Status::Retired, price.is_none() || regional(endpoint), price)
    })
}

/// The id of an endpoint.
fn id(endpoint: &EndpointLine<'_>) -> EndpointId {
    EndpointId { provider: ProviderId::new(endpoint.provider()), upstream_model: endpoint.wire_id().to_owned() }
}

fn row(kept: &Kept<'_>, shape: Option<Shape>, measured: &View, now: Timestamp) -> Vec<Cell> {
    let line = &kept.line;
    let own = kept.own.as_ref();
    let price = |item| own.and_then(|endpoint| endpoint.price(item)?.parse::<UsdPerMtok>().ok());
    let rate = |item| Cell::money(price(item).map(UsdPerMtok::decimal));
    let count = |tokens: Option<Tokens>| Cell::count(tokens.map(Tokens::count));
    let call = shape.zip(own).and_then(|(shape, endpoint)| facts::per_call(&endpoint.endpoint(), shape, now));
    let prices = price(Item::Input).zip(price(Item::Output));
    let billing = prices.map(|prices| if prices == (UsdPerMtok::ZERO, UsdPerMtok::ZERO) { "free" } else { "metered" });
    let (can, takes) = own.map(EndpointLine::abilities).unwrap_or_default();
    let mut cells = Vec::with_capacity(BEFORE.len() + measured::COLUMNS.len() + AFTER.len());
    cells.extend([
        Cell::Text(line.id().to_owned()),
        Cell::Text(line.name().to_owned()),
        Cell::Text(line.author().to_owned()),
        Cell::text(line.released()),
        count(own.and_then(EndpointLine::context).or(line.context())),
        count(own.and_then(EndpointLine::max_output).or(line.max_output())),
        rate(Item::Input),
        rate(Item::Output),
        rate(Item::CacheRead),
        rate(Item::CacheWrite),
        Cell::money(call.map(|amount| amount.decimal())),
        Cell::text(own.filter(|_| prices.is_some()).map(EndpointLine::provider)),
        Cell::text(billing),
        Cell::words(facts::abilities(&can, &takes)),
        Cell::Count(kept.providers),
    ]);
    match own.filter(|_| !measured.is_empty()) {
        Some(endpoint) => cells.extend(measured.cells(&id(endpoint))),
        None => cells.resize(cells.len() + measured::COLUMNS.len(), Cell::Unknown),
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
    ]);
    cells
}
