//! `openmux providers check`: whether providers answer and take their keys, without spending.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::{Format, ProvidersCheck};
use super::contract::Exit;
use super::error::CliError;
use super::offline::{Offline, column_names};
use super::platform::set_key;
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::render::text::{one_line, wrap};
use super::report::{better_key, is_variable};
use super::settings::{self, Settings};
use super::{Outcome, facts, note, print, print_page, prompt, sandbox, warn};
use crate::catalog::{Provider, is_loopback};
use crate::dispatch::{Checked, Dispatcher, Health, Reach, Sandboxed, Wire};
use crate::observe::ErrorClass;
use crate::sandbox::SandboxProvider;
use crate::upstream::UpstreamError;
use crate::upstream::auth::{Found, Signer};
use crate::upstream::transport::Transport;

/// Whose providers the sandbox simulates where none is named.
const SANDBOX_MODEL: &str = "anthropic/claude-sonnet-5";

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Which of them says what to do.
const FIX: usize = 6;

const COLUMNS: [Column; 11] = [
    Column::new("provider", "id", "PROVIDER", Show::Plain, 0),
    Column::new("status", "", "STATUS", Show::Plain, 0),
    Column::new("key_source", "", "KEY FROM", Show::Plain, 4),
    Column::new("models", "", "MODELS", Show::Number, 5),
    Column::new("elapsed_ms", "time", "TIME", Show::Millis, 3),
    Column::new("message", "", "WHAT", Show::Plain, 9),
    Column::new("fix", "", "FIX", Show::Plain, 9),
    Column::new("class", "", "CLASS", Show::Plain, 10),
    Column::new("http_status", "", "HTTP", Show::Number, 10),
    Column::new("url", "", "ASKED", Show::Plain, 10),
    Column::new("models_more", "", "MORE MODELS", Show::Mark, 10),
];

/// The columns of the page for people; what is wrong stands in lines of its own.
const PAGE: [&str; 5] = ["status", "provider", "key_source", "models", "elapsed_ms"];

/// Where several fail, the first of these that occurs is the exit code: what no retry cures comes first.
pub(crate) const ORDER: [Exit; 7] =
    [Exit::Auth, Exit::Config, Exit::NotFound, Exit::Rejected, Exit::Limited, Exit::Timeout, Exit::Unavailable];

/// Runs the command.
///
/// # Errors
/// A provider is unknown, none has a key, or some do not pass.
pub(crate) fn check(settings: &Settings, args: &ProvidersCheck) -> Outcome {
    let format = settings.list_format()?;
    if settings.offline && settings.sandbox.is_none() {
        return Err(CliError::new(Exit::Refused, "offline", "not checked: --offline refuses the network")
            .fix("leave out --offline, or try it with --sandbox"));
    }
    let offline = Offline::open(settings, None)?;
    let named = args.providers.iter().map(|name| {
        let id = prompt::provider(&offline.catalog, name)?;
        Ok(offline.catalog.provider(&id))
    });
    let named: Vec<Option<Provider>> = named.collect::<Result<_, CliError>>()?;
    let named: Vec<Provider> = named.into_iter().flatten().collect();
    let runtime = super::chat::runtime()?;
    let outcome = runtime.block_on(async {
        let stopped = super::chat::stop_signal();
        tokio::select! {
            rows = ask(&offline, args, named) => rows.map(Ok),
            exit = stopped => Ok(Err(exit)),
        }
    });
    runtime.shutdown_background();
    match outcome? {
        Ok(rows) => show(&offline, format, args, rows),
        Err(exit) => Ok(exit),
    }
}

/// Asks those that are named, or else all that have a key.
async fn ask(offline: &Offline<'_>, args: &ProvidersCheck, named: Vec<Provider>) -> Result<Vec<Row>, CliError> {
    let settings = offline.settings;
    let started = match &settings.sandbox {
        Some(scenario) => Some(simulate(offline, scenario, &named).await?),
        None => None,
    };
    let simulated = started.as_ref().map(|(_, simulated)| simulated);
    let dispatcher = Dispatcher { now: &settings::now, ..offline.dispatcher(simulated, None) };
    let chosen = !named.is_empty();
    let asked = if chosen { named } else { offline.catalog.providers() };
    let reaches = asked.iter().filter_map(|provider| dispatcher.reach_provider(provider));
    let reaches: Vec<Reach> = reaches.filter(|reach| chosen || has_key(reach)).collect();
    if reaches.is_empty() {
        return Err(CliError::new(Exit::Auth, "no_key", "no provider has a key")
            .fact("looked in", "the variables of every provider (openmux providers list -o wide), config.toml")
            .fix(format!(
                "{}   or try it without a key: openmux --sandbox providers check",
                set_key("OPENAI_API_KEY")
            )));
    }
    if simulated.is_some() {
        note(settings, "sandbox: the providers are simulated; nothing leaves this machine and nothing is spent");
    }
    for reach in reaches.iter().filter(|reach| reach.in_the_clear()) {
        warn(settings, &format!("{} is reached over plain http: its key travels in the clear", reach.provider.id));
    }
    let limit = args.timeout.0.unwrap_or(FOR_EVER);
    let transport = Transport::new(&settings.transport(Some(limit))?).map_err(|error| CliError::no_client(error.0))?;
    let vars = simulated.map_or(&settings.keys.vars, |simulated| &simulated.vars);
    let signer = Signer::new(vars.clone());
    let wire = Wire { transport: &transport, signer: &signer };
    let checked = dispatcher.check(&reaches, wire, limit, false).await;
    Ok(rows(&reaches, checked, chosen))
}

/// Simulates those that are named, or else some of one model.
async fn simulate(
    offline: &Offline<'_>,
    scenario: &str,
    named: &[Provider],
) -> Result<(crate::sandbox::Running, Sandboxed), CliError> {
    if named.is_empty() {
        let model = facts::model(&offline.catalog, SANDBOX_MODEL)?;
        let stage = sandbox::Stage { scenario, port: 0, named: &[] };
        return sandbox::start(offline.settings, &offline.catalog, &model, stage).await;
    }
    let mut providers: Vec<SandboxProvider> = Vec::new();
    for provider in named {
        let twice = providers.iter().any(|known| known.id == provider.id);
        let spoken = provider.protocols.iter().map(|spoken| (spoken.protocol, spoken.auth.clone()));
        let spoken = sandbox::playable(spoken);
        if !twice && !spoken.is_empty() {
            providers.push(SandboxProvider { id: provider.id.clone(), name: provider.name.clone(), spoken });
        }
    }
    sandbox::listen(offline.settings, scenario, providers, 0).await
}

/// Whether it is checked without being named.
fn has_key(reach: &Reach) -> bool {
    let callable = reach.protocol.is_some() && reach.unsupported.is_none() && !reach.outside_sandbox;
    callable && matches!(reach.found, Found::Key { .. } | Found::Lazy { .. })
}

/// What is shown of one provider.
struct Row {
    cells: Vec<Cell>,
    failed: Option<Exit>,
}

fn rows(reaches: &[Reach], checked: Vec<Checked>, chosen: bool) -> Vec<Row> {
    // Several providers may share a variable that holds the key of one of them.
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (reach, checked) in reaches.iter().zip(&checked) {
        if let (Some(source), Health::Ok, false) = (source(&reach.found), &checked.health, chosen) {
            taken.entry(source.to_owned()).or_insert_with(|| reach.provider.id.to_string());
        }
    }
    let pairs = reaches.iter().zip(checked);
    pairs.map(|(reach, checked)| row(reach, checked, source(&reach.found).and_then(|key| taken.get(key)))).collect()
}

fn row(reach: &Reach, checked: Checked, taken_by: Option<&String>) -> Row {
    let told = judge(reach, &checked, taken_by);
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let listed = checked.models.as_ref().and_then(|models| u64::try_from(models.len()).ok());
    let class = match &checked.health {
        Health::Bad(error) => Some(error.class.name()),
        Health::NoKey(_) | Health::NoSetting(_) => Some(ErrorClass::Auth.name()),
        _ => None,
    };
    let cells = vec![
        Cell::Text(reach.provider.id.to_string()),
        Cell::Text(told.status.to_owned()),
        facts::key(&reach.found),
        Cell::count(listed),
        Cell::count(checked.elapsed.map(millis)),
        Cell::text(told.message.as_deref().map(one_line)),
        Cell::text(told.fix),
        Cell::text(class),
        Cell::count(checked.http_status.map(u64::from)),
        Cell::text(checked.url),
        Cell::Flag(checked.more),
    ];
    Row { cells, failed: told.failed }
}

/// What a check means to the user.
struct Told {
    status: &'static str,
    message: Option<String>,
    fix: Option<String>,
    failed: Option<Exit>,
}

fn judge(reach: &Reach, checked: &Checked, taken_by: Option<&String>) -> Told {
    let unsure = |message: String| Told { status: "unsure", message: Some(message), fix: None, failed: None };
    let bad = |exit, message: String, fix: String| Told {
        status: "bad",
        message: Some(message),
        fix: Some(fix).filter(|fix| !fix.is_empty()),
        failed: Some(exit),
    };
    match &checked.health {
        Health::Ok => Told { status: "ok", message: None, fix: None, failed: None },
        Health::OpenToAll => {
            unsure("it answers, but to anybody: only a chat would show whether the key is good".into())
        }
        Health::NoList => {
            unsure("it answers, but lists no models: only a chat would show whether the key is good".into())
        }
        Health::NotAsked(why) => unsure(why.clone()),
        Health::NoKey(looked_in) => {
            let first = looked_in.iter().find(|name| is_variable(name));
            let fix = first.map_or_else(|| "a key_cmd or key_file in config.toml".to_owned(), |name| set_key(name));
            bad(Exit::Auth, format!("no key: looked in {}", listed(looked_in)), fix)
        }
        Health::NoSetting(variables) => {
            let fix = variables.first().map(|name| set_key(name)).unwrap_or_default();
            bad(Exit::Auth, format!("its address needs {}", variables.join(", ")), fix)
        }
        Health::Bad(error)
            if error.class == ErrorClass::Auth && checked.http_status.is_some() && taken_by.is_some() =>
        {
            let (source, taker) = (source(&reach.found).unwrap_or_default(), taken_by.map_or("", String::as_str));
            unsure(format!("it rejects the key from {source}, which is one for {taker}"))
        }
        Health::Bad(error) => bad(exit(error.class), words(error, checked.http_status), fix(reach, error, checked)),
    }
}

/// What was said, after its class and with its status where the provider said it.
fn words(error: &UpstreamError, status: Option<u16>) -> String {
    if status.is_none() && error.class != ErrorClass::Auth {
        return error.message.clone();
    }
    let class = error.class.name();
    let status = match (status, &error.request_id) {
        (Some(status), Some(id)) => format!(" ({status}, request {id})"),
        (Some(status), None) => format!(" ({status})"),
        _ => String::new(),
    };
    format!("{class}: {}{status}", error.message)
}

/// The exit code of a failure that is the answer, not an accident on the way to one.
pub(crate) const fn exit(class: ErrorClass) -> Exit {
    match class {
        ErrorClass::Auth | ErrorClass::Forbidden => Exit::Auth,
        ErrorClass::LocalConfig | ErrorClass::LocalNetwork => Exit::Config,
        ErrorClass::NotFound => Exit::NotFound,
        ErrorClass::RateLimited | ErrorClass::Quota => Exit::Limited,
        ErrorClass::ProviderTimeout => Exit::Timeout,
        ErrorClass::Invalid | ErrorClass::Unsupported | ErrorClass::TooLarge | ErrorClass::Conflict => Exit::Rejected,
        _ => Exit::Unavailable,
    }
}

/// One thing to do.
fn fix(reach: &Reach, error: &UpstreamError, checked: &Checked) -> String {
    let address = match &reach.overridden_by {
        Some(variable) => format!("check {variable}: most addresses end in /v1"),
        None => "check the address: openmux providers list -o wide".to_owned(),
    };
    match error.class {
        ErrorClass::Auth => better_key(source(&reach.found)),
        ErrorClass::Forbidden => "ask for access there, or use another key".to_owned(),
        ErrorClass::NotFound => address,
        ErrorClass::RateLimited => "wait a minute, then check again".to_owned(),
        ErrorClass::Quota => "add credit there".to_owned(),
        ErrorClass::Unreachable => "check the connection and the proxy settings".to_owned(),
        ErrorClass::LocalConfig if checked.http_status.is_none() && is_loopback(&reach.base_url) => {
            "start the server there".to_owned()
        }
        ErrorClass::LocalConfig => address,
        ErrorClass::ProviderTimeout => "try again, or with --timeout 30s".to_owned(),
        ErrorClass::ProviderFault if checked.http_status == Some(200) => address,
        _ => "try again later: the fault is at the provider".to_owned(),
    }
}

fn source(found: &Found) -> Option<&str> {
    match found {
        Found::Key { source, .. } | Found::Lazy { source, .. } => Some(source),
        _ => None,
    }
}

fn listed(places: &[String]) -> String {
    if places.is_empty() { "config.toml, as it has no variable".to_owned() } else { places.join(", ") }
}

/// Prints what was found, and says how the command ended.
fn show(offline: &Offline<'_>, format: Format, args: &ProvidersCheck, rows: Vec<Row>) -> Outcome {
    let (all, failing) = (rows.len(), rows.iter().find(|row| row.failed.is_some()));
    let failing = failing.and_then(|row| row.cells.first()).map(Cell::bare).unwrap_or_default();
    let fix = rows.iter().filter(|row| row.failed.is_some()).find_map(|row| row.cells.get(FIX).map(Cell::bare));
    let fix = fix.filter(|fix| !fix.is_empty()).unwrap_or_else(|| "try again later".to_owned());
    let failed: Vec<Exit> = rows.iter().filter_map(|row| row.failed).collect();
    let mut sheet = Sheet {
        schema: "providers.check/1",
        command: "providers check",
        columns: COLUMNS.to_vec(),
        rows: rows.into_iter().map(|row| row.cells).collect(),
        marked: Vec::new(),
    };
    let mut list = args.list.clone();
    let page = format == Format::Table && list.fields.is_empty();
    if page {
        list.fields = PAGE.map(str::to_owned).to_vec();
    }
    let sort = column_names(&list.sort);
    let (printed, _) = offline.lay_out(&mut sheet, format, &list, &sort, list.reverse)?;
    if page {
        print_page(offline.settings, &explained(offline.settings, &sheet, &printed.text))?;
    } else {
        print(&printed.text)?;
    }
    let Some(exit) = ORDER.into_iter().find(|exit| failed.contains(exit)) else { return Ok(Exit::Ok) };
    let message = match (failed.len(), all) {
        (1, _) => format!("{failing} did not pass the check"),
        (failed, all) => format!("{failed} of {all} providers did not pass the check"),
    };
    Err(CliError::new(exit, "check", message).fix(fix))
}

/// The table with what is wrong, and what to do, below each row.
fn explained(settings: &Settings, sheet: &Sheet, table: &str) -> String {
    const INDENT: &str = "        ";
    let style = settings.out;
    let room = settings.width.clamp(40, 120) - INDENT.len();
    let mut lines = table.lines();
    let mut text = lines.next().map(|header| format!("{header}\n")).unwrap_or_default();
    for (line, row) in lines.zip(&sheet.rows) {
        let shown = line.strip_prefix("bad").map(|rest| format!("{}{rest}", style.red("bad")));
        text += &format!("{}\n", shown.unwrap_or_else(|| line.to_owned()));
        if let Some(Cell::Text(message)) = row.get(5) {
            wrap(message, room).iter().for_each(|line| text += &format!("{INDENT}{line}\n"));
        }
        if let Some(Cell::Text(fix)) = row.get(FIX) {
            for (at, line) in wrap(fix, room.saturating_sub(5)).iter().enumerate() {
                let label = if at == 0 { style.dim("fix:") } else { "    ".to_owned() };
                text += &format!("{INDENT}{label} {line}\n");
            }
        }
    }
    text
}
