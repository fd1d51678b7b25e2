//! Which model a wire id means that no table has yet: by the spellings that are known, else by the rules of `catalog.md`
//! section 2 as far as they need no look at other ids. When in doubt it is a model of its own: two that should be one are
//! a nuisance, one that should be two is a wrong price.

use std::collections::BTreeMap;

use super::checks;
use crate::catalog::{Catalog, ModelId, Provider};

/// Regions that stand before an id at clouds.
const REGIONS: [&str; 10] = ["us-gov", "us", "eu", "apac", "au", "jp", "ca", "global", "sa", "in"];

/// What stands before an id at some providers, and says nothing.
const PREFIXES: [&str; 10] =
    ["models/", "@cf/", "@hf/", "hf:", "duo-chat-", "databricks-", "snowflake-", "e2ee-", "fw-", "coding-"];

/// Authors whose dated names are the same weights as the undated one.
const DATES_FOLD: [&str; 1] = ["anthropic"];

/// What an id comes apart into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meant {
    pub(super) model: ModelId,
    pub(super) variant: Vec<String>,
    pub(super) region: Option<String>,
    pub(super) floating: bool,
    /// How the model is spelt here, `author/slug`, where that is not its id.
    pub(super) spelling: Option<String>,
}

/// What is known of names, made once for a list.
pub(super) struct Names<'c> {
    catalog: &'c Catalog,
    /// The model of each slug that one author alone has.
    slugs: BTreeMap<&'c str, Option<&'c str>>,
    /// The author of each first word of slugs, where nearly all with that word are one author's.
    families: BTreeMap<&'c str, &'c str>,
    /// The author behind each spelling of one.
    hints: BTreeMap<&'c str, &'c str>,
}

impl<'c> Names<'c> {
    pub(super) fn new(catalog: &'c Catalog) -> Self {
        let mut slugs: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        let mut words = Votes::default();
        let mut hints = Votes::default();
        for line in catalog.models() {
            let (author, slug) = line.id().split_once('/').unwrap_or_default();
            slugs.entry(slug).and_modify(|held| *held = None).or_insert(Some(line.id()));
            words.add(family(slug), author);
            hints.add(author, author);
        }
        for (spelling, model) in catalog.aliases() {
            if let (Some((hint, _)), Some((author, _))) = (spelling.split_once('/'), model.split_once('/')) {
                hints.add(hint, author);
            }
        }
        Self { catalog, slugs, families: words.settled(3), hints: hints.settled(1) }
    }

    /// The model that a wire id of this provider means.
    pub(super) fn meant(&self, provider: &Provider, wire_id: &str) -> Meant {
        let lower = wire_id.to_lowercase();
        let mut id = lower.trim_start_matches('~');
        if id.starts_with("accounts/") || id.starts_with("projects/") {
            id = id.rsplit('/').next().unwrap_or(id);
        }
        for prefix in PREFIXES {
            id = id.strip_prefix(prefix).unwrap_or(id);
        }
        let floating = lower.starts_with('~') || id.ends_with("-latest") || id.ends_with(":latest");
        let (id, region) = region(id);
        let (id, mut variant) = variants(id);
        let id = unversioned(id);
        let id = match id.strip_suffix("-free").filter(|_| variant.is_empty()) {
            Some(rest) => {
                variant.push("free".to_owned());
                rest
            }
            None => id,
        };
        let (hint, slug) = self.apart(id);
        let spelled = dotted(slug);
        let undated = without_date(&spelled);
        let spellings = [slug.to_owned(), spelled.clone(), loose(&spelled)];
        let known = self.spelled(&lower).or_else(|| self.spelled(id)).filter(|_| variant.is_empty());
        let known = known.or_else(|| spellings.iter().find_map(|name| self.known(name, hint)));
        let model = known.map_or_else(
            || {
                let author = self.author(hint, &spelled, provider);
                let slug = if DATES_FOLD.contains(&author.as_str()) { undated } else { &spelled };
                let model = format!("{author}/{slug}");
                self.catalog.alias(&model).map_or(model, str::to_owned)
            },
            str::to_owned,
        );
        let model = ModelId::new(model);
        let spelling =
            Some(format!("{}/{slug}", model.author())).filter(|so| variant.is_empty() && so != model.as_str());
        Meant { model, variant, region: region.map(str::to_owned), floating, spelling }
    }

    /// The model of a whole id as it is spelled.
    fn spelled(&self, name: &str) -> Option<&'c str> {
        self.catalog.alias(name).or_else(|| self.catalog.model_line(name).map(|line| line.id()))
    }

    /// The model of a slug, where the author that the id names does not speak against it.
    fn known(&self, slug: &str, hint: Option<&str>) -> Option<&'c str> {
        let found = self.catalog.alias(slug).or_else(|| self.slugs.get(slug).copied().flatten())?;
        let author = hint.and_then(|hint| self.hints.get(hint));
        author.is_none_or(|author| found.split('/').next() == Some(*author)).then_some(found)
    }

    /// The author that an id names, and the rest of it: `author/slug`, `author.slug`, `author--slug`, `author-slug`.
    fn apart<'i>(&self, id: &'i str) -> (Option<&'i str>, &'i str) {
        let (hint, slug) = match id.rsplit_once('/') {
            Some((before, slug)) => (before.rsplit('/').next(), slug),
            None => (None, id),
        };
        for separator in [".", "--"] {
            if let Some((vendor, rest)) = slug.split_once(separator)
                && self.is_author(vendor)
            {
                return (Some(vendor), rest);
            }
        }
        let doubled = slug.match_indices('-').filter_map(|(at, _)| Some((slug.get(..at)?, slug.get(at + 1..)?)));
        let mut doubled = doubled.filter(|(vendor, rest)| {
            let author = self.hints.get(vendor).filter(|_| self.is_author(vendor));
            author.is_some() && self.families.get(family(rest)) == author
        });
        match doubled.next() {
            Some((vendor, rest)) => (Some(vendor), rest),
            None => (hint.filter(|hint| *hint != "models"), slug),
        }
    }

    fn is_author(&self, word: &str) -> bool {
        word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && self.hints.contains_key(word)
    }

    fn author(&self, hint: Option<&str>, slug: &str, provider: &Provider) -> String {
        let hinted = hint.and_then(|hint| self.hints.get(hint)).copied();
        let by_family = || self.families.get(family(slug)).copied();
        if let Some(author) = hinted.or_else(by_family) {
            return author.to_owned();
        }
        let own = self.hints.values().find(|author| Catalog::own_provider(author) == Some(provider.id.as_str()));
        let named = hint.filter(|hint| checks::is_slug(hint));
        named.or(own.copied()).unwrap_or(provider.id.as_str()).to_owned()
    }
}

/// Who says what how often.
#[derive(Default)]
struct Votes<'v>(BTreeMap<&'v str, BTreeMap<&'v str, usize>>);

impl<'v> Votes<'v> {
    fn add(&mut self, word: &'v str, author: &'v str) {
        *self.0.entry(word).or_default().entry(author).or_default() += 1;
    }

    /// The words that nine of ten, and at least `least`, give to one author.
    fn settled(self, least: usize) -> BTreeMap<&'v str, &'v str> {
        let settle = |(word, votes): (&'v str, BTreeMap<&'v str, usize>)| {
            let all: usize = votes.values().sum();
            let (author, most) = votes.into_iter().max_by_key(|(_, count)| *count)?;
            (most >= least && most * 10 >= all * 9).then_some((word, author))
        };
        self.0.into_iter().filter_map(settle).collect()
    }
}

/// The first letters of a slug: `claude`, `gpt`, `qwen` of `qwen3-max`.
fn family(slug: &str) -> &str {
    let end = slug.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(slug.len());
    slug.get(..end).unwrap_or_default()
}

fn region(id: &str) -> (&str, Option<&str>) {
    for region in REGIONS {
        if let Some(rest) = id.strip_prefix(region).and_then(|rest| rest.strip_prefix(['.', '/'])) {
            return (rest, Some(region));
        }
    }
    (id, None)
}

/// What follows a colon: a variant, a version (`-v1:0`), `latest`; else it is a part of the name.
fn variants(id: &str) -> (&str, Vec<String>) {
    let Some((before, after)) = id.rsplit_once(':') else { return (id, Vec::new()) };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if after == "latest" {
        return (before, Vec::new());
    }
    if let Some((name, _)) = before.rsplit_once("-v").filter(|(_, number)| is_number(number) && is_number(after)) {
        return (name, Vec::new());
    }
    let is_word = after.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_word && after.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return (before, vec![after.to_owned()]);
    }
    (id, Vec::new())
}

/// The id without the version that Google's cloud puts behind it; a tag of four digits is a part of the name.
fn unversioned(id: &str) -> &str {
    let is_version = |text: &str| {
        matches!(text, "default" | "latest" | "001") || (text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()))
    };
    id.split_once('@').filter(|(_, version)| is_version(version)).map_or(id, |(name, _)| name)
}

/// The slug as openmux spells it: `claude-opus-4-6` is `claude-opus-4.6`, and nothing is in it that an id cannot hold.
fn dotted(slug: &str) -> String {
    let clean: String = slug
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-') { c } else { '-' })
        .collect();
    let parts: Vec<&str> = clean.split('-').filter(|part| !part.is_empty()).collect();
    let mut out = String::new();
    let mut is_versioned = false;
    for (at, part) in parts.iter().enumerate() {
        let digits = |text: &str, most: usize| {
            !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let before = at.checked_sub(1).and_then(|before| parts.get(before));
        let follows = before.is_some_and(|before| digits(before, 2) && !before.starts_with('0'));
        let ends = parts.get(at + 1).is_none_or(|next| !digits(next, 2));
        if !out.is_empty() {
            let joins = follows && ends && !is_versioned && digits(part, 2);
            is_versioned |= joins;
            out.push(if joins { '.' } else { '-' });
        }
        out.push_str(part);
    }
    out
}

/// A guess at a version whose point was lost: `qwen3-5-plus`, `deepseek-v3p2`. It counts only where that model is known.
fn loose(slug: &str) -> String {
    let bytes = slug.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let lost = |at: usize| {
        let single = !digit(at.checked_add(2)) && !digit(at.checked_sub(2));
        single && digit(at.checked_sub(1)) && digit(at.checked_add(1))
    };
    let point = |(at, c): (usize, char)| if matches!(c, '-' | 'p') && lost(at) { '.' } else { c };
    slug.char_indices().map(point).collect()
}

/// The name without a date of eight digits, or of three parts, at its end.
fn without_date(slug: &str) -> &str {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((name, date)) = slug.rsplit_once('-') {
        if digits(date, 8) {
            return name;
        }
        let parts: Vec<&str> = slug.rsplitn(4, '-').collect();
        if let [day, month, year, name] = parts.as_slice()
            && digits(day, 2)
            && digits(month, 2)
            && digits(year, 4)
        {
            return name;
        }
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ProviderId;

    #[test]
    fn new_ids_of_every_spelling_mean_one_model() {
        let catalog = Catalog::builtin();
        let names = Names::new(&catalog);
        let meant = |provider: &str, id: &str| {
            let provider = catalog.provider(&ProviderId::new(provider)).unwrap();
            let meant = names.meant(&provider, id);
            let region = meant.region.map(|region| format!(" in {region}")).unwrap_or_default();
            let variant = meant.variant.iter().map(|variant| format!(":{variant}")).collect::<String>();
            let floating = if meant.floating { " floating" } else { "" };
            format!("{id:48} {}{variant}{region}{floating}", meant.model)
        };
        let said = [
            meant("anthropic", "claude-opus-9-1-20271101"),
            meant("anthropic", "claude-opus-9-1"),
            meant("amazon-bedrock", "us.anthropic.claude-opus-9-1-20271101-v1:0"),
            meant("google-vertex", "claude-opus-9-1@20271101"),
            meant("openrouter", "anthropic/claude-opus-9.1:free"),
            meant("vercel", "anthropic/claude-opus-9.1"),
            meant("openai", "gpt-9-mini"),
            meant("openai", "gpt-9-mini-2027-01-02"),
            meant("openrouter", "zai-org/glm-9-air"),
            meant("openrouter", "~openai/gpt-latest"),
            meant("togetherai", "meta-llama/Llama-9-70B-Instruct"),
            meant("groq", "qwen9-32b"),
            meant("mistral", "mistral-colossal-2712"),
            meant("openrouter", "newlab/first_model"),
            meant("groq", "unheard-of-1"),
            meant("amazon-bedrock", "anthropic.claude-sonnet-5"),
            meant("fireworks-ai", "accounts/fireworks/models/qwen2p5-coder-32b-instruct"),
            meant("venice", "z-ai-glm-9-turbo"),
            meant("sap-ai-core", "anthropic--claude-opus-9-1"),
            meant("aihubmix", "glm-9-turbo-free"),
            meant("ollama-cloud", "gpt-oss-9:123b"),
            meant("google-vertex", "mistral-large@2712"),
            meant("openrouter", "anthropic/claude-sonnet-5"),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        claude-opus-9-1-20271101                         anthropic/claude-opus-9.1
        claude-opus-9-1                                  anthropic/claude-opus-9.1
        us.anthropic.claude-opus-9-1-20271101-v1:0       anthropic/claude-opus-9.1 in us
        claude-opus-9-1@20271101                         anthropic/claude-opus-9.1
        anthropic/claude-opus-9.1:free                   anthropic/claude-opus-9.1:free
        anthropic/claude-opus-9.1                        anthropic/claude-opus-9.1
        gpt-9-mini                                       openai/gpt-9-mini
        gpt-9-mini-2027-01-02                            openai/gpt-9-mini-2027-01-02
        zai-org/glm-9-air                                z-ai/glm-9-air
        ~openai/gpt-latest                               openai/gpt-latest floating
        meta-llama/Llama-9-70B-Instruct                  meta/llama-9-70b-instruct
        qwen9-32b                                        qwen/qwen9-32b
        mistral-colossal-2712                            mistralai/mistral-colossal-2712
        newlab/first_model                               newlab/first-model
        unheard-of-1                                     groq/unheard-of-1
        anthropic.claude-sonnet-5                        anthropic/claude-sonnet-5
        accounts/fireworks/models/qwen2p5-coder-32b-instruct qwen/qwen2.5-coder-32b-instruct
        z-ai-glm-9-turbo                                 z-ai/glm-9-turbo
        anthropic--claude-opus-9-1                       anthropic/claude-opus-9.1
        glm-9-turbo-free                                 z-ai/glm-9-turbo:free
        gpt-oss-9:123b                                   openai/gpt-oss-9-123b
        mistral-large@2712                               mistralai/mistral-large-2712
        anthropic/claude-sonnet-5                        anthropic/claude-sonnet-5
        ");
    }

    #[test]
    fn every_id_that_is_known_means_its_own_model() {
        let catalog = Catalog::builtin();
        let names = Names::new(&catalog);
        let (mut right, mut all) = (0, 0);
        for line in catalog.models() {
            for endpoint in line.endpoints() {
                let provider = catalog.provider(&ProviderId::new(endpoint.provider())).unwrap();
                right += usize::from(names.meant(&provider, endpoint.wire_id()).model == line.model().id);
                all += 1;
            }
        }
        // The rest rests on what the tables know and no rule does.
        assert!(right * 100 >= all * 93, "{right} of {all}");
    }
}
