//! `providers list --local`: what runs on this machine, and nothing else is called.

use serde_json::json;

use super::super::support::command::{Home, Run};
use super::super::support::server::{Script, Server, Step};
use super::super::support::stable::stable;
use super::super::support::wire;

/// Every provider that the catalog puts on this machine, moved away from where something may really run.
const AWAY: [&str; 6] = [
    "ATOMIC_CHAT_BASE_URL",
    "LLAMACPP_BASE_URL",
    "LMSTUDIO_BASE_URL",
    "OLLAMA_BASE_URL",
    "OLLAMA_HOST",
    "VLLM_BASE_URL",
];

/// Where nothing listens.
const NOWHERE: &str = "http://127.0.0.1:1/v1";

fn listed(ids: &[&str]) -> Script {
    let data: Vec<serde_json::Value> = ids.iter().map(|id| json!({"id": id, "object": "model"})).collect();
    Script::json(200, &json!({"object": "list", "data": data}))
}

fn local<'a>(home: &Home, more: impl IntoIterator<Item = &'a str>) -> Run {
    let run = home.openmux(["providers", "list", "--local"].into_iter().chain(more));
    AWAY.iter().fold(run, |run, name| run.env(name, NOWHERE))
}

fn at(server: &Server) -> String {
    format!("{}/v1", server.base_url())
}

#[test]
fn what_runs_is_shown_with_how_it_is_used() {
    let home = Home::new();
    let server = Server::start(vec![listed(&["models/SmolLM2-135M-Instruct.Q4_K_M.gguf"])]);
    let output = local(&home, ["-o", "table"]).env("LLAMACPP_BASE_URL", at(&server)).run();
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 0
    --- stdout
    llamacpp  http://127.0.0.1:PORT/v1  1 model  TIME
      models/SmolLM2-135M-Instruct.Q4_K_M.gguf

      put this into $TMP/config/catalog.d/llamacpp-smollm2-135m-instruct.q4_k_m.toml

        [[endpoint]]
        provider = "llamacpp"
        model    = "local/smollm2-135m-instruct.q4_k_m"
        id       = "models/SmolLM2-135M-Instruct.Q4_K_M.gguf"

      then openmux chat -m local/smollm2-135m-instruct.q4_k_m "Hello!"

    --- stderr
    "#);
    assert_eq!(server.requests()[0].header("authorization"), None);
}

#[test]
fn the_overlay_that_is_shown_works() {
    for variable in ["LLAMACPP_BASE_URL", "OPENAI_BASE_URL"] {
        let home = Home::new();
        let server =
            Server::start(vec![listed(&["C:\\models\\a \"b\".gguf", "tiny-1"]), wire::openai_whole("Hi.", (7, 3))]);
        let output = local(&home, ["-o", "jsonl"]).env(variable, at(&server)).run();
        let row: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        assert!(text("overlay").lines().count() <= 8, "{row}");
        home.write(&format!("config/catalog.d/{}", text("overlay_file")), &text("overlay"));
        let command = format!("{} --no-stdin --no-stream", text("use"));
        let chat = home.shell_line(&command).env(variable, at(&server)).run();
        assert_eq!((chat.code, chat.stdout.as_str()), (Some(0), "Hi.\n"), "{command}: {}", chat.snapshot());
    }
}

#[test]
fn a_model_that_the_catalog_knows_there_needs_no_overlay() {
    let home = Home::new();
    let overlay = "[[endpoint]]\nprovider = \"ollama\"\nmodel = \"acme/tiny\"\nid = \"tiny:1b\"\n";
    home.write("config/catalog.d/mine.toml", overlay);
    let server = Server::start(vec![listed(&["other:7b", "tiny:1b"])]);
    let output = local(&home, ["-o", "table"]).env("OLLAMA_HOST", at(&server)).env_remove("OLLAMA_BASE_URL").run();
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 0
    --- stdout
    ollama  http://127.0.0.1:PORT/v1  2 models  TIME
      other:7b
      tiny:1b

      use it: openmux chat -m acme/tiny --provider ollama "Hello!"

    --- stderr
    "#);
}

#[test]
fn a_server_of_the_users_own_is_found_under_its_name() {
    let home = Home::new();
    let server = Server::start(vec![listed(&["a"])]);
    let url = at(&server);
    home.write(
        "config/catalog.d/desk.toml",
        &format!("[provider.desk]\nprotocol = \"openai-chat\"\nbase_url = \"{url}\"\n"),
    );
    let output = local(&home, ["-o", "ids"]).run();
    assert_eq!((output.stdout.as_str(), output.code), ("desk\n", Some(0)), "{}", output.snapshot());
}

#[test]
fn nothing_that_runs_is_no_failure() {
    let home = Home::new();
    for format in ["table", "tsv"] {
        let output = local(&home, ["-o", format]).run();
        insta::allow_duplicates! {
            insta::assert_snapshot!(stable(&output.snapshot()), @r"
            exit: 0
            --- stdout

            --- stderr
            note: no server runs on this machine; looked at atomic-chat (127.0.0.1:PORT/v1)
            note: start one, e.g. `ollama serve` or `llama-server -m MODEL.gguf --port 8080`, and look again
            ");
        }
    }
    let output = local(&home, ["-o", "json", "--offline"]).run();
    assert!(output.code == Some(0) && output.stdout.contains("\"data\":[]"), "{}", output.snapshot());
}

#[test]
fn what_answers_without_being_a_model_server_is_said() {
    let home = Home::new();
    let said = |script: Script, key: &str| {
        let server = Server::start(vec![script]);
        let output =
            local(&home, ["-o", "table"]).env("LLAMACPP_BASE_URL", at(&server)).env("LLAMA_API_KEY", key).run();
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{}", output.snapshot());
        stable(output.stderr.lines().next().unwrap_or_default())
    };
    let refusal = || wire::openai_error(401, "invalid_request_error", None, "no");
    insta::assert_snapshot!(said(Script::body(404, "text/plain", "no"), ""), @"note: 127.0.0.1:PORT/v1 answers, but not as a model server does: it lists no models");
    insta::assert_snapshot!(said(Script::body(200, "text/html", "<html>"), ""), @"note: 127.0.0.1:PORT/v1 answers, but not as a model server does (200: an HTML page instead of an answer)");
    insta::assert_snapshot!(said(refusal(), ""), @"note: 127.0.0.1:PORT/v1 wants a key: export LLAMA_API_KEY=...");
    insta::assert_snapshot!(said(refusal(), "sk-0123456789"), @"note: 127.0.0.1:PORT/v1 rejects the key from LLAMA_API_KEY");
    insta::assert_snapshot!(said(Script::json(200, &json!({})), ""), @"note: 127.0.0.1:PORT/v1 answers, but not as a model server does: it lists no models");
    insta::assert_snapshot!(said(Script::raw(vec![Step::HangForever]), ""), @"note: 127.0.0.1:PORT/v1 takes connections, but gives no answer within TIME");
}

#[test]
fn only_this_machine_is_called() {
    let home = Home::new();
    let proxy = Server::start(Vec::new());
    let run = local(&home, ["-o", "json"]).env("HTTP_PROXY", proxy.base_url()).env("ALL_PROXY", proxy.base_url());
    let output = run.env("OLLAMA_HOST", "http://10.255.255.1:11434").env_remove("OLLAMA_BASE_URL").run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert!(!output.stderr.contains("10.255"), "{}", output.snapshot());
    assert_eq!(proxy.hits(), 0);
    let output = home.openmux(["--sandbox", "providers", "list", "--local"]).run();
    assert_eq!(output.code, Some(2), "{}", output.snapshot());
}

#[test]
fn the_page_fits_every_terminal() {
    for width in ["60", "80", "200"] {
        let home = Home::new();
        let server = Server::start(vec![listed(&["a", "b"])]);
        let output = local(&home, ["-o", "table"]).env("VLLM_BASE_URL", at(&server)).env("COLUMNS", width).run();
        let most: usize = width.parse().unwrap();
        for line in output.stdout.replace(&*home.path().to_string_lossy(), "~").lines().chain(output.stderr.lines()) {
            assert!(line.chars().count() <= most && line.trim_end() == line, "{width}: {line}");
        }
    }
}
