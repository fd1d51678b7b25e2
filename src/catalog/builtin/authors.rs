//! Which provider is a model author's own.

/// Authors whose provider has another id than they have.
const OTHERWISE_NAMED: &[(&str, &str)] = &[
    ("abacusai", "abacus"),
    ("amazon", "amazon-bedrock"),
    ("arcee-ai", "arcee"),
    ("bytedance", "volcengine"),
    ("ibm", "watsonx"),
    ("inclusionai", "bailing"),
    ("kilo-auto", "kilo"),
    ("kwaipilot", "streamlake"),
    ("meganova-ai", "meganova"),
    ("meituan", "longcat"),
    ("microsoft", "azure"),
    ("mistralai", "mistral"),
    ("qwen", "alibaba"),
    ("rekaai", "reka-ai"),
    ("tencent", "tencent-tokenhub"),
    ("togethercomputer", "togetherai"),
    ("x-ai", "xai"),
    ("z-ai", "zai"),
];

/// The provider that is this author's own: the one of the table, else the embedded one of the same id.
pub(super) fn own_provider(author: &str) -> Option<&'static str> {
    match OTHERWISE_NAMED.binary_search_by_key(&author, |&(name, _)| name) {
        Ok(at) => OTHERWISE_NAMED.get(at).map(|&(_, provider)| provider),
        Err(_) => super::builtin_provider_id(author),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_providers() {
        assert!(OTHERWISE_NAMED.is_sorted());
        for (author, provider) in OTHERWISE_NAMED {
            assert_eq!(own_provider(author), Some(*provider));
            assert_eq!(super::super::builtin_provider_id(provider), Some(*provider));
        }
    }
}
