//! What is asserted of a provider as such, and of the catalog.

use std::path::Path;

use super::{Check, Claim, Court, Finding, Place, Row, Verdict, found, measured, mend, missing, name};
use crate::catalog::ProviderId;
use crate::cli::args::Since;
use crate::cli::assert::judge::plural;
use crate::cli::platform::set_key;
use crate::cli::render::sheet::Cell;
use crate::cli::report::is_variable;
use crate::cli::usage::begins;
use crate::cli::{facts, prompt, settings};
use crate::observe::Judged;
use crate::upstream::auth::{Found, Lazy};

impl Court<'_> {
    /// The answers to assertions about a provider.
    pub(super) fn provider(&self, check: &Check, typed: &str, window: &Since) -> Vec<Row> {
        let exists = check.claims.iter().find_map(|(claim, place)| match claim {
            Claim::Exists(wanted) => Some((*wanted, place.as_ref())),
            _ => None,
        });
        let id = match prompt::provider(self.catalog(), typed) {
            Ok(id) => id,
            Err(error) => return vec![missing(typed, exists, check.place.as_ref(), &error)],
        };
        let one = |(claim, place): &(Claim, Option<Place>)| {
            let finding = match claim {
                Claim::Exists(wanted) => {
                    let fix = format!("openmux providers list {id}   (what is known of it)");
                    return Some(found(id.as_str(), *wanted, fix, place.as_ref()));
                }
                Claim::HasKey => self.has_key(&id),
                Claim::Serves(model) => self.serves(&id, model),
                Claim::Availability(least) => self.available(&id, *least, window),
                _ => return None,
            };
            Some(Row::new(id.as_str(), Some(id.as_str()), claim.name(), finding, place.as_ref()))
        };
        check.claims.iter().filter_map(one).collect()
    }

    fn has_key(&self, id: &ProviderId) -> Finding {
        let wanted = Cell::Flag(true);
        let told = "has a key".to_owned();
        let reach = self.catalog().provider(id).and_then(|provider| self.dispatcher.reach_provider(&provider));
        match reach.map(|reach| reach.found) {
            None => Finding::unknown(wanted, told, "the catalog does not say how it is called"),
            Some(Found::Lazy { source, lazy: Lazy::Command { argv, .. } }) => {
                let program = argv.first().map(String::as_str).unwrap_or_default();
                let (found, told) = (Cell::Text(source), format!("{told}, from the key_cmd {program}"));
                if is_program(program, self.offline.settings.keys.vars.plain("PATH").unwrap_or_default()) {
                    Finding::unknown(wanted, told, "it was not run")
                        .found(found)
                        .fix(Some(format!("openmux providers check {id}")))
                } else {
                    Finding::decided(false, (wanted, Cell::Flag(false)), told, "there is no such program")
                        .fix(Some(format!("correct key_cmd of [providers.{id}]; openmux config path says where")))
                }
            }
            Some(Found::Key { source, .. } | Found::Lazy { source, .. }) => {
                Finding::decided(true, (wanted, Cell::Text(source.clone())), format!("{told}, from {source}"), "")
            }
            Some(Found::NotNeeded) => {
                let found = Cell::Text("not needed".to_owned());
                Finding::decided(true, (wanted, found), format!("{told}: none is needed"), "")
            }
            Some(Found::Missing { looked_in }) => {
                let fix = looked_in.iter().find(|name| is_variable(name)).map(|name| set_key(name));
                let why = if looked_in.is_empty() {
                    "it has no variable, and config.toml has no key".to_owned()
                } else {
                    format!("looked in {}", looked_in.join(", "))
                };
                Finding::decided(false, (wanted, Cell::Flag(false)), told, why).fix(fix)
            }
        }
    }

    fn serves(&self, id: &ProviderId, typed: &str) -> Finding {
        match facts::model(self.catalog(), typed) {
            Ok(model) => {
                let finding = self.served_by(id.as_str(), &self.offers(&model));
                Finding { wanted: Cell::Text(name(&model)), told: format!("serves {}", name(&model)), ..finding }
            }
            Err(error) => {
                let told = format!("serves {typed}");
                Finding::unknown(Cell::Text(typed.to_owned()), told, error.message.clone()).fix(mend::near(&error))
            }
        }
    }

    fn available(&self, id: &ProviderId, least: u64, window: &Since) -> Finding {
        let seen = self.seen(begins(window, self.now()));
        let ours = seen.as_ref().as_ref().into_iter().flatten().filter(|(endpoint, _)| endpoint.provider == *id);
        let sum = ours
            .map(|(_, known)| known.judged())
            .reduce(|a, b| Judged { successes: a.successes + b.successes, faults: a.faults + b.faults });
        let finding = self.unread(measured::availability(sum, least), seen.as_ref());
        match finding.verdict {
            Verdict::Ok => finding,
            _ => finding.fix(Some(format!("openmux usage --by provider --provider {id}   (how its calls ended)"))),
        }
    }

    /// The answer about the catalog's age.
    pub(super) fn age(&self, claim: &Claim, place: Option<&Place>) -> Row {
        let Claim::Age(most) = claim else {
            let finding = Finding::unknown(Cell::Unknown, String::new(), "not a claim about the catalog");
            return Row::new("catalog", None, claim.name(), finding, place);
        };
        let days = |day: &str| settings::age_days(day, self.now());
        let (day, why) = match &self.oldest {
            Some((day, offer)) => (day.as_str(), format!("what it says of {offer} is of {day}")),
            None => (self.catalog().as_of(), format!("most of it is of {}", self.catalog().as_of())),
        };
        let age = days(day);
        let told = format!("{} old <= {most}", plural(age));
        let found = Cell::count(u64::try_from(age).ok());
        let finding = Finding::decided(age <= i64::from(*most), (Cell::Count(u64::from(*most)), found), told, why);
        // Fetched lately, a list that leaves it out would not help once more.
        let is_left_out = days(self.catalog().generated()) <= i64::from(*most);
        let fix = match (is_left_out, &self.oldest) {
            (false, _) => "openmux catalog update",
            (true, Some(_)) => "openmux catalog update --from a list that has it",
            (true, None) => "openmux catalog update --from a list with more",
        };
        let fix = (age > i64::from(*most)).then(|| fix.to_owned());
        Row::new("catalog", None, claim.name(), finding.fix(fix), place)
    }
}

/// Whether the words of a command begin with a program that is there: by its path, or in a folder of `PATH`.
fn is_program(name: &str, folders: &str) -> bool {
    let is_file = |path: &Path| std::fs::metadata(path).is_ok_and(|about| about.is_file() && is_executable(&about));
    if name.contains(std::path::MAIN_SEPARATOR) || name.is_empty() {
        return is_file(Path::new(name));
    }
    std::env::split_paths(folders)
        .any(|folder| is_file(&folder.join(name)) || is_file(&folder.join(format!("{name}.exe"))))
}

#[cfg(unix)]
fn is_executable(about: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o111 != 0
}

#[cfg(not(unix))]
const fn is_executable(_about: &std::fs::Metadata) -> bool {
    true
}
