//! The generator of the embedded tables. It is no part of the library: the integration tests include it, compare what
//! it makes with what is committed, and write it on `UPDATE=1`.
//!
//! It reads `input/*.json` and `kinds.tsv`, checks them (`catalog.md` section 5), fills in what the data leaves to rules
//! (kinds of providers, output-limit fields, alternate protocols, disputes), and lays the rest out as lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

/// The generated tables: file name and content.
pub(crate) struct Tables(pub(crate) Vec<(&'static str, String)>);

/// The inputs as text.
pub(crate) struct Inputs<'a> {
    pub(crate) snapshot: &'a str,
    pub(crate) aliases: &'a str,
    pub(crate) conflicts: &'a str,
    pub(crate) kinds: &'a str,
}

/// Makes the tables.
///
/// # Panics
/// The inputs break a rule; the message says where.
pub(crate) fn generate(inputs: &Inputs<'_>) -> Tables {
    let snapshot: Value = serde_json::from_str(inputs.snapshot).expect("snapshot.json is JSON");
    let aliases: BTreeMap<String, String> = serde_json::from_str(inputs.aliases).expect("aliases.json is JSON");
    let conflicts: Vec<Value> = serde_json::from_str(inputs.conflicts).expect("price_conflicts.json is JSON");
    let kinds = kinds(inputs.kinds);
    let providers = list(&snapshot["providers"]);
    let models = snapshot["models"].as_object().expect("models is an object");
    let disputes = disputes(&conflicts);
    let mut known = BTreeMap::new();
    for provider in providers {
        known.insert(text(provider, "id").to_owned(), (provider, kind_of(provider, &kinds)));
    }
    let mut by_model: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for endpoint in list(&snapshot["endpoints"]) {
        let (model, provider, id) = (text(endpoint, "model"), text(endpoint, "provider"), text(endpoint, "id"));
        assert!(models.contains_key(model), "unknown model {model} at {provider}");
        assert!(seen.insert((provider, id)), "duplicate endpoint {provider} {id}");
        let (entry, kind) = known.get(provider).unwrap_or_else(|| panic!("unknown provider {provider}"));
        let dispute = disputes.get(&(provider, id)).map(String::as_str).unwrap_or_default();
        by_model.entry(model).or_default().push(endpoint_line(endpoint, entry, kind, dispute));
    }
    for (alias, model) in &aliases {
        assert!(models.contains_key(model), "alias {alias} of unknown model {model}");
    }
    let mut endpoints = String::new();
    let mut model_lines: BTreeMap<&str, String> = BTreeMap::new();
    for (id, model) in models {
        let start = endpoints.len();
        let mut lines = by_model.remove(id.as_str()).unwrap_or_default();
        lines.sort();
        for line in lines {
            endpoints.push_str(&line);
            endpoints.push('\n');
        }
        model_lines.insert(id, model_line(id, model, start, endpoints.len() - start));
    }
    let joined = |lines: Vec<String>| lines.concat();
    Tables(vec![
        ("models.tsv", joined(model_lines.into_values().collect())),
        ("endpoints.tsv", endpoints),
        ("aliases.tsv", joined(aliases.iter().map(|(alias, model)| format!("{alias}\t{model}\n")).collect())),
        ("providers.jsonl", joined(known.values().map(|(provider, kind)| provider_line(provider, kind)).collect())),
        ("date.txt", format!("{}\n", text(&snapshot, "generated"))),
    ])
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is text in {value}"))
}

fn maybe<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, key: &str) -> String {
    value.get(key).filter(|value| !value.is_null()).map(ToString::to_string).unwrap_or_default()
}

fn words(value: &Value, key: &str) -> Vec<String> {
    let items = value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// `kinds.tsv`: what no rule tells.
fn kinds(table: &str) -> BTreeMap<&str, &str> {
    table.lines().map(|line| line.split_once('\t').expect("kinds.tsv has two columns")).collect()
}

/// The stated kind, the table's, then by the name: plans and gateways say so; the rest are hosts.
fn kind_of<'a>(provider: &'a Value, table: &BTreeMap<&str, &'a str>) -> &'a str {
    let id = text(provider, "id");
    if let Some(kind) = provider.get("kind").and_then(Value::as_str) {
        return kind;
    }
    if let Some(kind) = table.get(id) {
        return kind;
    }
    let has = |parts: &[&str]| parts.iter().any(|part| id.contains(part));
    if has(&["plan", "coding", "subscription"]) {
        "plan"
    } else if has(&["gateway", "router"]) {
        "gateway"
    } else if id.starts_with("alibaba") {
        "lab"
    } else {
        "host"
    }
}

/// Lowest and highest quoted prices of each disputed endpoint: `in,in,out,out`.
fn disputes(conflicts: &[Value]) -> BTreeMap<(&str, &str), String> {
    let mut found = BTreeMap::new();
    for conflict in conflicts {
        let others = conflict["others"].as_object().expect("others is an object");
        let quotes: Vec<&[Value]> = others.values().map(list).chain([list(&conflict["chosen"])]).collect();
        let range = |at: usize| {
            // A source that quotes one price and not the other says "None".
            let quoted =
                quotes.iter().filter_map(|quote| quote.get(at).and_then(Value::as_str)).filter(|p| *p != "None");
            let mut sorted: Vec<&str> = quoted.collect();
            sorted.sort_by_key(|price| price.parse::<openmux::units::UsdPerMtok>().expect("a price"));
            (sorted.first().map_or("", |p| *p).to_owned(), sorted.last().map_or("", |p| *p).to_owned())
        };
        let ((low, high), (low_out, high_out)) = (range(0), range(1));
        if [&low, &high, &low_out, &high_out].iter().all(|price| !price.is_empty()) {
            found.insert(
                (text(conflict, "provider"), text(conflict, "id")),
                format!("{low},{high},{low_out},{high_out}"),
            );
        }
    }
    found
}

fn model_line(id: &str, model: &Value, start: usize, length: usize) -> String {
    let weights = match model.get("open_weights").and_then(Value::as_bool) {
        Some(true) => "1",
        Some(false) => "0",
        None => "",
    };
    let columns = [
        id.to_owned(),
        clean(text(model, "name").trim()),
        words(model, "kinds").join(","),
        maybe(model, "released").to_owned(),
        maybe(model, "knowledge").to_owned(),
        weights.to_owned(),
        number(model, "context"),
        number(model, "max_output"),
        if flag(model, "floating") { "1" } else { "" }.to_owned(),
        start.to_string(),
        length.to_string(),
    ];
    columns.join("\t") + "\n"
}

fn clean(value: &str) -> String {
    assert!(!value.contains(['\t', '\n']), "a tab or a newline in {value}");
    value.to_owned()
}

fn endpoint_line(endpoint: &Value, provider: &Value, kind: &str, dispute: &str) -> String {
    let id = text(endpoint, "id");
    let protocol = maybe(endpoint, "protocol");
    let status = match (endpoint.get("status").and_then(Value::as_str), flag(endpoint, "stale")) {
        (Some("retired"), _) => "r",
        (Some("deprecated"), _) => "d",
        (_, true) => "u",
        (Some("alpha"), _) => "a",
        (Some("beta"), _) => "b",
        (Some(other), _) => panic!("unknown status {other} of {id}"),
        (None, false) => "",
    };
    // A plan has no price per token; what the sources list is an equivalent, not what is paid.
    let (input, output, cached, rest) = match endpoint.get("price") {
        Some(price) if kind != "plan" => prices(price),
        _ => Default::default(),
    };
    let columns = [
        text(endpoint, "provider").to_owned(),
        clean(id),
        if text(endpoint, "kind") == "chat" { "" } else { text(endpoint, "kind") }.to_owned(),
        protocol.to_owned(),
        alternate(provider, protocol, id).to_owned(),
        maybe(endpoint, "base_url").trim_end_matches('/').to_owned(),
        number(endpoint, "context"),
        number(endpoint, "max_input"),
        number(endpoint, "max_output"),
        words(endpoint, "input").join(","),
        words(endpoint, "output").join(","),
        words(endpoint, "features").join(","),
        words(endpoint, "variant").join(","),
        maybe(endpoint, "quant").to_owned(),
        maybe(endpoint, "region").to_owned(),
        maybe(endpoint, "upstream").to_owned(),
        status.to_owned(),
        maybe(endpoint, "sunset").to_owned(),
        if flag(endpoint, "floating") { "1" } else { "" }.to_owned(),
        input,
        output,
        cached,
        rest,
        if kind == "plan" { String::new() } else { dispute.to_owned() },
        reasoning(endpoint),
        maybe(endpoint, "reasoning_field").to_owned(),
        number(endpoint, "cache_min_tokens"),
        words(endpoint, "aka").join(" "),
        maybe(endpoint, "released").to_owned(),
    ];
    // Long words that recur are worth a letter each.
    let mut columns = columns.map(|column| clean(&column));
    for at in [3, 4] {
        columns[at] = super_short(&columns[at]);
    }
    columns.join("\t").trim_end_matches('\t').to_owned()
}

/// `openai-chat` stands in most lines.
fn super_short(protocol: &str) -> String {
    if protocol == "openai-chat" { "o".to_owned() } else { protocol.to_owned() }
}

/// A dialect of the same provider that serves the endpoint too.
fn alternate(provider: &Value, protocol: &str, id: &str) -> &'static str {
    let speaks_chat = list(&provider["protocols"]).iter().any(|spoken| maybe(spoken, "proto") == "openai-chat");
    let responses_only = id.contains("codex") || id.contains("deep-research") || id.ends_with("-pro");
    let google = text(provider, "id") == "google" && protocol == "gemini";
    if speaks_chat && (google || (protocol == "openai-responses" && !responses_only)) { "openai-chat" } else { "" }
}

fn reasoning(endpoint: &Value) -> String {
    let options = endpoint.get("reasoning_options").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let told = options.iter().map(|option| match text(option, "type") {
        "effort" => format!("effort:{}", words(option, "values").join("|")),
        "budget_tokens" => {
            let range = format!("{}-{}", number(option, "min"), number(option, "max"));
            if range == "-" { "budget".to_owned() } else { format!("budget:{range}") }
        }
        other => other.to_owned(),
    });
    told.collect::<Vec<_>>().join(";")
}

/// Input, output and cached price in columns of their own, the rest as `key=value;...`.
fn prices(price: &Value) -> (String, String, String, String) {
    let mut own = [String::new(), String::new(), String::new()];
    let mut rest = Vec::new();
    for (key, value) in price.as_object().expect("a price table") {
        match key.as_str() {
            "tiers" => rest.extend(list(value).iter().map(tier)),
            "off_peak" => rest.extend(off_peak(value)),
            _ => {
                let value = value.as_str().unwrap_or_else(|| panic!("the price {key} is no text"));
                assert!(openmux::catalog::price::PriceKey::parse(key).is_some(), "unknown price key {key}");
                value.parse::<openmux::units::Usd>().unwrap_or_else(|error| panic!("{key}: {error}"));
                match ["input", "output", "cache_read"].iter().position(|known| known == key) {
                    Some(at) => own[at] = value.to_owned(),
                    None => rest.push(format!("{key}={value}")),
                }
            }
        }
    }
    let [input, output, cached] = own;
    (input, output, cached, rest.join(";"))
}

fn tier(tier: &Value) -> String {
    let rates = tier.as_object().expect("a tier").iter().filter(|(key, _)| *key != "over");
    let rates: Vec<String> =
        rates.map(|(key, value)| format!("{key}:{}", value.as_str().expect("a tier's price is text"))).collect();
    format!("over={}>{}", number(tier, "over"), rates.join(","))
}

fn off_peak(table: &Value) -> Vec<String> {
    let mut rest = Vec::new();
    for (key, value) in table.as_object().expect("an off-peak table") {
        if key != "windows_utc" {
            rest.push(format!("off_{key}={}", value.as_str().expect("an off-peak price is text")));
            continue;
        }
        for window in list(value) {
            let hours = match &window["hours_utc"] {
                Value::String(span) => vec![span.clone()],
                _ => words(window, "hours_utc"),
            };
            let days = window.get("weekdays").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let days: String = days.iter().map(ToString::to_string).collect();
            rest.extend(hours.into_iter().map(|span| format!("window={span}@{days}")));
        }
    }
    rest
}

fn provider_line(provider: &Value, kind: &str) -> String {
    let quirks = provider.get("q").cloned().unwrap_or_default();
    let id = text(provider, "id");
    let mut line = serde_json::Map::new();
    line.insert("id".to_owned(), id.into());
    line.insert("name".to_owned(), text(provider, "name").into());
    line.insert("kind".to_owned(), kind.into());
    let protocols = list(&provider["protocols"]).iter().filter_map(spoken);
    line.insert("protocols".to_owned(), protocols.collect::<Vec<_>>().into());
    line.insert("env".to_owned(), env(provider));
    let headers = provider.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
    let headers: serde_json::Map<String, Value> =
        headers.into_iter().filter(|(_, value)| value != "optional").collect();
    if !headers.is_empty() {
        line.insert("headers".to_owned(), headers.into());
    }
    let address = maybe(provider, "models_url").split(' ').next().unwrap_or_default();
    if address.starts_with("http") {
        line.insert("models_url".to_owned(), address.into());
    }
    if !maybe(provider, "doc").is_empty() {
        line.insert("doc".to_owned(), maybe(provider, "doc").into());
    }
    if maybe(&quirks, "max") == "mct" {
        line.insert("output_limit".to_owned(), "max_completion_tokens".into());
    }
    if ["openai", "azure"].contains(&id) {
        line.insert("hides_reasoning".to_owned(), true.into());
    }
    if ["xai", "zenmux"].contains(&id) {
        line.insert("tiers_inclusive".to_owned(), true.into());
    }
    let mut told = serde_json::Map::new();
    for (key, value) in quirks.as_object().into_iter().flatten().filter(|(key, _)| *key != "max") {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        told.insert(key.clone(), value.into());
    }
    if !told.is_empty() {
        line.insert("quirks".to_owned(), told.into());
    }
    let mut text = String::new();
    let _ = writeln!(text, "{}", Value::Object(line));
    text
}

/// A dialect with a usable address; the data also names some without one.
fn spoken(entry: &Value) -> Option<Value> {
    let (protocol, url) = (text(entry, "proto"), maybe(entry, "base_url").trim_end_matches('/'));
    assert!(openmux::catalog::Protocol::parse(protocol).is_some(), "unknown protocol {protocol}");
    let loopback = url.starts_with("http://127.0.0.1") || url.starts_with("http://localhost");
    if !(url.starts_with("https://") || loopback || url.starts_with('{')) {
        return None;
    }
    let auth = match maybe(entry, "auth") {
        "none" | "none|bearer" => "optional",
        "header:api-key|bearer" => "header:api-key",
        known @ "bearer" => known,
        known if known.starts_with("header:") => known,
        other => return Some(Value::Array(vec![protocol.into(), url.into(), format!("unsupported:{other}").into()])),
    };
    Some(Value::Array(vec![protocol.into(), url.into(), auth.into()]))
}

/// Environment variables by role. A name that no shell can export gets one that every shell can.
fn env(provider: &Value) -> Value {
    let mut roles = serde_json::Map::new();
    for (role, names) in provider["env"].as_object().expect("env is an object") {
        let names = list(names).iter().filter_map(Value::as_str).map(|name| {
            if name.starts_with(|c: char| c.is_ascii_digit()) { format!("AI{name}") } else { name.to_owned() }
        });
        let names: Vec<String> = names.collect();
        for name in &names {
            let legal = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            assert!(legal && name.starts_with(|c: char| c.is_ascii_uppercase()), "no variable can be called {name}");
        }
        roles.insert(role.clone(), names.into());
    }
    roles.into()
}
