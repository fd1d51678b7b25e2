//! The `[[endpoint]]` tables of an overlay.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::prices::PricePatch;
use super::provider::{read_base_url, read_protocol};
use super::reader::{Place, Reader};
use super::{OverlayError, checks};
use crate::catalog::{Capability, Endpoint, EndpointId, Modality, ModelId, Protocol, Provider, ProviderId, Status};
use crate::units::Tokens;

/// What a model's id on the wire is made of, as the end of a sentence.
const WIRE_ID: &str = "letters, digits and . _ - / : @ ~ +, no \"..\", and no \"-\" at its beginning";

const KEYS: [&str; 19] = [
    "provider",
    "model",
    "id",
    "like",
    "context",
    "max_input",
    "max_output",
    "input",
    "output",
    "features",
    "region",
    "quant",
    "variant",
    "status",
    "sunset",
    "protocol",
    "base_url",
    "price",
    "hide",
];

/// What an overlay says about an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct EndpointPatch {
    pub(in super::super) id: EndpointId,
    pub(in super::super) model: Option<ModelId>,
    pub(in super::super) like: Option<ModelId>,
    pub(in super::super) hide: Option<bool>,
    pub(super) base_url: Option<String>,
    context: Option<Tokens>,
    max_input: Option<Tokens>,
    max_output: Option<Tokens>,
    input: Option<BTreeSet<Modality>>,
    output: Option<BTreeSet<Modality>>,
    features: Option<BTreeSet<Capability>>,
    region: Option<String>,
    quant: Option<String>,
    variant: Option<Vec<String>>,
    status: Option<Status>,
    sunset: Option<String>,
    protocol: Option<Protocol>,
    price: Option<PricePatch>,
    file: Arc<str>,
    place: Place,
}

impl EndpointPatch {
    /// Reads one table.
    pub(super) fn read(table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        table.known(&KEYS)?;
        let required =
            |key: &str, what: &str| table.text(key)?.ok_or_else(|| table.error(key, format!("is missing: {what}")));
        let provider = required("provider", "who serves it?")?;
        let id = required("id", "the model's id on the provider's wire")?;
        if !checks::is_wire_id(&id) {
            return Err(table.error("id", format!("\"{id}\" cannot be a wire id: {}", WIRE_ID)));
        }
        let sunset = table.text("sunset")?;
        if sunset.as_ref().is_some_and(|day| !checks::is_date(day, false)) {
            return Err(table.error("sunset", "should be a day, as in \"2026-12-31\""));
        }
        let modalities = Modality::ALL.map(Modality::name);
        let features = Capability::ALL.map(Capability::name);
        let statuses = Status::ALL.map(Status::name);
        let variant = table.list("variant")?;
        let variant = variant.map(|words| words.into_iter().map(|word| plain(table, "variant", word)).collect());
        let patch = Self {
            id: EndpointId { provider: ProviderId::new(provider), upstream_model: id },
            model: read_model(table, "model")?,
            like: read_model(table, "like")?,
            hide: table.flag("hide")?,
            base_url: read_base_url(table)?,
            context: table.tokens("context")?,
            max_input: table.tokens("max_input")?,
            max_output: table.tokens("max_output")?,
            input: table.words("input", &modalities, Modality::parse)?,
            output: table.words("output", &modalities, Modality::parse)?,
            features: table.words("features", &features, Capability::parse)?,
            region: table.text("region")?.map(|word| plain(table, "region", word)).transpose()?,
            quant: table.text("quant")?.map(|word| plain(table, "quant", word)).transpose()?,
            variant: variant.transpose()?,
            status: table.word("status", &statuses, Status::parse)?,
            sunset,
            protocol: read_protocol(table)?,
            price: table.table("price")?.map(|price| PricePatch::read(&price)).transpose()?,
            file: table.file(),
            place: table.place(),
        };
        for (key, limit) in [("max_output", patch.max_output), ("max_input", patch.max_input)] {
            if limit.zip(patch.context).is_some_and(|(limit, context)| limit > context) {
                return Err(table.error(key, "is larger than context"));
            }
        }
        Ok(patch)
    }

    /// A complaint about one of its keys.
    fn error(&self, key: &str, message: impl Into<String>) -> OverlayError {
        self.place.error(key, message)
    }

    /// A complaint that the catalog below lacks what one of its keys means.
    pub(in super::super) fn missing(&self, key: &str, message: impl Into<String>) -> OverlayError {
        self.place.missing(key, message)
    }

    /// The endpoint with this laid over it, field by field, or a new one. Prices replace as a whole; `like` gives
    /// limits and features, never prices.
    pub(in super::super) fn apply(
        &self,
        base: Option<Endpoint>,
        model: Option<ModelId>,
        like: Option<&Endpoint>,
        provider: &Provider,
    ) -> Result<Endpoint, OverlayError> {
        let mut endpoint = match base {
            Some(base) => base,
            None => self.fresh(model.clone(), provider)?,
        };
        endpoint.model = model.unwrap_or(endpoint.model);
        if let Some(like) = like {
            inherit(&mut endpoint, like);
        }
        if let Some(protocol) = self.protocol {
            endpoint.protocol = Some(protocol);
            endpoint.alternate = None;
        }
        set(&mut endpoint.base_url, &self.base_url);
        set(&mut endpoint.region, &self.region);
        set(&mut endpoint.quant, &self.quant);
        set(&mut endpoint.sunset, &self.sunset);
        set(&mut endpoint.context, &self.context);
        set(&mut endpoint.max_input, &self.max_input);
        set(&mut endpoint.max_output, &self.max_output);
        replace(&mut endpoint.input, self.input.as_ref());
        replace(&mut endpoint.output, self.output.as_ref());
        replace(&mut endpoint.capabilities, self.features.as_ref());
        replace(&mut endpoint.variant, self.variant.as_ref());
        endpoint.status = self.status.unwrap_or(endpoint.status);
        if let Some(price) = &self.price {
            endpoint.pricing = Some(price.sheet(provider.tiers_inclusive));
            endpoint.dispute = None;
        }
        endpoint.overlay = Some(self.file.to_string());
        let spoken = |protocol| provider.protocols.iter().any(|entry| entry.protocol == protocol);
        if let Some(protocol) = self.protocol
            && endpoint.base_url.is_none()
            && !spoken(protocol)
        {
            let message = format!("{} has no address for {}: add base_url", provider.id, protocol.name());
            return Err(self.error("protocol", message));
        }
        Ok(endpoint)
    }

    fn fresh(&self, model: Option<ModelId>, provider: &Provider) -> Result<Endpoint, OverlayError> {
        let (place, id) = (&provider.id, &self.id.upstream_model);
        if self.hide == Some(true) {
            return Err(self.missing("hide", format!("there is no endpoint \"{id}\" at {place} to hide")));
        }
        let Some(model) = model else {
            return Err(self.missing("model", format!("is missing: \"{id}\" at {place} is a new endpoint")));
        };
        let Some(protocol) = self.protocol.or(provider.protocols.first().map(|entry| entry.protocol)) else {
            return Err(self.error("protocol", format!("is missing: the catalog knows none for {place}")));
        };
        Ok(Endpoint { protocol: Some(protocol), ..Endpoint::new(self.id.clone(), model) })
    }
}

fn inherit(endpoint: &mut Endpoint, like: &Endpoint) {
    endpoint.context = like.context;
    endpoint.max_input = like.max_input;
    endpoint.max_output = like.max_output;
    endpoint.input.clone_from(&like.input);
    endpoint.output.clone_from(&like.output);
    endpoint.capabilities.clone_from(&like.capabilities);
    endpoint.reasoning_options.clone_from(&like.reasoning_options);
    endpoint.reasoning_field.clone_from(&like.reasoning_field);
    endpoint.cache_min = like.cache_min;
}

fn set<T: Clone>(field: &mut Option<T>, value: &Option<T>) {
    if value.is_some() {
        field.clone_from(value);
    }
}

fn replace<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

/// A word of the same signs as an id.
fn plain(table: &Reader<'_, '_>, key: &str, word: String) -> Result<String, OverlayError> {
    if checks::is_wire_id(&word) {
        return Ok(word);
    }
    Err(table.error(key, format!("\"{word}\" cannot be a word here: {}", WIRE_ID)))
}

fn read_model(table: &Reader<'_, '_>, key: &str) -> Result<Option<ModelId>, OverlayError> {
    let Some(text) = table.text(key)? else { return Ok(None) };
    if !checks::is_model_id(&text) {
        let message =
            format!("\"{text}\" is not a model id: author/slug in lower case, as in \"anthropic/claude-sonnet-5\"");
        return Err(table.error(key, message));
    }
    Ok(Some(ModelId::new(text)))
}
