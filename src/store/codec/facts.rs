//! What is known of a candidate before anything is measured, as text: the endpoint's facts and price sheet, and whether it
//! can be called.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{StoreError, is_plain, named, parsed};
use crate::catalog::price::{
    Comparator, Fee, FeeItem, Item, Meter, OffPeak, Rate, ServiceTier, Tier, Window, stated, stated_in,
};
use crate::catalog::{
    CancelBilling, Capability, Endpoint, EndpointId, Modality, ModelId, Pricing, ProviderId, ProviderKind, Status,
};
use crate::observe::EndpointStats;
use crate::routing::{Candidate, Credential};
use crate::units::{Tokens, UsdPerMtok};

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct Fact {
    provider: String,
    upstream: String,
    model: String,
    kind: String,
    #[serde(skip_serializing_if = "is_plain")]
    variant: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    quant: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    region: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    context: Option<u64>,
    #[serde(skip_serializing_if = "is_plain")]
    max_input: Option<u64>,
    #[serde(skip_serializing_if = "is_plain")]
    max_output: Option<u64>,
    #[serde(skip_serializing_if = "is_plain")]
    input: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    output: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    can: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    cache_min: Option<u64>,
    #[serde(skip_serializing_if = "is_plain")]
    price: Option<Prices>,
    #[serde(skip_serializing_if = "is_plain")]
    status: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    sunset: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    credential: Paid,
    #[serde(skip_serializing_if = "is_plain")]
    unsupported: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    no_base_url: bool,
    #[serde(skip_serializing_if = "is_plain")]
    missing: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    outside_sandbox: bool,
    #[serde(skip_serializing_if = "is_plain")]
    hides_reasoning: bool,
    #[serde(skip_serializing_if = "is_plain")]
    keeps_marks: bool,
    #[serde(skip_serializing_if = "is_plain")]
    bills_on_cancel: Option<String>,
}

/// How it is paid: by what was found, `supposed`, not at all (`needless`), or where a key was looked for in vain.
#[derive(Debug, Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
struct Paid {
    #[serde(skip_serializing_if = "is_plain")]
    found: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    needless: bool,
    #[serde(skip_serializing_if = "is_plain")]
    supposed: bool,
    #[serde(skip_serializing_if = "is_plain")]
    looked_in: Vec<String>,
}

fn words<T: Copy>(values: impl IntoIterator<Item = T>, name: impl Fn(T) -> &'static str) -> Vec<String> {
    values.into_iter().map(|value| name(value).to_owned()).collect()
}

/// Whether the same is known of two candidates before anything is measured: whether one text tells of both.
pub(super) fn is_same(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    let Candidate {
        endpoint,
        kind,
        credential,
        unsupported,
        lacks: _,
        foreign_state: _,
        no_base_url,
        missing_settings,
        outside_sandbox,
        hides_reasoning,
        keeps_marks,
        bills_on_cancel,
        in_flight: _,
        stats: _,
    } = one;
    let flags = (*no_base_url, *outside_sandbox, *hides_reasoning, *keeps_marks);
    flags == (other.no_base_url, other.outside_sandbox, other.hides_reasoning, other.keeps_marks)
        && (*kind, *bills_on_cancel) == (other.kind, other.bills_on_cancel)
        && *credential == other.credential
        && *unsupported == other.unsupported
        && *missing_settings == other.missing_settings
        && *endpoint == other.endpoint
}

impl Fact {
    pub(super) fn of(candidate: &Candidate<'_>) -> Self {
        let Candidate {
            endpoint,
            kind,
            credential,
            unsupported,
            lacks: _,
            foreign_state: _,
            no_base_url,
            missing_settings,
            outside_sandbox,
            hides_reasoning,
            keeps_marks,
            bills_on_cancel,
            in_flight: _,
            stats: _,
        } = candidate;
        // What no decision reads of an endpoint is not kept: above all not its address, which may hold a secret.
        let Endpoint { id, model, variant, quant, region, context, max_input, max_output, cache_min, .. } =
            endpoint.as_ref();
        let count = |tokens: &Option<Tokens>| tokens.map(Tokens::count);
        let bills = Some(*bills_on_cancel).filter(|bills| *bills != CancelBilling::Unknown);
        let status = Some(endpoint.status).filter(|status| *status != Status::Active);
        Self {
            provider: id.provider.to_string(),
            upstream: id.upstream_model.clone(),
            model: model.to_string(),
            kind: kind.name().to_owned(),
            variant: variant.clone(),
            quant: quant.clone(),
            region: region.clone(),
            context: count(context),
            max_input: count(max_input),
            max_output: count(max_output),
            input: words(endpoint.input.iter().copied(), Modality::name),
            output: words(endpoint.output.iter().copied(), Modality::name),
            can: words(endpoint.capabilities.iter().copied(), Capability::name),
            cache_min: count(cache_min),
            price: endpoint.pricing.as_ref().map(Prices::of),
            status: status.map(|status| status.name().to_owned()),
            sunset: endpoint.sunset.clone(),
            credential: Paid::of(credential),
            unsupported: unsupported.clone(),
            no_base_url: *no_base_url,
            missing: missing_settings.clone(),
            outside_sandbox: *outside_sandbox,
            hides_reasoning: *hides_reasoning,
            keeps_marks: *keeps_marks,
            bills_on_cancel: bills.map(|bills| bills.name().to_owned()),
        }
    }

    pub(super) fn value(self) -> Result<Candidate<'static>, StoreError> {
        let id = EndpointId { provider: ProviderId::new(self.provider), upstream_model: self.upstream };
        let modality = |name: &String| named("modality", name, Modality::parse);
        let can = self.can.iter().map(|name| named("capability", name, Capability::parse));
        let status = self.status.as_deref().map_or(Ok(Status::Active), |name| named("status", name, Status::parse));
        let bills = self
            .bills_on_cancel
            .as_deref()
            .map_or(Ok(CancelBilling::Unknown), |word| named("billing", word, CancelBilling::parse));
        let kind = if self.kind.is_empty() { ProviderKind::Host.name() } else { &self.kind };
        let endpoint = Endpoint {
            variant: self.variant,
            quant: self.quant,
            region: self.region,
            context: self.context.map(Tokens::new),
            max_input: self.max_input.map(Tokens::new),
            max_output: self.max_output.map(Tokens::new),
            input: self.input.iter().map(modality).collect::<Result<_, _>>()?,
            output: self.output.iter().map(modality).collect::<Result<_, _>>()?,
            capabilities: can.collect::<Result<_, _>>()?,
            cache_min: self.cache_min.map(Tokens::new),
            pricing: self.price.map(Prices::value).transpose()?,
            status: status?,
            sunset: self.sunset,
            ..Endpoint::new(id, ModelId::new(self.model))
        };
        Ok(Candidate {
            endpoint: Cow::Owned(endpoint),
            kind: named("kind", kind, ProviderKind::parse)?,
            credential: self.credential.value(),
            unsupported: self.unsupported,
            lacks: Vec::new(),
            foreign_state: None,
            no_base_url: self.no_base_url,
            missing_settings: self.missing,
            outside_sandbox: self.outside_sandbox,
            hides_reasoning: self.hides_reasoning,
            keeps_marks: self.keeps_marks,
            bills_on_cancel: bills?,
            in_flight: 0,
            stats: EndpointStats::default(),
        })
    }
}

impl Paid {
    fn of(credential: &Credential) -> Self {
        match credential {
            Credential::Found { source } => Self { found: Some(source.clone()), ..Self::default() },
            Credential::NotNeeded => Self { needless: true, ..Self::default() },
            Credential::Supposed => Self { supposed: true, ..Self::default() },
            Credential::Missing { looked_in } => Self { looked_in: looked_in.clone(), ..Self::default() },
        }
    }

    fn value(self) -> Credential {
        match self.found {
            Some(source) => Credential::Found { source },
            None if self.needless => Credential::NotNeeded,
            None if self.supposed => Credential::Supposed,
            None => Credential::Missing { looked_in: self.looked_in },
        }
    }
}

#[derive(Debug, Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
struct Prices {
    rates: BTreeMap<String, Rates>,
    #[serde(skip_serializing_if = "is_plain")]
    service: BTreeMap<String, BTreeMap<String, Rates>>,
    #[serde(skip_serializing_if = "is_plain")]
    off_peak: Option<Cheaper>,
    /// Price, and for how many.
    #[serde(skip_serializing_if = "is_plain")]
    fees: BTreeMap<String, (String, u32)>,
    #[serde(skip_serializing_if = "is_plain")]
    times: Option<String>,
}

/// A base, then tiers: threshold, sign, whether the output is metered, price; `-` is a price that nobody states.
type Rates = (String, Vec<(u64, String, bool, String)>);

/// Windows (from, to, weekdays), and the prices in them.
type Cheaper = (Vec<(u16, u16, Vec<u8>)>, BTreeMap<String, String>);

const COMPARATORS: [Comparator; 4] = [Comparator::Gt, Comparator::Ge, Comparator::Lt, Comparator::Le];

fn rates(all: &BTreeMap<Item, Rate>) -> BTreeMap<String, Rates> {
    let tier = |Tier { threshold, comparator, meter, price }: &Tier| {
        (threshold.count(), comparator.sign().to_owned(), *meter == Meter::Output, stated(*price))
    };
    let rate = |Rate { base, tiers }: &Rate| (stated(*base), tiers.iter().map(tier).collect());
    all.iter().map(|(item, one)| (item.key().to_owned(), rate(one))).collect()
}

fn rate_of(text: &str) -> Result<Option<UsdPerMtok>, StoreError> {
    named("price", text, |text| stated_in(text).ok())
}

fn rates_of(all: BTreeMap<String, Rates>) -> Result<BTreeMap<Item, Rate>, StoreError> {
    let tier = |(threshold, sign, output, price): (u64, String, bool, String)| {
        Ok(Tier {
            threshold: Tokens::new(threshold),
            comparator: named("sign", &sign, |sign| COMPARATORS.into_iter().find(|known| known.sign() == sign))?,
            meter: if output { Meter::Output } else { Meter::Input },
            price: rate_of(&price)?,
        })
    };
    let rate = |(key, (base, tiers)): (String, Rates)| {
        let tiers = tiers.into_iter().map(tier).collect::<Result<_, StoreError>>()?;
        Ok((item(&key)?, Rate { base: rate_of(&base)?, tiers }))
    };
    all.into_iter().map(rate).collect()
}

fn item(key: &str) -> Result<Item, StoreError> {
    named("price", key, |key| Item::ALL.into_iter().find(|item| item.key() == key))
}

impl Prices {
    fn of(pricing: &Pricing) -> Self {
        let Pricing { rates: base, service, off_peak, fees, multiplier } = pricing;
        let window = |Window { from, to, weekdays }: &Window| (*from, *to, weekdays.clone());
        let off_peak = off_peak.as_ref().map(|OffPeak { windows, rates }| {
            let prices = rates.iter().map(|(item, price)| (item.key().to_owned(), price.exact()));
            (windows.iter().map(window).collect(), prices.collect())
        });
        let fee = |(item, Fee { price, per }): (&FeeItem, &Fee)| (item.key().to_owned(), (price.exact(), *per));
        let times = multiplier.to_string();
        Self {
            rates: rates(base),
            service: service.iter().map(|(tier, all)| (tier.name().to_owned(), rates(all))).collect(),
            off_peak,
            fees: fees.iter().map(fee).collect(),
            times: (times != "1").then_some(times),
        }
    }

    fn value(self) -> Result<Pricing, StoreError> {
        let service = self.service.into_iter().map(|(name, all)| {
            let tier =
                named("service tier", &name, |name| ServiceTier::ALL.into_iter().find(|tier| tier.name() == name))?;
            Ok((tier, rates_of(all)?))
        });
        let fee = |(key, (price, per)): (String, (String, u32))| {
            let item = named("fee", &key, |key| FeeItem::ALL.into_iter().find(|item| item.key() == key))?;
            Ok((item, Fee { price: parsed("amount", &price)?, per }))
        };
        let plain = Pricing::default();
        Ok(Pricing {
            rates: rates_of(self.rates)?,
            service: service.collect::<Result<_, StoreError>>()?,
            off_peak: self.off_peak.map(cheaper).transpose()?,
            fees: self.fees.into_iter().map(fee).collect::<Result<_, StoreError>>()?,
            multiplier: self.times.map_or(Ok(plain.multiplier), |times| parsed("factor", &times))?,
        })
    }
}

fn cheaper((windows, prices): Cheaper) -> Result<OffPeak, StoreError> {
    let price = |(key, price): (String, String)| Ok((item(&key)?, parsed("price", &price)?));
    let window = |(from, to, weekdays)| Window { from, to, weekdays };
    Ok(OffPeak {
        windows: windows.into_iter().map(window).collect(),
        rates: prices.into_iter().map(price).collect::<Result<_, StoreError>>()?,
    })
}
