//! `openmux catalog update`: fetch, check, compare, write.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::changes;
use super::fetch::{Got, Source};
use super::files::{Files, Keep};
use super::release::{self, Seen};
use crate::catalog::diff::{Change, changes as compare};
use crate::catalog::fresh::{Listing, ListingError, Refusal, Rule, Tripped, adopt, merge, tripped};
use crate::catalog::release::Release;
use crate::catalog::{About, Catalog, Signed, Stored};
use crate::cli::args::{AllowedRule, CatalogUpdate, Format};
use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::render::json::document;
use crate::cli::render::sheet::Printing;
use crate::cli::render::text::{grouped, wrap};
use crate::cli::settings::{self, Settings};
use crate::cli::{Outcome, print, print_page, warn};

/// The most changes that the page shows.
const SHOWN: usize = 20;
/// The most entries that are named among those left out.
const NAMED: usize = 3;

/// What an update came to.
struct Done {
    outcome: &'static str,
    before: Catalog,
    after: Catalog,
    changes: Vec<Change>,
    refused: Vec<Refusal>,
}

/// Runs the command.
///
/// # Errors
/// The list cannot be fetched, is none, or is refused; what is in use stays then.
pub(crate) fn update(settings: &Settings, args: &CatalogUpdate) -> Outcome {
    let json = super::as_json(settings)?;
    let source = Source::of(settings, args)?;
    let done = attempt(settings, args, &source).map_err(|error| {
        let stays = settings.tables();
        let kind = if stays.update().is_some() { "an update" } else { "the one in the program" };
        error.fact("in use", format!("the catalog of {} stays ({kind})", stays.generated()))
    })?;
    let left = done.refused.len();
    let warning = (left > 0).then(|| {
        let named = done.refused.iter().take(if settings.verbose > 0 { left } else { NAMED });
        let named: Vec<String> = named.map(|refused| format!("{} {}", refused.what, refused.why)).collect();
        let more = if named.len() < left { format!("; {} more (-v)", left - named.len()) } else { String::new() };
        let entries = if left == 1 { "1 entry is" } else { &format!("{left} entries are") };
        format!("{entries} left out or in part: {}{more}", named.join("; "))
    });
    if let Some(text) = &warning {
        warn(settings, text);
    }
    if json {
        return print(&as_document(settings, &done, &source, &warning.into_iter().collect::<Vec<_>>()));
    }
    print_page(settings, &page(settings, &done, &source)?)
}

/// What is here from the source that is asked.
struct Here {
    /// The catalog in use.
    before: Catalog,
    /// The file of the update. What cannot be used is fetched anew, as if it were not there.
    stored: Option<Stored>,
    /// Whether it is from the same source.
    is_same: bool,
    /// Whether it is that, in use, and would be taken over again.
    is_good: bool,
    /// The source's mark of it, where it would be taken over again.
    mark: Option<String>,
}

impl Here {
    fn read(settings: &Settings, args: &CatalogUpdate, source: &Source, files: &Files) -> Self {
        let before = settings.tables();
        let stored = settings::stored(&files.current).ok().flatten();
        let same = stored.as_ref().filter(|stored| stored.about().source == source.shown());
        let trusted = settings.config.published().keys();
        let is_good = |stored: &&Stored| match &stored.about().signed {
            Some(signed) => trusted.iter().any(|(_, key)| key.to_string() == signed.key),
            None => unsigned_too(settings, args),
        };
        let is_same = same.is_some();
        let good = same.filter(is_good).filter(|_| before.update().is_some());
        // A dry run shows what is in the list, whether it is new or not.
        // Prices that were not believed the last time have to be read again.
        let anew = args.dry_run || args.allow.contains(&AllowedRule::Prices);
        let mark = good.filter(|_| !anew).and_then(|stored| stored.about().etag.clone());
        Self { is_good: good.is_some(), before, stored, is_same, mark }
    }

    /// What the same source had the last time.
    fn same(&self) -> Option<&Stored> {
        self.stored.as_ref().filter(|_| self.is_same)
    }
}

/// Whether a list that nobody signed is taken over.
fn unsigned_too(settings: &Settings, args: &CatalogUpdate) -> bool {
    settings.config.published().keys().is_empty() || args.allow.contains(&AllowedRule::Unsigned)
}

/// Fetches first, however long that takes, and then has the files to itself: what is there by then is what counts.
fn attempt(settings: &Settings, args: &CatalogUpdate, source: &Source) -> Result<Done, CliError> {
    let files = Files::of(settings)?;
    if !args.dry_run {
        // What could not be written is not fetched.
        drop(files.lock()?);
    }
    let mark = Here::read(settings, args, source, &files).mark;
    let asked = settings::now();
    let got = source.get(settings, mark.as_deref(), args.timeout.0)?;
    let _lock = if args.dry_run { None } else { Some(files.lock()?) };
    let here = Here::read(settings, args, source, &files);
    let believes_prices = args.allow.contains(&AllowedRule::Prices);
    let now = settings::now();
    let newest = |before: Catalog| {
        let after = if args.dry_run { before.clone() } else { settings.tables() };
        Ok(Done { outcome: "newest", before, after, changes: Vec::new(), refused: Vec::new() })
    };
    // Somebody else has fetched it from there since: what is here is no older than what came.
    let fetched = here.same().and_then(|stored| stored.about().fetched.parse::<Timestamp>().ok());
    if here.is_good && !args.dry_run && fetched.is_some_and(|fetched| fetched > asked) {
        return newest(here.before);
    }
    let (bytes, etag, made) = match got {
        Got::List { bytes, etag, made } => (bytes, etag, made),
        Got::Unchanged(_) if here.mark != mark => return Err(gone_meanwhile(source)),
        Got::Unchanged(made) => {
            if let (Some(stored), false) = (here.same(), args.dry_run) {
                let about = stored.about();
                let date = if about.signed.is_some() { about.date.clone() } else { day(made, now) };
                files.replace(
                    &stored.with_about(&About { date, fetched: now.to_string(), ..about.clone() }),
                    Keep::Nothing,
                )?;
            }
            return newest(here.before);
        }
    };
    let (before, same) = (&here.before, here.same());
    let trusted = settings.config.published().keys();
    let seen = Seen::read(settings)?;
    let (mut list, release) = if Release::is_one(&bytes) {
        let (release, signed) = release::opened(settings, &bytes, &source.shown())?;
        seen.check(&signed, &bytes, now, args.allow.contains(&AllowedRule::Older), &source.shown())?;
        let (merged, list) = adopt(&release.catalog);
        (list, Some((merged, signed)))
    } else if unsigned_too(settings, args) {
        (read(&bytes, source)?, None)
    } else {
        return Err(release::unsigned(&trusted, &source.shown()));
    };
    let broken: Vec<Tripped> = tripped(&list, same, before);
    refuse(&broken, args, source)?;
    let (merged, signed) = match release {
        Some((merged, signed)) => (merged, Some(signed)),
        None => {
            list.doubt(before, believes_prices);
            (merge(&list, same), None)
        }
    };
    let made_on = |signed: &Signed| day(signed.issued.parse().ok(), now);
    let about = About {
        date: signed.as_ref().map_or_else(|| day(made, now), made_on),
        as_of: String::new(),
        fetched: now.to_string(),
        source: source.shown(),
        etag,
        embedded: Catalog::embedded().to_owned(),
        providers: list.listed,
        endpoints: list.entries.len(),
        priced: list.priced(),
        signed,
    };
    older(&about, source, before, args.allow.contains(&AllowedRule::Older))?;
    let text = merged.text(&about);
    let written = Stored::parse(text.clone().into_bytes()).map_err(|error| {
        CliError::bug("catalog", "the catalog that was made cannot be read").fact("reason", error.to_string())
    })?;
    let after = Catalog::updated(Arc::new(written));
    fits(settings, before, &after)?;
    let changes = compare(before, &after);
    if !args.dry_run {
        // A file that cannot be used is nothing to go back to.
        let usable = here.stored.is_some() || !files.current.exists();
        files.replace(&text, if usable && !changes.is_empty() { Keep::Current } else { Keep::Nothing })?;
        if let Some(signed) = &about.signed {
            seen.keep(signed, &bytes)?;
        }
    }
    let outcome = match (args.dry_run, changes.is_empty()) {
        (true, _) => "dry_run",
        (false, true) => "newest",
        (false, false) => "updated",
    };
    let refused = [list.reduced, list.refused].concat();
    Ok(Done { outcome, before: here.before, after, changes, refused })
}

/// The source says that it has what was here, and that is gone from here by now.
fn gone_meanwhile(source: &Source) -> CliError {
    let message = format!("{} was not used: another openmux has changed the catalog meanwhile", source.shown());
    CliError::new(Exit::Unavailable, "busy", message).fix("openmux catalog update")
}

/// What the user has of their own is as much use with the new catalog.
fn fits(settings: &Settings, before: &Catalog, after: &Catalog) -> Result<(), CliError> {
    let unfit = |error: CliError| CliError {
        message: format!("what you have of your own does not fit the new catalog: {}", error.message),
        fix: format!("{}, then openmux catalog update", error.fix),
        ..error
    };
    if let Some(error) = settings.unfit(before, after)? {
        return Err(unfit(error));
    }
    settings.laid_over(after.clone()).map(drop).map_err(unfit)
}

/// The day of the data: what the source says, but no later than today.
fn day(made: Option<Timestamp>, now: Timestamp) -> String {
    let day = made.map_or(now, |made| made.min(now));
    day.to_string().chars().take(10).collect()
}

fn read(bytes: &[u8], source: &Source) -> Result<Listing, CliError> {
    let shown = source.shown();
    let looks = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if looks == Some(&b'<') {
        return Err(CliError::new(Exit::Unavailable, "catalog", format!("{shown} gave a page, not a list"))
            .fix("a network that wants a log-in answers like this; else give another address: --from URL"));
    }
    Listing::read(bytes).map_err(|error| {
        if let (ListingError::CutOff, Source::Url(uri)) = (&error, source) {
            return super::fetch::cut_off(uri, bytes.len());
        }
        CliError::new(Exit::Config, "catalog", format!("{shown} is no catalog"))
            .fact("reason", error.to_string())
            .fix("another source: --from URL|FILE")
    })
}

/// An older list than the embedded tables would be passed over: it is not written at all. One that is older than the update
/// in use is written where that is allowed; the order of releases is their serial.
fn older(about: &About, source: &Source, before: &Catalog, allowed: bool) -> Result<(), CliError> {
    if about.date.as_str() >= Catalog::embedded() {
        let (day, in_use) = (&about.date, before.generated());
        if allowed || about.signed.is_some() || day.as_str() >= in_use {
            return Ok(());
        }
        let message = format!("{} is of {day}, before the update of {in_use} that is in use", source.shown());
        return Err(CliError::new(Exit::Refused, "older", message)
            .fix("look at it; if it is right: openmux catalog update --allow older"));
    }
    let message = format!("{} is of {}, before the catalog in the program", source.shown(), about.date);
    Err(CliError::new(Exit::Refused, "older", message)
        .fact("in program", Catalog::embedded())
        .fix("a newer one: openmux catalog update --from URL|FILE"))
}

/// What the rules say, less what is allowed.
fn refuse(broken: &[Tripped], args: &CatalogUpdate, source: &Source) -> Result<(), CliError> {
    let allowed = |rule: Rule| {
        args.allow.iter().any(|allowed| {
            let of_lists = match allowed {
                AllowedRule::Fewer => Rule::Fewer,
                AllowedRule::Vanished => Rule::Vanished,
                AllowedRule::Prices => Rule::Prices,
                AllowedRule::Entries => Rule::Entries,
                AllowedRule::Schema => Rule::Schema,
                AllowedRule::Unsigned | AllowedRule::Older => return false,
            };
            rule == of_lists
        })
    };
    let broken: Vec<&Tripped> = broken.iter().filter(|tripped| !allowed(tripped.rule)).collect();
    if broken.is_empty() {
        return Ok(());
    }
    let rules: Vec<&str> = broken.iter().map(|tripped| tripped.rule.name()).collect();
    let error = CliError::new(Exit::Refused, "catalog", format!("{} looks broken, and is not used", source.shown()));
    let error = broken.iter().fold(error, |error, tripped| {
        let mut told = tripped.seen.clone();
        told.extend(tripped.examples.iter().map(|example| format!("\n{example}")));
        error.fact(tripped.rule.name(), told)
    });
    Err(error.fix(format!("look at it; if it is right: openmux catalog update --allow {}", rules.join(","))))
}

/// For people: what is in use now, and what changed.
fn page(settings: &Settings, done: &Done, source: &Source) -> Result<String, CliError> {
    let width = settings.width.clamp(40, 200);
    let of = |catalog: &Catalog| {
        let kind = if catalog.update().is_some() { "" } else { " (in the program)" };
        format!("{}{kind}", catalog.generated())
    };
    let mut lines = match done.outcome {
        "newest" => vec![format!("Catalog {} is the newest of {}", of(&done.after), source.shown())],
        "dry_run" => vec![format!("Catalog {} would become {}", of(&done.before), of(&done.after))],
        _ => vec![format!("Catalog {} -> {}", of(&done.before), of(&done.after))],
    };
    if let Some(about) = done.after.update().filter(|_| done.outcome != "newest") {
        let counts = [about.endpoints, about.providers, about.priced].map(|count| grouped(count as u64));
        let [offers, providers, priced] = counts;
        lines.extend(wrap(
            &format!("{offers} offers of {providers} providers, {priced} with a price, from {}", source.shown()),
            width,
        ));
    }
    if let Some(signed) = done.after.update().and_then(|about| about.signed.as_ref()) {
        lines.push(super::signed_by(signed));
    }
    if !done.changes.is_empty() {
        lines.push(String::new());
        lines.extend(wrap(&changes::summary(&done.changes), width));
        lines.push(String::new());
        let shown = done.changes.get(..SHOWN).unwrap_or(&done.changes);
        let (catalog, overlays) = (&done.after, 0);
        let envelope = settings.envelope(catalog, overlays, settings::now(), &[]);
        let printing =
            Printing { format: Format::Table, fields: &[], width: settings.width, style: settings.out, envelope };
        lines.extend(changes::sheet(shown).print(&printing)?.text.lines().map(str::to_owned));
        if shown.len() < done.changes.len() {
            lines.push(String::new());
            let more = if done.outcome == "dry_run" { "-o json shows all" } else { "all: openmux catalog diff" };
            lines.push(format!("{} of {} changes; {more}", shown.len(), done.changes.len()));
        }
    }
    if done.outcome == "dry_run" {
        lines.push("Nothing was written (--dry-run).".to_owned());
    }
    Ok(lines.join("\n") + "\n")
}

/// For programs: `catalog.update/1`.
fn as_document(settings: &Settings, done: &Done, source: &Source, warnings: &[String]) -> String {
    let envelope = settings.envelope(&done.after, 0, settings::now(), warnings);
    document("catalog.update/1", &envelope, |out| {
        let mut data = Map::new();
        data.insert("outcome".to_owned(), done.outcome.into());
        data.insert("source".to_owned(), source.shown().into());
        data.insert("before".to_owned(), done.before.generated().into());
        data.insert("after".to_owned(), done.after.generated().into());
        let about = done.after.update();
        for (name, count) in [
            ("providers", about.map(|about| about.providers)),
            ("endpoints", about.map(|about| about.endpoints)),
            ("priced", about.map(|about| about.priced)),
        ] {
            data.insert(name.to_owned(), count.into());
        }
        data.insert("signed".to_owned(), super::signed(about));
        let side = |side: &Option<String>| side.clone().map_or(Value::Null, Value::from);
        let rows = done.changes.iter().map(|change| {
            let id = change.endpoint.as_ref();
            let what = Some(change.what.clone()).filter(|what| !what.is_empty());
            serde_json::json!({
                "change": change.kind.name(),
                "model": change.model.as_ref().map(|id| id.as_str()),
                "provider": change.provider.as_ref().map(|id| id.as_str()),
                "wire_id": id.map(|id| id.upstream_model.as_str()),
                "what": what,
                "before": side(&change.before),
                "after": side(&change.after),
            })
        });
        data.insert("changes".to_owned(), rows.collect());
        let refused = done.refused.iter().map(|refused| serde_json::json!({"what": refused.what, "why": refused.why}));
        data.insert("left_out".to_owned(), refused.collect());
        *out += &Value::Object(data).to_string();
    })
}
