//! Signs that the clouds' own chains of credentials will find something, and what their files say of region and project:
//! a few looks at the disk, and nobody is asked.
//!
//! A region comes from the profile that AWS's tools would use, and a project from a service account's own key file, as
//! Google's libraries take it; the project that pays for an authorised user's quota is not taken for one. Both only fill
//! what the environment leaves open.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::upstream::auth::{Clouds, Keyring, Secret, Vars};

/// The variables that name an AWS region.
const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The variables that name a Google project.
const PROJECT: [&str; 4] =
    ["GOOGLE_CLOUD_PROJECT", "GOOGLE_VERTEX_PROJECT", "VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_PROJECT_ID"];

/// Settings of an AWS profile that lead to credentials.
const LEADS: [&str; 6] =
    ["aws_access_key_id", "role_arn", "credential_process", "sso_session", "sso_account_id", "web_identity_token_file"];

/// Reads a file; `None` where it cannot be read.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// The environment with what the clouds' files add to it, and the signs of their chains.
pub(super) fn keyring(vars: Vars) -> Keyring {
    gather(vars, &read)
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the files that the clouds' tools write")]
fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn gather(mut vars: Vars, read: Read<'_>) -> Keyring {
    let (aws, region) = aws(&vars, read);
    let (google, google_document, project) = google(&vars, read);
    if let Some(region) = region.filter(|_| unset(&vars, &REGION)) {
        vars.fill(REGION[0], &region);
    }
    if let Some(project) = project.filter(|_| unset(&vars, &PROJECT)) {
        vars.fill(PROJECT[0], &project);
    }
    Keyring { vars, clouds: Clouds { aws, google, google_document }, ..Keyring::default() }
}

fn unset(vars: &Vars, names: &[&str]) -> bool {
    names.iter().all(|name| vars.plain(name).is_none())
}

/// Where AWS's chain would find credentials, in its own order, and the region of the profile.
fn aws(vars: &Vars, read: Read<'_>) -> (Option<String>, Option<String>) {
    let set = |name: &str| vars.plain(name).is_some();
    let named = vars.plain("AWS_PROFILE");
    let keys = set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY");
    let mut region = None;
    let mut leads = None;
    // Nothing is read where the environment says everything.
    if unset(vars, &REGION) || !(keys || named.is_some()) {
        let files =
            [("AWS_CONFIG_FILE", "~/.aws/config", true), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", false)];
        for (variable, usual, prefixed) in files {
            let Some(path) = expanded(vars, vars.plain(variable).unwrap_or(usual)) else { continue };
            let Some(text) = read(&path) else { continue };
            let profile = Profile::of(&text, named.unwrap_or("default"), prefixed);
            region = region.or(profile.region);
            if profile.leads && leads.is_none() {
                leads = Some(if set(variable) { variable } else { usual });
            }
        }
    }
    let metadata = || {
        let disabled = vars.plain("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let vendor = ["board_vendor", "sys_vendor"].into_iter().filter_map(|name| machine(name, read));
        !disabled && vendor.into_iter().any(|vendor| vendor.starts_with("Amazon EC2"))
    };
    let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    let source = if keys {
        Some("AWS_ACCESS_KEY_ID")
    } else if named.is_some() {
        Some("AWS_PROFILE")
    } else if leads.is_some() {
        leads
    } else if set("AWS_WEB_IDENTITY_TOKEN_FILE") {
        Some("AWS_WEB_IDENTITY_TOKEN_FILE")
    } else if let Some(name) = container.into_iter().find(|name| set(name)) {
        Some(name)
    } else {
        metadata().then_some("EC2 instance role")
    };
    (source.map(str::to_owned), region)
}

/// What a file of AWS's says of one profile.
#[derive(Debug, Default, PartialEq, Eq)]
struct Profile {
    region: Option<String>,
    leads: bool,
}

impl Profile {
    /// Looks through a file line by line; `prefixed` is how the configuration names profiles: `[profile NAME]`.
    fn of(text: &str, name: &str, prefixed: bool) -> Self {
        let mut found = Self::default();
        let mut inside = false;
        for line in text.lines() {
            if let Some(header) = line.trim_end().strip_prefix('[') {
                let header = header.split(']').next().unwrap_or_default().trim();
                let named = header.strip_prefix("profile").map(str::trim).filter(|_| prefixed);
                let plain = (!prefixed || name == "default").then_some(header);
                inside = [named, plain].contains(&Some(name));
                continue;
            }
            // What is indented belongs to the setting before it.
            let Some((key, value)) =
                line.split_once('=').filter(|_| inside && !line.starts_with([' ', '\t', '#', ';']))
            else {
                continue;
            };
            let (key, value) = (key.trim(), value.trim());
            if key == "region" && !value.is_empty() {
                found.region = Some(value.split([' ', '\t']).next().unwrap_or_default().to_owned());
            }
            found.leads |= LEADS.contains(&key);
        }
        found
    }
}

/// Where Google's chain would find credentials, in its own order, their document, and a service account's project.
fn google(vars: &Vars, read: Read<'_>) -> (Option<String>, Option<Secret>, Option<String>) {
    let set = |name: &str| vars.plain(name).is_some();
    let log_in = || well_known(vars).and_then(|path| read(&path));
    let (source, document) = if let Some(path) = vars.plain("GOOGLE_APPLICATION_CREDENTIALS") {
        // One that cannot be read is for Google's library to complain of, when it is used.
        (Some("GOOGLE_APPLICATION_CREDENTIALS"), read(Path::new(path)))
    } else if let Some(document) = log_in() {
        (Some("gcloud's log-in"), Some(document))
    } else {
        let metadata = ["GCE_METADATA_HOST", "K_SERVICE"].into_iter().find(|name| set(name));
        let unchecked = vars.plain("NO_GCE_CHECK").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let machine = || machine("product_name", read).is_some_and(|name| name.starts_with("Google"));
        (metadata.or_else(|| (!unchecked && machine()).then_some("Google's metadata server")), None)
    };
    let json: Option<Value> = document.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let text = |name: &str| json.as_ref()?.get(name)?.as_str();
    let project = text("project_id").filter(|_| text("type") == Some("service_account")).map(str::to_owned);
    (source.map(str::to_owned), document.map(Secret::new), project)
}

/// Where `gcloud auth application-default login` writes.
fn well_known(vars: &Vars) -> Option<PathBuf> {
    let windows = || vars.plain("APPDATA").map(|folder| Path::new(folder).join("gcloud")).filter(|_| cfg!(windows));
    let folder = vars.plain("CLOUDSDK_CONFIG").map(PathBuf::from).or_else(windows);
    let folder = folder.or_else(|| expanded(vars, "~/.config/gcloud"))?;
    Some(folder.join("application_default_credentials.json"))
}

/// A path with `~` replaced by the home directory; `None` where there is none.
fn expanded(vars: &Vars, path: &str) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        None => Some(PathBuf::from(path)),
        Some(rest) => Some(Path::new(vars.plain("HOME").or_else(|| vars.plain("USERPROFILE"))?).join(rest)),
    }
}

/// What the machine's maker wrote into it.
fn machine(name: &str, read: Read<'_>) -> Option<String> {
    cfg!(target_os = "linux").then(|| read(&Path::new("/sys/class/dmi/id").join(name)))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, ProviderId};

    fn gathered(pairs: &[(&str, &str)], files: &[(&str, &str)]) -> Keyring {
        let pairs = pairs.iter().copied().chain([("HOME", "/h")]);
        let vars = Vars::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let read =
            |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned());
        gather(vars, &read)
    }

    fn aws_source(pairs: &[(&str, &str)], files: &[(&str, &str)]) -> Option<String> {
        gathered(pairs, files).clouds.aws
    }

    const SSO: (&str, &str) = (
        "/h/.aws/config",
        "[default]\nregion = eu-west-1\noutput=json\n[profile work]\nsso_session = s\nregion=us-east-2 # near\n  region = x\n[sso-session s]\nsso_region = ap-south-1\n",
    );
    const KEYS: (&str, &str) =
        ("/h/.aws/credentials", "[other]\naws_access_key_id = A\n[default]\naws_access_key_id = B\n");
    const EC2: (&str, &str) = ("/sys/class/dmi/id/board_vendor", "Amazon EC2\n");

    #[test]
    fn signs_of_aws_are_looked_for_in_the_order_of_its_chain() {
        let both = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert_eq!(aws_source(&both, &[KEYS]).as_deref(), Some("AWS_ACCESS_KEY_ID"));
        assert_eq!(aws_source(&both[..1], &[]), None);
        assert_eq!(aws_source(&[("AWS_PROFILE", "work")], &[]).as_deref(), Some("AWS_PROFILE"));
        assert_eq!(aws_source(&[], &[SSO, KEYS]).as_deref(), Some("~/.aws/credentials"));
        assert_eq!(aws_source(&[], &[SSO]), None, "a region leads to no credential");
        let moved = [("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")];
        assert_eq!(aws_source(&moved, &[KEYS]).as_deref(), Some("AWS_SHARED_CREDENTIALS_FILE"));
        let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x")];
        assert_eq!(aws_source(&web, &[]).as_deref(), Some("AWS_WEB_IDENTITY_TOKEN_FILE"));
        assert_eq!(aws_source(&web[1..], &[]).as_deref(), Some("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
        assert_eq!(aws_source(&[], &[]), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_machine_of_the_clouds_is_known_by_what_its_maker_wrote() {
        assert_eq!(aws_source(&[], &[EC2]).as_deref(), Some("EC2 instance role"));
        assert_eq!(aws_source(&[("AWS_EC2_METADATA_DISABLED", "TRUE")], &[EC2]), None);
        let gce = [("/sys/class/dmi/id/product_name", "Google Compute Engine\n")];
        assert_eq!(gathered(&[], &gce).clouds.google.as_deref(), Some("Google's metadata server"));
        assert_eq!(gathered(&[("NO_GCE_CHECK", "true")], &gce).clouds.google, None);
    }

    #[test]
    fn the_region_of_the_profile_fills_only_what_is_not_set() {
        let region = |pairs: &[(&str, &str)]| gathered(pairs, &[SSO]).vars.plain("AWS_REGION").map(str::to_owned);
        assert_eq!(region(&[]).as_deref(), Some("eu-west-1"));
        assert_eq!(region(&[("AWS_PROFILE", "work")]).as_deref(), Some("us-east-2"));
        assert_eq!(region(&[("AWS_PROFILE", "gone")]), None);
        assert_eq!(region(&[("AWS_REGION", "sa-east-1")]).as_deref(), Some("sa-east-1"));
        assert_eq!(region(&[("AWS_DEFAULT_REGION", "sa-east-1")]), None);
    }

    #[test]
    fn google_is_found_by_variable_then_log_in_then_metadata_and_its_key_file_names_the_project() {
        let file = ("/k.json", r#"{"type":"service_account","project_id":"p-1","private_key":"canary"}"#);
        let keys = gathered(&[("GOOGLE_APPLICATION_CREDENTIALS", "/k.json")], &[file]);
        assert_eq!(keys.clouds.google.as_deref(), Some("GOOGLE_APPLICATION_CREDENTIALS"));
        assert_eq!(keys.vars.plain("GOOGLE_CLOUD_PROJECT"), Some("p-1"));
        assert!(!format!("{keys:?}").contains("canary"));
        let other = [("GOOGLE_APPLICATION_CREDENTIALS", "/k.json"), ("VERTEX_PROJECT_ID", "p-2")];
        assert_eq!(gathered(&other, &[file]).vars.plain("GOOGLE_CLOUD_PROJECT"), None);
        let user = r#"{"type":"authorized_user","quota_project_id":"q"}"#;
        let log_in = ("/h/.config/gcloud/application_default_credentials.json", user);
        let keys = gathered(&[("K_SERVICE", "s")], &[log_in]);
        assert_eq!(keys.clouds.google.as_deref(), Some("gcloud's log-in"));
        assert_eq!(keys.vars.plain("GOOGLE_CLOUD_PROJECT"), None, "who pays is not where the model is");
        let moved = [("CLOUDSDK_CONFIG", "/g")];
        assert_eq!(gathered(&moved, &[log_in]).clouds.google, None);
        assert_eq!(gathered(&[("K_SERVICE", "s")], &[]).clouds.google.as_deref(), Some("K_SERVICE"));
        let unreadable = gathered(&[("GOOGLE_APPLICATION_CREDENTIALS", "/gone")], &[log_in]);
        assert_eq!(unreadable.clouds.google.as_deref(), Some("GOOGLE_APPLICATION_CREDENTIALS"));
        assert_eq!(unreadable.clouds.google_document, None);
    }

    #[test]
    fn the_variables_are_those_of_the_catalog() {
        let provider = |id: &str| Catalog::builtin().provider(&ProviderId::new(id)).unwrap();
        assert_eq!(provider("amazon-bedrock").env_names("region"), REGION);
        assert_eq!(provider("google-vertex").env_names("project"), PROJECT);
    }
}
