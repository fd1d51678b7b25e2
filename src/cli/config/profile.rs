//! `[profiles.NAME]` of the user's `config.toml`: what the flags of the choice of a provider say, under a name.
//!
//! ```toml
//! [profiles.eu]
//! region       = "require:eu"
//! max_ttft     = "prefer:2s"
//! max_price_in = "5"
//! ignore       = ["poe"]
//! fallback     = ["anthropic/claude-haiku-4.5"]
//! ```

use crate::catalog::file::{OverlayError, Reader};
use crate::cli::args::{
    Choice, ability, fallback_class, max_ttft, min_availability, min_throughput, per_mtok, preset, region, usd,
};
use crate::cli::contract::SETTINGS;
use crate::dispatch::FallbackClass;

/// One `[profiles.NAME]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profile {
    /// Its name.
    pub(crate) name: String,
    /// What it says of the choice of a provider.
    pub(crate) choice: Choice,
    /// The models that are asked after the first.
    pub(crate) fallback: Vec<String>,
    /// After which failures.
    pub(crate) fallback_on: Vec<FallbackClass>,
}

impl Profile {
    pub(super) fn read(name: String, table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        let keys: Vec<&str> = SETTINGS.iter().filter(|setting| setting.in_profile).map(|setting| setting.key).collect();
        table.known(&keys)?;
        Self::among(name, table)
    }

    /// The same keys in a table that has others, too.
    pub(super) fn among(name: String, table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        let list = |key: &str| Ok(table.list(key)?.unwrap_or_default());
        let flag = |key: &str| Ok(table.flag(key)?.unwrap_or_default());
        let choice = Choice {
            profile: None,
            provider: list("provider")?,
            order: list("order")?,
            only: list("only")?,
            ignore: list("ignore")?,
            no_gateways: flag("no_gateways")?,
            prefer: table.parsed("prefer", preset)?,
            time_value: money(table, "time_value", usd)?,
            max_price_in: money(table, "max_price_in", per_mtok)?,
            max_price_out: money(table, "max_price_out", per_mtok)?,
            max_cost: money(table, "max_cost", usd)?,
            max_ttft: table.parsed("max_ttft", max_ttft)?,
            min_throughput: table.parsed("min_throughput", min_throughput)?,
            min_availability: table.parsed("min_availability", min_availability)?,
            quantization: list("quantization")?,
            require: each(table, "require", ability)?,
            lenient: flag("lenient")?,
            allow_unpriced: flag("allow_unpriced")?,
            region: table.parsed("region", region)?,
            seed: None,
        };
        if choice.prefer.is_some() && choice.time_value.is_some() {
            return Err(table.error("time_value", "prefer sets the value of time already: one of them"));
        }
        let fallback_on = each(table, "fallback_on", fallback_class)?;
        Ok(Self { name, choice, fallback: list("fallback")?, fallback_on })
    }

    /// What this says, and where it says nothing, what another does.
    pub(crate) fn over(&self, below: &Self) -> Self {
        let either = |ours: &Vec<_>, theirs: &Vec<_>| if ours.is_empty() { theirs.clone() } else { ours.clone() };
        Self {
            name: self.name.clone(),
            choice: under(&self.choice, &below.choice),
            fallback: if self.fallback.is_empty() { below.fallback.clone() } else { self.fallback.clone() },
            fallback_on: either(&self.fallback_on, &below.fallback_on),
        }
    }
}

/// What was typed, and what a profile says where nothing was. Who names a provider means that one: then nothing of a
/// profile says whom to use, but for whom never.
pub(crate) fn under(typed: &Choice, profile: &Choice) -> Choice {
    let pins = !typed.provider.is_empty() || !typed.only.is_empty();
    let trades = typed.prefer.is_some() || typed.time_value.is_some();
    let longer = |typed: &[String], profile: &[String]| {
        if typed.is_empty() { profile.to_vec() } else { typed.to_vec() }
    };
    Choice {
        profile: typed.profile.clone(),
        provider: if pins { typed.provider.clone() } else { profile.provider.clone() },
        only: if pins { typed.only.clone() } else { profile.only.clone() },
        order: longer(&typed.order, &profile.order),
        ignore: longer(&typed.ignore, &profile.ignore),
        no_gateways: typed.no_gateways || profile.no_gateways,
        prefer: if trades { typed.prefer } else { profile.prefer },
        time_value: if trades { typed.time_value } else { profile.time_value },
        max_price_in: typed.max_price_in.or(profile.max_price_in),
        max_price_out: typed.max_price_out.or(profile.max_price_out),
        max_cost: typed.max_cost.or(profile.max_cost),
        max_ttft: typed.max_ttft.or(profile.max_ttft),
        min_throughput: typed.min_throughput.or(profile.min_throughput),
        min_availability: typed.min_availability.or(profile.min_availability),
        quantization: longer(&typed.quantization, &profile.quantization),
        require: if typed.require.is_empty() { profile.require.clone() } else { typed.require.clone() },
        lenient: typed.lenient || profile.lenient,
        allow_unpriced: typed.allow_unpriced || profile.allow_unpriced,
        region: typed.region.clone().or_else(|| profile.region.clone()),
        seed: typed.seed,
    }
}

fn money<T>(
    table: &Reader<'_, '_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, OverlayError> {
    let Some(text) = table.amount(key)? else { return Ok(None) };
    read(&text).map(Some).map_err(|why| table.error(key, why))
}

fn each<T>(
    table: &Reader<'_, '_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, OverlayError> {
    let texts = table.list(key)?.unwrap_or_default();
    texts.iter().map(|text| read(text).map_err(|why| table.error(key, why))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn refused(text: &str) -> String {
        Config::parse("c.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn what_a_profile_cannot_mean_is_told_with_its_place() {
        let said = [
            "[profile.eu]\nregion = \"eu\"",
            "[profiles.eu]\nregin = \"eu\"",
            "[profiles.eu]\nmax_price_in = true",
            "[profiles.eu]\nmax_ttft = \"soon\"",
            "[profiles.eu]\nrequire = [\"telepathy\"]",
            "[profiles.eu]\nprefer = \"price\"\ntime_value = \"3\"",
            "[profiles.eu]\nno_gateways = \"yes\"",
            "[profiles]\neu = 1",
            "[profiles.\"$(touch x)\"]\nregion = \"eu\"",
            "[profiles.EU]\nregion = \"eu\"",
        ]
        .map(refused);
        insta::assert_snapshot!(said.join("\n"), @r#"
        c.toml:1: profile: unknown key; did you mean "profiles"?
        c.toml:2: profiles.eu.regin: unknown key; did you mean "region"?
        c.toml:2: profiles.eu.max_price_in: should be a string, not true or false
        c.toml:2: profiles.eu.max_ttft: not a time such as 30s, 2m or 500ms
        c.toml:2: profiles.eu.require: not one of tools, parallel_tools, structured, reasoning, cache, web_search, computer_use, vision, pdf, audio, video
        c.toml:3: profiles.eu.time_value: prefer sets the value of time already: one of them
        c.toml:2: profiles.eu.no_gateways: should be true or false, not a string
        c.toml:2: profiles.eu: should be a table, not a number
        c.toml:1: profiles.$(touch x): a profile's name is lower-case letters, digits, ".", "_" and "-"
        c.toml:1: profiles.EU: a profile's name is lower-case letters, digits, ".", "_" and "-"
        "#);
    }

    #[test]
    fn what_is_typed_wins_over_the_profile_setting_by_setting() {
        let text = "[profiles.eu]\nregion = \"require:eu\"\nonly = [\"a\", \"b\"]\nprefer = \"price\"\nlenient = true\n\
            max_ttft = \"require:2s\"";
        let config = Config::parse("c.toml", text).unwrap();
        let profile = config.profile("eu").unwrap();
        let plain = under(&Choice::default(), &profile.choice);
        assert_eq!((plain.only.len(), plain.lenient), (2, true));
        assert!(plain.region.is_some_and(|region| region.firm) && plain.max_ttft.is_some_and(|wish| wish.firm));
        let typed = Choice { provider: vec!["c".to_owned()], time_value: "3".parse().ok(), ..Choice::default() };
        let mixed = under(&typed, &profile.choice);
        assert_eq!((mixed.only.len(), mixed.provider.len(), mixed.prefer), (0, 1, None));
        assert!(mixed.time_value.is_some() && mixed.region.is_some());
    }
}
