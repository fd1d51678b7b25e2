//! `openmux catalog status`: which catalog is in use, how old it is, and where everything lies.

use serde_json::{Value, json};

use super::files::Files;
use crate::catalog::{About, Catalog, Days, Stored};
use crate::cli::args::CatalogStatus;
use crate::cli::render::json::document;
use crate::cli::render::text::{grouped, wrap};
use crate::cli::settings::{self, Settings};
use crate::cli::{Outcome, print, print_page};

/// What the embedded tables were made of: name, date, licence.
const SOURCES: [(&str, &str, &str); 7] = [
    ("models.dev api.json", "2026-09-28", "MIT"),
    ("LiteLLM model_prices_and_context_window", "2026-11", "MIT"),
    ("pi-ai model catalogue", "2026-11-10", "MIT"),
    ("genai-prices", "2026-11", "MIT"),
    ("models.dev repository", "2026-07-02", "MIT"),
    ("Portkey models", "2026-08-21", "MIT"),
    ("Catwalk", "2026-08-21", "MIT"),
];

/// A file of an update: what is in it, or why it cannot be used.
type Held = Result<Option<Stored>, String>;

/// Runs the command.
///
/// # Errors
/// An overlay cannot be read or is broken.
pub(crate) fn status(settings: &Settings, args: &CatalogStatus) -> Outcome {
    let json = super::as_json(settings)?;
    let files = Files::of(settings).ok();
    let held = |path: Option<&std::path::PathBuf>| path.map_or(Ok(None), |path| settings::stored(path));
    let current = held(files.as_ref().map(|files| &files.current));
    let previous = held(files.as_ref().map(|files| &files.previous));
    let (catalog, _) = settings.catalog()?;
    let days = catalog.days();
    let seen = Seen { catalog: &catalog, files: files.as_ref(), current: &current, previous: &previous, days };
    if json {
        return print(&seen.json(settings, args.sources)?);
    }
    print_page(settings, &seen.page(settings, args.sources)?)
}

struct Seen<'a> {
    catalog: &'a Catalog,
    files: Option<&'a Files>,
    current: &'a Held,
    previous: &'a Held,
    days: Days,
}

impl Seen<'_> {
    fn page(&self, settings: &Settings, sources: bool) -> Result<String, crate::cli::error::CliError> {
        let mut rows: Vec<(&str, String)> = Vec::new();
        let day = self.catalog.as_of();
        let age = settings::age_days(day, settings::now());
        let days = if age == 1 { "1 day old".to_owned() } else { format!("{age} days old") };
        let kind = if self.catalog.update().is_some() { "an update" } else { "the one in the program" };
        let newest = self.catalog.generated();
        let of = if newest == day { String::new() } else { format!(" of {newest}") };
        rows.push(("In use", format!("{day}, {days}: {kind}{of}")));
        if of_several(&self.days) {
            rows.push(("Of which", of_which(&self.days)));
        }
        match self.current {
            Ok(Some(stored)) => {
                let about = stored.about();
                rows.push(("From", about.source.clone()));
                rows.push(("Signed by", self.signed_by(settings, about)));
                rows.push(("Fetched", about.fetched.clone()));
                rows.push(("Its mark", about.etag.clone().unwrap_or_else(|| "-".to_owned())));
                let counts = [about.endpoints, about.providers, about.priced].map(|count| grouped(count as u64));
                let [offers, providers, priced] = counts;
                rows.push(("It lists", format!("{offers} offers of {providers} providers, {priced} with a price")));
                if self.catalog.update().is_none() {
                    rows.push(("Passed over", format!("the update of {}: the program's is newer", about.date)));
                }
            }
            Ok(None) => rows.push(("Update", "none; openmux catalog update fetches one".to_owned())),
            Err(why) => rows.push(("Update", format!("cannot be used: {why}; fix: openmux catalog update"))),
        }
        rows.push(match self.previous {
            Ok(Some(stored)) => {
                ("Before it", format!("{}; openmux catalog rollback goes back to it", stored.about().date))
            }
            Ok(None) => ("Before it", "the one in the program".to_owned()),
            Err(why) => ("Before it", format!("cannot be used: {why}")),
        });
        let [providers, models, endpoints] = embedded().map(|count| grouped(count as u64));
        let day = Catalog::embedded();
        rows.push(("In program", format!("{day}: {providers} providers, {models} models, {endpoints} offers")));
        let overlays = settings.overlay_files()?;
        let shown: Vec<String> = overlays.iter().map(|path| path.display().to_string()).collect();
        rows.push(("Overlays", if shown.is_empty() { "none".to_owned() } else { shown.join("\n") }));
        let place = self.files.map_or_else(|| "-".to_owned(), |files| files.current.display().to_string());
        rows.push(("File", place));
        if sources {
            let lines = SOURCES.map(|(name, date, licence)| format!("{name}, {date}, {licence}"));
            rows.push(("Made of", lines.join("\n")));
        }
        let mut out = String::new();
        for (name, value) in rows {
            let mut label = name;
            for line in value.lines().flat_map(|line| wrap(line, settings.width.clamp(40, 200) - 13)) {
                out += &format!("{label:<13}{line}\n");
                label = "";
            }
        }
        Ok(out)
    }

    /// Who answers for an update.
    fn signed_by(&self, settings: &Settings, about: &About) -> String {
        let trusted = settings.config.published().keys();
        let Some(signed) = &about.signed else {
            let asked = if trusted.is_empty() { "" } else { "; you trust signed ones alone: openmux catalog update" };
            return format!("nobody{asked}");
        };
        let day: String = signed.issued.chars().take(10).collect();
        let known = trusted.iter().any(|(_, key)| key.to_string() == signed.key);
        let doubt = if known { "" } else { ", which you trust no longer: openmux catalog update, or rollback" };
        format!("{}, release {} of {day}, by the key {}{doubt}", signed.by, signed.serial, signed.key)
    }

    fn json(&self, settings: &Settings, sources: bool) -> Result<String, crate::cli::error::CliError> {
        let overlays = settings.overlay_files()?;
        let envelope = settings.envelope(self.catalog, overlays.len(), settings::now(), &[]);
        let update = |held: &Held| match held {
            Ok(stored) => stored.as_ref().map_or(Value::Null, |stored| about(stored.about())),
            Err(why) => json!({"unusable": why}),
        };
        let [providers, models, endpoints] = embedded();
        let mut data = json!({
            "in_use": if self.catalog.update().is_some() { "updated" } else { "bundled" },
            "days": self.days.counts().rev().map(|(day, count)| json!({"date": day, "endpoints": count})).collect::<Vec<_>>(),
            "current": update(self.current),
            "previous": update(self.previous),
            "embedded": {
                "date": Catalog::embedded(), "providers": providers, "models": models, "endpoints": endpoints,
            },
            "overlays": overlays.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            "file": self.files.map(|files| files.current.display().to_string()),
        });
        if sources && let Some(members) = data.as_object_mut() {
            let told = |(name, date, licence)| json!({"name": name, "date": date, "licence": licence});
            members.insert("sources".to_owned(), SOURCES.map(told).to_vec().into());
        }
        Ok(document("catalog.status/1", &envelope, |out| *out += &data.to_string()))
    }
}

/// Whether facts are of more than one day.
fn of_several(days: &Days) -> bool {
    days.counts().count() > 1
}

/// How many offers are of which day, the newest first.
fn of_which(days: &Days) -> String {
    let told = days.counts().rev().enumerate().map(|(at, (day, count))| {
        let offers = if at == 0 { " offers" } else { "" };
        format!("{}{offers} of {day}", grouped(count as u64))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// What is known of an update.
fn about(about: &About) -> Value {
    json!({
        "date": about.date, "fetched": about.fetched, "source": about.source, "etag": about.etag,
        "over": about.embedded, "providers": about.providers,
        "endpoints": about.endpoints, "priced": about.priced, "signed": super::signed(Some(about)),
    })
}

/// How many providers, models and offers are in the program.
fn embedded() -> [usize; 3] {
    let catalog = Catalog::builtin();
    let (models, endpoints) =
        catalog.models().fold((0, 0), |(models, endpoints), line| (models + 1, endpoints + line.endpoints().count()));
    [catalog.providers().len(), models, endpoints]
}
