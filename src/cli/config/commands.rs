//! `openmux config`: what holds and why, which files there are, whom to trust.

use std::path::{Path, PathBuf};

use super::trust::{Trusted, state};
use super::{Config, Files, broken, files, shown, tame};
use crate::catalog::file::Overlay;
use crate::cli::args::{self, ConfigPath, ConfigTrust, ListArgs};
use crate::cli::catalog::shown_source;
use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::offline::column_names;
use crate::cli::render::sheet::{Cell, Column, Printing, Sheet, Show};
use crate::cli::settings::{self, Settings};
use crate::cli::{Outcome, footer, note, noted, out, print, print_page};

/// Runs the command.
///
/// # Errors
/// A file is broken, or there is no such key.
pub(crate) fn run(settings: &Settings, command: &args::Config) -> Outcome {
    match command {
        args::Config::Show(args) => list(settings, &args.list, shown::sheet(settings, args)?),
        args::Config::Path(args) => path(settings, args),
        args::Config::Trust(args) => trust(settings, args),
    }
}

/// Prints a list, the same in every format as other lists are.
fn list(settings: &Settings, list: &ListArgs, mut sheet: Sheet) -> Outcome {
    let format = settings.list_format()?;
    sheet.sort(&column_names(&list.sort), list.reverse)?;
    sheet.rows.truncate(list.limit.unwrap_or(usize::MAX));
    let catalog = settings.tables();
    let envelope = settings.envelope(&catalog, 0, settings::now(), &[]);
    let (width, style) = (settings.width, settings.out);
    let printed = sheet.print(&Printing { format, fields: &list.fields, width, style, envelope })?;
    let outcome = if format.is_page() { print_page(settings, &printed.text)? } else { print(&printed.text)? };
    if !printed.hidden.is_empty() {
        footer(settings, format, &format!("Hidden: {} (-o wide shows all).", printed.hidden.join(", ")));
    }
    Ok(outcome)
}

fn path(settings: &Settings, args: &ConfigPath) -> Outcome {
    let columns = vec![
        Column::new("path", "", "PATH", Show::Plain, 0),
        Column::new("what", "", "WHAT", Show::Plain, 1),
        Column::new("state", "", "STATE", Show::Plain, 0),
    ];
    let mut rows = Vec::new();
    let mut add = |path: &Path, what: &str, state: &str| {
        let (path, what, state) = (path.display().to_string(), what.to_owned(), state.to_owned());
        rows.push(vec![Cell::Text(path), Cell::Text(what), Cell::Text(state)]);
    };
    let there = |path: &Path| if std::fs::metadata(path).is_ok() { "there" } else { "not there" };
    let files = Files::find(settings);
    if let Some(path) = &files.own {
        add(path, "your configuration", there(path));
    }
    match &files.project {
        Some(path) => add(path, "the project's", standing(settings, &files, path)),
        None => add(Path::new(super::PROJECT_FILE), "the project's", "not there"),
    }
    let overlays = settings.overlay_files()?;
    for path in &overlays {
        add(path, "overlay", "there");
    }
    if overlays.is_empty()
        && let Some(folder) = &settings.config_dir
    {
        add(&folder.join("catalog.d"), "overlays", there(&folder.join("catalog.d")));
    }
    if let Some(folder) = &settings.data_dir {
        for (name, what) in [("obs.db", "measurements"), (super::trust::LIST, "trusted files")] {
            add(&folder.join(name), what, there(&folder.join(name)));
        }
    }
    let sheet = Sheet { schema: "config.path/1", command: "config path", columns, rows, marked: Vec::new() };
    list(settings, &args.list, sheet)
}

/// How a project's file is taken.
fn standing(settings: &Settings, files: &Files, path: &Path) -> &'static str {
    match files.load(settings) {
        Err(_) => "broken",
        Ok(loaded) if loaded.untrusted.is_some() => "not trusted",
        Ok(_) => match (Trusted::read(settings), files::text(path, false)) {
            (Ok(trusted), Ok(Some((_, text)))) if trusted.holds(path, &text) => "trusted",
            _ => "there",
        },
    }
}

fn trust(settings: &Settings, args: &ConfigTrust) -> Outcome {
    let mut trusted = Trusted::read(settings)?;
    if args.list {
        let columns = vec![
            Column::new("path", "", "PATH", Show::Plain, 0),
            Column::new("state", "", "STATE", Show::Plain, 0),
            Column::new("sha256", "", "SHA-256", Show::Plain, 10),
        ];
        let row = |(path, hash): &(String, String)| {
            vec![Cell::Text(path.clone()), Cell::Text(state(path, hash).to_owned()), Cell::Text(hash.clone())]
        };
        let rows = trusted.files.iter().map(row).collect();
        let sheet =
            Sheet { schema: "config.trust/1", command: "config trust --list", columns, rows, marked: Vec::new() };
        let layout = ListArgs { fields: Vec::new(), sort: Vec::new(), reverse: false, limit: None };
        return list(settings, &layout, sheet);
    }
    let files = Files::find(settings);
    let path: PathBuf = match args.file.clone().or_else(|| files.project.clone()) {
        Some(path) => path,
        None => {
            let message = format!("there is no {} here, nor above in this project", super::PROJECT_FILE);
            return Err(CliError::new(Exit::NotFound, "project", message).fix("openmux config trust FILE"));
        }
    };
    if args.remove {
        if !trusted.remove(&path)? {
            return Err(CliError::new(Exit::NotFound, "trust", format!("{} is not trusted", path.display()))
                .fix("openmux config trust --list"));
        }
        note(settings, &format!("{} is trusted no longer", path.display()));
        return Ok(Exit::Ok);
    }
    let Some((name, text)) = files::text(&path, true)? else { return Ok(Exit::Ok) };
    let (config, overlay) = Config::parse_project(&name, &text).map_err(|error| broken(&error))?;
    // Before anything is changed, and whatever -q says: this is what is agreed to.
    let tell = |text: &str| out::talk(&noted(settings.err, text));
    let may = allowed(&config, &overlay);
    let beyond = tame::tame(config, &overlay, &files.own_alone()?).1;
    for line in &may {
        tell(&format!("it may {line}"));
    }
    let beyond = beyond
        .into_iter()
        .filter(|(path, _)| !["provider", "endpoint", "catalog"].iter().any(|told| path.starts_with(told)));
    let beyond: Vec<String> = beyond.map(|(path, line)| format!("{path} (line {line})")).collect();
    if !beyond.is_empty() {
        tell(&format!("it goes beyond your own limits: {}", beyond.join(", ")));
    }
    if may.is_empty() && beyond.is_empty() {
        tell("nothing in it needs trust");
    }
    if args.dry_run {
        tell(&format!("{name} is not trusted by --dry-run; `openmux config trust` does that"));
        return Ok(Exit::Ok);
    }
    trusted.add(&path, &text)?;
    note(settings, &format!("{name} is trusted as it is now; `openmux config trust --remove` takes that back"));
    Ok(Exit::Ok)
}

/// What trust lets a file do: run commands, name keys, send them elsewhere, say what is offered at what price.
fn allowed(config: &Config, overlay: &Overlay) -> Vec<String> {
    let mut may = Vec::new();
    for table in &config.providers {
        let id = &table.id;
        may.extend(table.key_cmd.iter().map(|argv| format!("run `{}` for the key of {id}", argv.join(" "))));
        may.extend(table.key_file.iter().map(|path| format!("take the key of {id} from {path}")));
        may.extend(table.key.iter().map(|_| format!("set the key of {id}")));
    }
    may.extend(overlay.sensitive().into_iter().map(|(path, value)| format!("set {path} to {value}")));
    may.extend(overlay.priced().into_iter().map(|id| format!("say what {id} costs and can do")));
    may.extend(config.published.url.iter().map(|url| format!("have the catalog fetched from {}", shown_source(url))));
    may
}
