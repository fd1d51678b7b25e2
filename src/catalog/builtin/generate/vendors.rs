//! Models that some list calls as Amazon Bedrock calls them, `vendor.model-vN:M`, and that were taken for models of their own:
//! `anthropic/anthropic.claude-opus-5` is `anthropic/claude-opus-5`. How the ids are made:
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html>.

use std::collections::{BTreeMap, BTreeSet};

/// Vendors as they stand before the dot, and the authors that they are.
const VENDORS: [(&str, &str); 8] = [
    ("amazon", "amazon"),
    ("anthropic", "anthropic"),
    ("google", "google"),
    ("mistral", "mistralai"),
    ("moonshot", "moonshotai"),
    ("moonshotai", "moonshotai"),
    ("openai", "openai"),
    ("zai", "z-ai"),
];

/// The models that are others under a vendor's name, each with the one that it is. What would be a model that nobody else
/// has stays what it is.
pub(super) fn renamed<'m>(ids: &BTreeSet<&'m str>) -> BTreeMap<&'m str, String> {
    let meant = |id: &str| {
        let (vendor, slug) = id.split_once('/')?.1.split_once('.')?;
        let (_, author) = VENDORS.iter().find(|(known, _)| *known == vendor)?;
        let names = [unversioned(slug), slug].map(|slug| format!("{author}/{slug}"));
        names.into_iter().find(|name| ids.contains(name.as_str()))
    };
    ids.iter().filter_map(|id| Some((*id, meant(id)?))).collect()
}

/// A slug without the `-vN` at its end.
fn unversioned(slug: &str) -> &str {
    let version = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    slug.rsplit_once("-v").filter(|(_, rest)| version(rest)).map_or(slug, |(name, _)| name)
}
