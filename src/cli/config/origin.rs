//! Every value of the files with its place, and which of two holds: for `config show`, which says where a value is from.

use std::sync::Arc;

use crate::catalog::file::Reader;
use crate::cli::catalog::shown_source;
use crate::upstream::shown_url;

/// One value of a file. What may be secret in it is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path of its key: `defaults.model`.
    pub(crate) key: String,
    /// The value as it is written; of a list, its members with commas.
    pub(crate) value: String,
    /// The file.
    pub(crate) file: Arc<str>,
    /// The line.
    pub(crate) line: usize,
}

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of this command.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// A file and a line.
    File(Arc<str>, usize),
    /// The program itself.
    BuiltIn,
    /// Nobody says anything.
    Unset,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => write!(f, "${name}"),
            Self::File(file, line) => write!(f, "{file}:{line}"),
            Self::BuiltIn => f.write_str("built-in"),
            Self::Unset => f.write_str("not set"),
        }
    }
}

impl Entry {
    /// Its place for people: the file without its folder, and the line.
    pub(crate) fn place(&self) -> String {
        Origin::File(self.file.clone(), self.line).short()
    }
}

impl Origin {
    /// What kind of place it is, for programs.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Variable(_) => "variable",
            Self::File(..) => "file",
            Self::BuiltIn => "built_in",
            Self::Unset => "unset",
        }
    }

    /// The same for people: a file without its folder.
    pub(super) fn short(&self) -> String {
        match self {
            Self::File(file, line) => {
                let name = std::path::Path::new(&**file).file_name().unwrap_or_default();
                format!("{}:{line}", name.to_string_lossy())
            }
            other => other.to_string(),
        }
    }
}

/// Every value of a file, in its order.
pub(super) fn entries(root: &Reader<'_, '_>) -> Vec<Entry> {
    let file = root.file();
    let leaves = root.leaves().into_iter();
    // A switch that is off is as if nobody had said so.
    let is_off = |path: &str| {
        let switch =
            path.rsplit('.').next().is_some_and(|key| ["no_gateways", "lenient", "allow_unpriced"].contains(&key));
        switch && (path.starts_with("defaults.") || path.starts_with("profiles."))
    };
    leaves
        .filter(|leaf| !(is_off(&leaf.path) && leaf.text == "false"))
        .map(|leaf| Entry { value: told(&leaf.path, &leaf.text), key: leaf.path, file: file.clone(), line: leaf.line })
        .collect()
}

/// The value without what may be secret: keys, the arguments of a command, headers, what stands in an address beside the
/// place.
fn told(path: &str, text: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts[..] {
        ["providers", .., "key"] | ["provider", _, "headers", ..] => "(not shown)".to_owned(),
        ["providers", .., "key_cmd"] => match text.split_once(", ") {
            Some((program, _)) => format!("{program} ..."),
            None => text.to_owned(),
        },
        [.., "base_url"] => shown_url(text),
        ["catalog", "url"] => shown_source(text),
        _ => text.to_owned(),
    }
}

/// Settings of which one shuts out the other.
const EITHER: [[&str; 2]; 2] = [["defaults.prefer", "defaults.time_value"], ["defaults.provider", "defaults.only"]];

/// What of two keys of the same meaning one has to be silent about: the key itself, what it shuts out, the table that is
/// taken as a whole.
pub(super) fn shuts_out(ours: &str, theirs: &str) -> bool {
    let whole = |key: &str| -> Option<String> {
        let (table, rest) = key.split_once('.').filter(|(table, _)| ["profiles", "providers"].contains(table))?;
        // The name may have dots in it; the key behind it has none.
        Some(format!("{table}.{}", rest.rsplit_once('.')?.0))
    };
    let either = || EITHER.iter().any(|pair| pair.contains(&ours) && pair.contains(&theirs));
    ours == theirs || either() || whole(ours).is_some_and(|table| whole(theirs).as_ref() == Some(&table))
}

/// Those of a project's file with those of the user's own that hold beside them, and those of the user's own that do not.
pub(super) fn over(ours: Vec<Entry>, theirs: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
    let is_silent = |entry: &Entry| ours.iter().any(|our| shuts_out(&our.key, &entry.key));
    let (silenced, rest): (Vec<Entry>, Vec<Entry>) = theirs.into_iter().partition(is_silent);
    (ours.into_iter().chain(rest).collect(), silenced)
}
