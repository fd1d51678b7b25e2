//! `openmux providers list --local`: servers that run on this machine, and how to use them. Nothing but loopback is
//! called, whatever the settings say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::args::{Format, ProvidersList};
use super::error::CliError;
use super::offline::{Offline, column_names};
use super::platform::set_key;
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::render::text::{duration, one_line, visible};
use super::settings::Settings;
use super::{Outcome, note, print_page};
use crate::catalog::file::Overlay;
use crate::catalog::{Catalog, Protocol, ProviderKind, ProviderProtocol, is_loopback};
use crate::dispatch::{Checked, Health, Reach, Wire};
use crate::upstream::auth::{Found, Signer};
use crate::upstream::shown_url;
use crate::upstream::transport::{Transport, TransportConfig};

/// A server on this machine accepts at once or not at all.
const CONNECT: Duration = Duration::from_millis(300);
/// One that loads a model may take a moment to say so.
const ANSWER: Duration = Duration::from_secs(2);
/// How many models of one server are named for people.
const MODELS_SHOWN: usize = 8;

/// The line of an overlay that says that calls cost nothing.
const FREE: &str = "price    = { input = \"0\", output = \"0\" }\n";

const COLUMNS: [Column; 8] = [
    Column::new("provider", "id", "PROVIDER", Show::Plain, 0),
    Column::new("name", "", "NAME", Show::Plain, 5),
    Column::new("base_url", "", "ADDRESS", Show::Plain, 1),
    Column::new("models", "", "MODELS", Show::Plain, 2),
    Column::new("elapsed_ms", "time", "TIME", Show::Millis, 3),
    Column::new("use", "", "USE", Show::Plain, 11),
    Column::new("overlay_file", "", "OVERLAY FILE", Show::Plain, 11),
    Column::new("overlay", "", "OVERLAY", Show::Plain, 11),
];

/// A server that runs.
struct Server {
    reach: Reach,
    models: Vec<String>,
    elapsed: Duration,
    way: Way,
}

/// How it is used.
enum Way {
    /// The catalog knows one of its models: a chat with it.
    Ready(String),
    /// The catalog knows none: an overlay, and then a chat. File name, text, command.
    Overlay(String, String, String),
    /// It lists no model, or none that an overlay could name.
    Nothing,
}

/// Runs the command.
///
/// # Errors
/// An overlay is broken, or a field does not exist.
pub(crate) fn list(settings: &Settings, args: &ProvidersList) -> Outcome {
    let format = settings.list_format()?;
    if settings.sandbox.is_some() {
        return Err(
            CliError::usage("--local looks for real servers, of which the sandbox has none").fix("leave out --sandbox")
        );
    }
    let offline = Offline::open(settings, None)?;
    let dispatcher = offline.dispatcher(None, None);
    let candidates = candidates(&offline, args);
    let transport = Transport::new(&TransportConfig { connect_timeout: Some(CONNECT), ..TransportConfig::default() })
        .map_err(|error| CliError::no_client(error.0))?;
    let signer = Signer::new(settings.keys.vars.clone());
    let wire = Wire { transport: &transport, signer: &signer };
    let runtime = super::chat::runtime()?;
    let asked = runtime.block_on(async {
        let stopped = super::chat::stop_signal();
        tokio::select! {
            checked = dispatcher.check(&candidates, wire, ANSWER, true) => Ok(checked),
            exit = stopped => Err(exit),
        }
    });
    runtime.shutdown_background();
    let checked = match asked {
        Ok(checked) => checked,
        Err(exit) => return Ok(exit),
    };
    let looked_at: Vec<String> =
        candidates.iter().map(|reach| format!("{} ({})", reach.provider.id, short(&reach.base_url))).collect();
    let servers: Vec<Server> =
        candidates.into_iter().zip(checked).filter_map(|(reach, checked)| server(&offline, reach, checked)).collect();
    if servers.is_empty() {
        let places = if looked_at.is_empty() { "nowhere".to_owned() } else { looked_at.join(", ") };
        note(settings, &format!("no server runs on this machine; looked at {places}"));
        note(settings, "start one, e.g. `ollama serve` or `llama-server -m MODEL.gguf --port 8080`, and look again");
    }
    let own = args.list.fields.is_empty() && args.list.sort.is_empty();
    if format == Format::Table && own {
        return print_page(settings, &page(settings, &servers));
    }
    let mut sheet = Sheet {
        schema: "providers.local/1",
        command: "providers list --local",
        columns: COLUMNS.to_vec(),
        rows: servers.iter().map(Server::cells).collect(),
        marked: Vec::new(),
    };
    let sort = column_names(&args.list.sort);
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    let legend = format!("{found} servers on this machine.");
    offline.close(&printed.text, format, &legend, &printed.hidden)
}

/// Where to look: the local providers of the catalog, and whatever the user has put on this machine; each address once,
/// under the user's own name for it where there is one.
fn candidates(offline: &Offline<'_>, args: &ProvidersList) -> Vec<Reach> {
    let dispatcher = offline.dispatcher(None, None);
    let embedded = Catalog::builtin();
    let mut by_address: BTreeMap<String, (bool, Reach)> = BTreeMap::new();
    for provider in offline.catalog.providers() {
        let words = args.words.iter().map(|word| word.to_lowercase());
        let mut words = words.filter(|word| !provider.id.as_str().contains(word.as_str()));
        if words.any(|word| !provider.name.to_lowercase().contains(&word)) {
            continue;
        }
        let Some(mut reach) = dispatcher.reach_provider(&provider).filter(|reach| is_loopback(&reach.base_url)) else {
            continue;
        };
        let known = embedded.provider(&provider.id);
        let own = reach.overridden_by.is_some() || known.is_none_or(|known| known.protocols != provider.protocols);
        if !own && provider.kind != ProviderKind::Local {
            continue;
        }
        // A command of the user's is for calls, and a server that wants a key says so.
        if !matches!(reach.found, Found::Key { .. }) {
            reach.found = Found::NotNeeded;
        }
        let address = short(&reach.base_url).replace("localhost", "127.0.0.1");
        match by_address.get(&address) {
            Some((true, _)) => {}
            Some((false, _)) if !own => {}
            _ => drop(by_address.insert(address, (own, reach))),
        }
    }
    let mut found: Vec<Reach> = by_address.into_values().map(|(_, reach)| reach).collect();
    found.sort_by(|a, b| a.provider.id.cmp(&b.provider.id));
    found
}

/// An address without its scheme, and without what may be secret in it.
fn short(base_url: &str) -> String {
    let shown = shown_url(base_url);
    shown.split_once("://").map_or(shown.as_str(), |(_, rest)| rest).to_owned()
}

/// What runs there, if a model server does; says so where something else answers.
fn server(offline: &Offline<'_>, reach: Reach, checked: Checked) -> Option<Server> {
    let say = |what: &str| note(offline.settings, &format!("{} {what}", short(&reach.base_url)));
    match (&checked.health, checked.models) {
        (Health::Ok, Some(models)) => {
            let models: Vec<String> = models.iter().map(|model| one_line(model)).collect();
            let way = way(offline, &reach, &models);
            Some(Server { reach, models, elapsed: checked.elapsed.unwrap_or_default(), way })
        }
        (Health::Bad(error), _) => {
            match checked.http_status {
                Some(401 | 403) => match (&reach.found, reach.provider.env_names("key").first()) {
                    (Found::Key { source, .. }, _) => say(&format!("rejects the key from {source}")),
                    (_, Some(name)) => say(&format!("wants a key: {}", set_key(name))),
                    (_, None) => say("wants a key"),
                },
                Some(status) => say(&format!("answers, but not as a model server does ({status}: {})", error.message)),
                None if error.class == crate::observe::ErrorClass::ProviderTimeout => {
                    say(&format!("takes connections, but gives no answer within {}", duration(ANSWER)));
                }
                None => {}
            }
            None
        }
        (Health::Ok | Health::NoList, _) => {
            say("answers, but not as a model server does: it lists no models");
            None
        }
        _ => None,
    }
}

/// How the first of its models is used.
fn way(offline: &Offline<'_>, reach: &Reach, models: &[String]) -> Way {
    let id = reach.provider.id.as_str();
    // A local provider costs nothing unless an overlay says otherwise; of any other that is to be said.
    let free = reach.provider.kind == ProviderKind::Local;
    let served = offline.catalog.models().find_map(|line| {
        let mut here = line.endpoints().filter(|endpoint| endpoint.provider() == id);
        let endpoint = here.find(|endpoint| models.iter().any(|model| model == endpoint.wire_id()))?;
        let usable = endpoint.is_plain() && (free || endpoint.endpoint().pricing.is_some());
        usable.then(|| endpoint.model_id())
    });
    if let Some(model) = served {
        return Way::Ready(format!("openmux chat -m {model} --provider {id} \"Hello!\""));
    }
    let mut overlays = models.iter().filter_map(|wire_id| {
        let slug = slug(wire_id);
        let mut overlay =
            format!("[[endpoint]]\nprovider = \"{id}\"\nmodel    = \"local/{slug}\"\nid       = {}\n", quoted(wire_id));
        // What a server on one's own machine speaks first, where its provider would prefer something else.
        let chat = |spoken: &ProviderProtocol| spoken.protocol == Protocol::OpenaiChat;
        if reach.provider.protocols.iter().position(chat).is_some_and(|at| at > 0) {
            overlay += &format!("protocol = \"{}\"\n", Protocol::OpenaiChat.name());
        }
        if !free {
            overlay += FREE;
        }
        // Not every name of a file can be the id of a model.
        Overlay::parse("local", &overlay).ok()?;
        let command = format!("openmux chat -m local/{slug} \"Hello!\"");
        Some(Way::Overlay(format!("{id}-{slug}.toml"), overlay, command))
    });
    overlays.next().unwrap_or(Way::Nothing)
}

/// A name for a model after its id on the wire, which may be the path of a file.
fn slug(wire_id: &str) -> String {
    let name = wire_id.rsplit(['/', '\\']).next().unwrap_or(wire_id).to_lowercase();
    let name = name.strip_suffix(".gguf").unwrap_or(&name);
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
    let mut text: String = name.chars().map(kept).collect();
    while let Some(at) = text.find("--").or_else(|| text.find("..")) {
        text.remove(at);
    }
    let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if text.is_empty() { "model".to_owned() } else { text.to_owned() }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Server {
    fn cells(&self) -> Vec<Cell> {
        let millis = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        let (command, file, overlay) = match &self.way {
            Way::Ready(command) => (Some(command.clone()), None, None),
            Way::Overlay(file, overlay, command) => (Some(command.clone()), Some(file.clone()), Some(overlay.clone())),
            Way::Nothing => (None, None, None),
        };
        vec![
            Cell::Text(self.reach.provider.id.to_string()),
            Cell::Text(self.reach.provider.name.clone()),
            Cell::Text(shown_url(&self.reach.base_url)),
            Cell::words(self.models.clone()),
            Cell::Count(millis),
            Cell::text(command),
            Cell::text(file),
            Cell::text(overlay),
        ]
    }
}

/// What runs, and how it is used, for people.
fn page(settings: &Settings, servers: &[Server]) -> String {
    let style = settings.out;
    let folder = settings.config_dir.as_deref().unwrap_or(Path::new("~/.config/openmux")).join("catalog.d");
    let mut text = String::new();
    let mut seen = BTreeSet::new();
    for server in servers {
        if !seen.is_empty() {
            text.push('\n');
        }
        seen.insert(server.reach.provider.id.clone());
        let provider = &server.reach.provider;
        let count = match server.models.len() {
            0 => "no models".to_owned(),
            1 => "1 model".to_owned(),
            several => format!("{several} models"),
        };
        text += &format!(
            "{}  {}  {count}  {}\n",
            style.bold(provider.id.as_str()),
            shown_url(&server.reach.base_url),
            duration(server.elapsed)
        );
        for model in server.models.iter().take(MODELS_SHOWN) {
            text += &format!("  {}\n", visible(model));
        }
        if let Some(more) = server.models.len().checked_sub(MODELS_SHOWN).filter(|more| *more > 0) {
            text += &format!("  {}\n", style.dim(&format!("and {more} more (-o json names all)")));
        }
        match &server.way {
            Way::Ready(command) => text += &format!("\n  {} {command}\n", style.dim("use it:")),
            Way::Overlay(file, overlay, command) => {
                text += &format!("\n  {} {}\n\n", style.dim("put this into"), folder.join(file).display());
                overlay.lines().for_each(|line| text += &format!("{}\n", format!("    {line}").trim_end()));
                text += &format!("\n  {} {command}\n", style.dim("then"));
            }
            Way::Nothing => text += &format!("\n  {}\n", style.dim("it has no model that could be called")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_after_their_files() {
        let named = ["SmolLM2-135M-Instruct.Q4_K_M.gguf", "/m/a b.gguf", "llama3.2:3b", "org/Model--X", "..", "日本"];
        let slugs = named.map(slug);
        assert_eq!(slugs, ["smollm2-135m-instruct.q4_k_m", "a-b", "llama3.2-3b", "model-x", "model", "model"]);
    }
}
