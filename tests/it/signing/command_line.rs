//! The whole way: a private provider that signs in as a cloud does, called by the command.

use openmux::catalog::Protocol;
#[cfg(feature = "vertex")]
use serde_json::json;

use super::super::support::command::Home;
#[cfg(feature = "bedrock")]
use super::super::support::server::Recorded;
use super::super::support::server::Server;
#[cfg(any(feature = "bedrock", feature = "vertex"))]
use super::super::support::{server::Script, wire};
#[cfg(feature = "bedrock")]
use super::sigv4::{SECRET, Seen, verify};

/// A home whose overlay adds `acme/tiny` at a server that signs in that way.
fn home(server: &Server, auth: &str) -> Home {
    let home = Home::new();
    let overlay = format!(
        "[provider.alpha]\nprotocol = \"{}\"\nbase_url = \"{}/v1\"\nauth = \"{auth}\"\n\
         [[endpoint]]\nprovider = \"alpha\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"\ncontext = 8192\n\
         max_output = 4096\nprice = {{ input = \"1\", output = \"2\" }}",
        Protocol::OpenaiChat.name(),
        server.base_url(),
    );
    home.write("config/catalog.d/private.toml", &overlay);
    home
}

const CHAT: [&str; 6] = ["chat", "-m", "acme/tiny", "--seed", "1", "hi"];

#[cfg(feature = "bedrock")]
fn seen(recorded: &Recorded) -> Seen {
    Seen {
        method: recorded.method.clone(),
        target: recorded.path.clone(),
        headers: recorded.headers.clone(),
        body: recorded.body.clone(),
    }
}

#[cfg(any(feature = "bedrock", feature = "vertex"))]
fn answer() -> Script {
    wire::openai_stream(&["Hello"], Some((7, 3)))
}

#[test]
#[cfg(feature = "bedrock")]
fn a_request_arrives_as_it_was_signed_with_the_profiles_keys_and_region() {
    let server = Server::start(vec![answer()]);
    let home = home(&server, "aws");
    home.write(".aws/config", "[default]\nregion = eu-west-1\n");
    home.write(
        ".aws/credentials",
        &format!("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\n"),
    );
    let output = home.openmux(CHAT.into_iter().chain(["--dry-run"])).run();
    let note = "(it is signed with the credential from ~/.aws/credentials when it is sent)";
    assert!(output.stdout.contains(note), "{}", output.snapshot());
    let output = home.openmux(CHAT).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(verify(&seen(&server.requests()[0]), SECRET, "eu-west-1").as_deref(), Ok("AKIDEXAMPLE"));
}

#[test]
#[cfg(feature = "bedrock")]
fn a_missing_region_is_told_before_anything_is_sent() {
    let server = Server::start(vec![]);
    let home = home(&server, "aws");
    let run = home.openmux(CHAT).env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", SECRET);
    let output = run.run();
    assert_eq!(output.code, Some(4), "{}", output.snapshot());
    assert!(output.stderr.contains("AWS_REGION"), "{}", output.stderr);
}

#[test]
#[cfg(feature = "bedrock")]
fn a_profile_that_does_not_exist_is_told_with_what_to_do_and_remembered_by_nobody() {
    let server = Server::start(vec![answer()]);
    let home = home(&server, "aws");
    let run = || home.openmux(CHAT).env("AWS_REGION", "us-east-1");
    let output = run().env("AWS_PROFILE", "gone").run();
    assert_eq!(output.code, Some(4), "{}", output.snapshot());
    assert!(output.stderr.contains("no credential for alpha from AWS_PROFILE"), "{}", output.stderr);
    assert!(output.stderr.contains("aws sts get-caller-identity --profile gone"), "{}", output.stderr);
    let output = run().env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", SECRET).run();
    assert_eq!(output.code, Some(0), "the endpoint does not cool down: {}", output.snapshot());
}

#[test]
#[cfg(feature = "vertex")]
fn the_log_in_of_gcloud_is_exchanged_and_never_shown() {
    let server = Server::start(vec![
        Script::json(200, &json!({"access_token": "ya29.canary", "expires_in": 3599, "token_type": "Bearer"})),
        Script::json(401, &json!({"error": {"message": "bad token ya29.canary", "type": "x"}})),
    ]);
    let home = home(&server, "google");
    let document = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "canary-secret",
        "refresh_token": "canary-refresh", "token_uri": format!("{}/token", server.base_url()),
    });
    home.write(".config/gcloud/application_default_credentials.json", &document.to_string());
    let output = home.openmux(CHAT.into_iter().chain(["-vv"])).run();
    assert_eq!(output.code, Some(4), "{}", output.snapshot());
    assert!(output.stderr.contains("rejected the key from gcloud's log-in"), "{}", output.stderr);
    assert!(output.stderr.contains("gcloud auth application-default login"), "{}", output.stderr);
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
    assert_eq!(server.requests()[1].header("authorization"), Some("Bearer ya29.canary"));
}

#[test]
#[cfg(feature = "vertex")]
fn the_metadata_server_is_asked_where_nothing_else_is_there() {
    let metadata = Server::start(vec![Script::json(
        200,
        &json!({"access_token": "ya29.machine", "expires_in": 3599, "token_type": "Bearer"}),
    )]);
    let server = Server::start(vec![answer()]);
    let home = home(&server, "google");
    let host = metadata.base_url().trim_start_matches("http://").to_owned();
    let output = home.openmux(CHAT).env("GCE_METADATA_HOST", &host).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer ya29.machine"));
    let asked = &metadata.requests()[0];
    assert_eq!(asked.header("metadata-flavor"), Some("Google"));
    assert!(asked.path.starts_with("/computeMetadata/v1/instance/service-accounts/default/token"), "{}", asked.path);
}

#[test]
#[cfg(feature = "vertex")]
fn a_key_file_that_is_not_there_is_named() {
    let server = Server::start(vec![]);
    let home = home(&server, "google");
    let output = home.openmux(CHAT).env("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json").run();
    assert_eq!(output.code, Some(4), "{}", output.snapshot());
    assert!(output.stderr.contains("/no/such/file.json"), "{}", output.stderr);
}

#[test]
fn nothing_of_a_cloud_is_asked_where_nothing_points_to_it() {
    let server = Server::start(vec![]);
    for auth in ["aws", "google"] {
        let output = home(&server, auth).openmux(CHAT).env("AWS_REGION", "us-east-1").run();
        assert_eq!(output.code, Some(4), "{}", output.snapshot());
        assert!(output.stderr.contains("no key for alpha"), "{}", output.stderr);
    }
}
