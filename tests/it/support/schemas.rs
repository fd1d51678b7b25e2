//! What is printed as JSON, held to its schema after every run of the command. A schema is closed for that: a member that
//! `src/cli/contract.txt` does not have fails, as does one that is missing or of another type.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use openmux::cli::contract::schemas::{documents, schema};
use serde_json::Value;

/// A document's schema closed, and that of one row of it where it has rows.
struct Held {
    whole: Validator,
    /// Of a document that is one of several objects each, by its `type`.
    kinds: BTreeMap<String, Validator>,
    row: Option<Validator>,
    /// The same without required members in rows: what `--fields` leaves.
    chosen: Validator,
    chosen_row: Option<Validator>,
}

static HELD: LazyLock<BTreeMap<&'static str, Held>> = LazyLock::new(|| {
    let held = |name: &str| {
        let whole = closed(schema(name).unwrap());
        let chosen = without_required(whole.clone());
        Held {
            row: row(&whole).map(|row| validator(&row)),
            kinds: kinds(&whole),
            whole: validator(&whole),
            chosen_row: row(&chosen).map(|row| validator(&row)),
            chosen: validator(&chosen),
        }
    };
    documents().into_iter().map(|(name, _)| (name, held(name))).collect()
});

/// Panics where a document on stdout, a line of one, or a line on stderr is not what the contract says.
pub(crate) fn assert_kept(args: &[String], stdout: &str, stderr: &str) {
    if let Some(told) = broken(args, stdout, stderr) {
        panic!("{told}\n(a member's line belongs in src/cli/contract.txt)\n--- of {args:?}");
    }
}

/// What is wrong with the output of a run, if anything is.
pub(crate) fn broken(args: &[String], stdout: &str, stderr: &str) -> Option<String> {
    let chosen = args.iter().any(|word| word.starts_with("--fields"));
    let document = stdout.strip_suffix('\n').filter(|text| text.starts_with('{'));
    let document = document.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let schema = document.as_ref().and_then(|document| document.get("schema")).and_then(Value::as_str);
    let on_stdout = if let (Some(document), Some(name)) = (&document, schema) {
        against(name, document, |held| Some(if chosen { &held.chosen } else { &held.whole }))
    } else if let Some(name) = is_jsonl(args).then(|| named(args)).flatten() {
        let row = |held: &'static Held| match (chosen, &held.row) {
            (_, None) => Some(&held.whole),
            (false, row) => row.as_ref(),
            (true, _) => held.chosen_row.as_ref(),
        };
        // What a signal cut off has no end.
        let lines = stdout.lines().filter(|line| line.starts_with('{') && line.ends_with('}'));
        lines.filter_map(|line| serde_json::from_str(line).ok()).find_map(|line: Value| {
            let name = line.get("schema").and_then(Value::as_str).unwrap_or(name);
            against(name, &line, row)
        })
    } else {
        let calls = stdout.lines().filter(|line| line.starts_with("{\"tool_call\":"));
        let mut calls = calls.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        calls.find_map(|call| against("chat.tool_call/1", &call, |held| Some(&held.whole)))
    };
    let talk = stderr.lines().filter(|line| line.starts_with('{'));
    let mut talk = talk.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    on_stdout.or_else(|| {
        talk.find_map(|line| {
            let name = ["error/1", "serve.request/1"][usize::from(line.get("method").is_some())];
            against(name, &line, |held| Some(&held.whole))
        })
    })
}

/// How a value differs from a document's schema.
fn against(name: &str, value: &Value, which: impl Fn(&'static Held) -> Option<&'static Validator>) -> Option<String> {
    let Some(held) = HELD.get(name) else { return Some(format!("there is no schema {name}")) };
    // What the one object lacks that was meant says more than that it is none of several.
    let kind = value.get("type").and_then(Value::as_str).and_then(|kind| held.kinds.get(kind));
    let validator = kind.or_else(|| which(held))?;
    let told: Vec<String> =
        validator.iter_errors(value).take(3).map(|error| format!("{}: {error}", error.instance_path())).collect();
    let told = if told.is_empty() { inexact(value) } else { Some(told.join("\n")) };
    told.map(|told| format!("not what {name} says: {told}"))
}

/// An amount of money that is no plain decimal.
fn inexact(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, value)| match value {
            Value::Number(number) if name.contains("usd") && number.to_string().contains(['e', 'E']) => {
                Some(format!("{name} is {number}, which is no plain decimal"))
            }
            value => inexact(value),
        }),
        Value::Array(items) => items.iter().find_map(inexact),
        _ => None,
    }
}

fn is_jsonl(args: &[String]) -> bool {
    let pair = |pair: &[String]| ["-o", "--output"].contains(&pair[0].as_str()) && pair[1] == "jsonl";
    args.windows(2).any(pair) || args.iter().any(|word| ["-ojsonl", "-o=jsonl", "--output=jsonl"].contains(&&**word))
}

/// The document of which a command prints rows.
fn named(args: &[String]) -> Option<&'static str> {
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let name = match () {
        () if has("chat") => "chat.event/1",
        () if has("--each") => "usage.each/1",
        () if has("--local") => "providers.local/1",
        () if has("probe") && has("--dry-run") => "providers.probe.plan/1",
        () => {
            let fits = HELD.keys().filter(|name| name.trim_end_matches("/1").split('.').all(has));
            return fits.max_by_key(|name| name.matches('.').count()).copied();
        }
    };
    Some(name)
}

/// The same for objects that have no member but those which are named.
fn closed(mut schema: Value) -> Value {
    each(&mut schema, &|object| {
        if object.get("properties").is_some_and(Value::is_object)
            && object.get("type").is_some_and(|kind| kind == "object")
        {
            object.entry("additionalProperties").or_insert(false.into());
        }
    });
    schema
}

fn without_required(mut schema: Value) -> Value {
    each(&mut schema, &|object| {
        if object.get("required").is_some_and(Value::is_array) {
            object.remove("required");
        }
    });
    schema
}

fn each(value: &mut Value, change: &impl Fn(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|member| each(member, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, change)),
        _ => {}
    }
}

/// The schema of one of `data`.
fn row(whole: &Value) -> Option<Value> {
    let data = &whole["properties"]["data"];
    // What models show prints a line of is an endpoint.
    let items = data.get("items").cloned().or_else(|| {
        let model = data["$ref"].as_str()?.strip_prefix("#/$defs/")?;
        Some(whole["$defs"][model]["properties"]["endpoints"]["items"].clone()).filter(Value::is_object)
    })?;
    Some(serde_json::json!({ "$ref": items["$ref"], "$defs": whole["$defs"] }))
}

fn kinds(whole: &Value) -> BTreeMap<String, Validator> {
    let each = whole["oneOf"].as_array().into_iter().flatten().map(|one| {
        let name = one["$ref"].as_str().unwrap().strip_prefix("#/$defs/").unwrap();
        let kind = whole["$defs"][name]["properties"]["type"]["const"].as_str().unwrap();
        let schema = serde_json::json!({ "$ref": one["$ref"], "$defs": whole["$defs"] });
        (kind.to_owned(), validator(&schema))
    });
    each.collect()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options().build(schema).unwrap_or_else(|error| panic!("no schema: {error}\n{schema}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(args: &str, stdout: &str, stderr: &str) -> String {
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        broken(&args, stdout, stderr).unwrap_or_default()
    }

    const ROW: &str = "{\"code\":1,\"name\":\"negative\",\"meaning\":\"no\",\"retry\":\"no\"}";

    #[test]
    fn a_member_that_is_new_missing_renamed_or_retyped_is_found() {
        let told = |row: &str| {
            let document = format!("{{\"schema\":\"help.exit-codes/1\",\"data\":[{row}]}}\n");
            told("help exit-codes -o json", &document, "")
        };
        assert_eq!(told(ROW), "");
        assert!(told(&ROW.replace("\"code\":1", "\"code\":\"1\"")).contains("/data/0/code"));
        assert!(told(&ROW.replace("\"name\":\"negative\",", "")).contains("\"name\" is a required property"));
        assert!(told(&ROW.replace("\"name\"", "\"nom\"")).contains("'nom' was unexpected"));
        assert!(told(&ROW.replace('}', ",\"more\":1}")).contains("'more' was unexpected"));
    }

    #[test]
    fn rows_and_events_and_errors_are_held_to_theirs() {
        assert_eq!(told("usage -o json", "{\"schema\":\"us/1\"}\n", ""), "there is no schema us/1");
        assert!(told("usage -o jsonl", "{\"requests\":1}\n", "").contains("required property"));
        assert_eq!(told("usage -o jsonl --fields requests", "{\"requests\":1}\n", ""), "");
        assert!(told("usage -o jsonl --fields request", "{\"request\":1}\n", "").contains("unexpected"));
        assert_eq!(told("chat hi -o jsonl", "{\"type\":\"text\",\"text\":\"a\"}\n", ""), "");
        assert!(told("chat hi -o jsonl", "{\"type\":\"text\",\"test\":\"a\"}\n", "").contains("'test' was unexpected"));
        assert!(!told("chat hi -o jsonl", "{\"type\":\"texts\",\"text\":\"a\"}\n", "").is_empty());
        let error = "{\"error\":{\"code\":\"usage\",\"exit\":2,\"message\":\"m\",\"a_fact\":\"f\"}}\n";
        assert_eq!(told("usage -o json", "", error), "");
        assert!(told("usage -o json", "", &error.replace("\"f\"", "[1]")).contains("a_fact"));
        let plan = "{\"provider\":\"a\",\"bound_usd\":1e-7}\n";
        let args = "providers probe --dry-run -o jsonl --fields provider,bound_usd";
        assert!(told(args, plan, "").contains("no plain decimal"));
    }
}
