//! The request as text: lengths, needs and limits.

use serde::{Deserialize, Serialize};

use super::{StoreError, is_plain, named, parsed_if};
use crate::catalog::{EndpointId, ModelId, Origin, Protocol, ProviderId};
use crate::routing::{Ability, Constraints, Expected, Measure, Needs, RouteRequest, Threshold, Warm};
use crate::units::Tokens;

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct Request {
    model: String,
    input: u64,
    #[serde(skip_serializing_if = "is_plain")]
    estimated: bool,
    #[serde(skip_serializing_if = "is_plain")]
    guessed: u64,
    bound: u64,
    #[serde(skip_serializing_if = "is_plain")]
    cached: u64,
    /// What is to be kept in prompt caches, and of that for an hour.
    #[serde(skip_serializing_if = "is_plain")]
    marked: (u64, u64),
    expected: u64,
    #[serde(skip_serializing_if = "is_plain")]
    output_from: Source,
    #[serde(skip_serializing_if = "is_plain")]
    max_output: Option<u64>,
    stream: bool,
    #[serde(skip_serializing_if = "is_plain")]
    needs: Needed,
    #[serde(skip_serializing_if = "is_plain")]
    warm: Vec<(String, String, u64)>,
    /// Who made the signed state that goes along, in which dialect.
    #[serde(skip_serializing_if = "is_plain")]
    state: Vec<(String, String)>,
    #[serde(skip_serializing_if = "is_plain")]
    continues: bool,
    #[serde(skip_serializing_if = "is_plain")]
    constraints: Limits,
}

#[derive(Debug, Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
struct Needed {
    #[serde(skip_serializing_if = "is_plain")]
    temperature: bool,
    #[serde(skip_serializing_if = "is_plain")]
    tools: bool,
    #[serde(skip_serializing_if = "is_plain")]
    images: bool,
    #[serde(skip_serializing_if = "is_plain")]
    pdfs: bool,
}

#[derive(Debug, Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
struct Limits {
    #[serde(skip_serializing_if = "is_plain")]
    order: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    only: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    ignore: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    max_price_in: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    max_price_out: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    max_cost: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    allow_unpriced: bool,
    #[serde(skip_serializing_if = "is_plain")]
    no_gateways: bool,
    /// Measure, limit in millionths, whether it is firm.
    #[serde(skip_serializing_if = "is_plain")]
    thresholds: Vec<(String, u64, bool)>,
    #[serde(skip_serializing_if = "is_plain")]
    quantization: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    region: Option<String>,
    #[serde(skip_serializing_if = "is_plain")]
    require: Vec<String>,
    #[serde(skip_serializing_if = "is_plain")]
    lenient: bool,
}

/// Where the expected output comes from: the user, so many answers, or nothing better than a prior.
#[derive(Debug, Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
struct Source {
    #[serde(skip_serializing_if = "is_plain")]
    stated: bool,
    #[serde(skip_serializing_if = "is_plain")]
    answers: Option<u64>,
}

impl Source {
    const fn of(expected: Expected) -> Self {
        match expected {
            Expected::Stated => Self { stated: true, answers: None },
            Expected::Measured { answers } => Self { stated: false, answers: Some(answers) },
            Expected::Assumed => Self { stated: false, answers: None },
        }
    }

    const fn value(self) -> Expected {
        match self.answers {
            _ if self.stated => Expected::Stated,
            Some(answers) => Expected::Measured { answers },
            None => Expected::Assumed,
        }
    }
}

impl Request {
    pub(super) fn of(request: &RouteRequest) -> Self {
        let RouteRequest {
            model,
            input,
            input_estimated,
            guessed,
            input_bound,
            cached,
            marked,
            marked_1h,
            expected_output,
            output_from,
            max_output,
            stream,
            needs,
            warm,
            state,
            continues,
            constraints,
        } = request;
        let Needs { temperature, tools, images, pdfs } = *needs;
        let place = |Warm { endpoint, tokens }: &Warm| {
            (endpoint.provider.as_str().to_owned(), endpoint.upstream_model.clone(), tokens.count())
        };
        let origin =
            |Origin { provider, protocol }: &Origin| (provider.as_str().to_owned(), protocol.name().to_owned());
        Self {
            model: model.as_str().to_owned(),
            input: input.count(),
            estimated: *input_estimated,
            guessed: guessed.count(),
            bound: input_bound.count(),
            cached: cached.count(),
            marked: (marked.count(), marked_1h.count()),
            expected: expected_output.count(),
            output_from: Source::of(*output_from),
            max_output: max_output.map(Tokens::count),
            stream: *stream,
            needs: Needed { temperature, tools, images, pdfs },
            warm: warm.iter().map(place).collect(),
            state: state.iter().map(origin).collect(),
            continues: *continues,
            constraints: Limits::of(constraints),
        }
    }

    pub(super) fn value(self) -> Result<RouteRequest, StoreError> {
        let Needed { temperature, tools, images, pdfs } = self.needs;
        let place = |(provider, upstream_model, tokens): (String, String, u64)| Warm {
            endpoint: EndpointId { provider: ProviderId::new(provider), upstream_model },
            tokens: Tokens::new(tokens),
        };
        let origin = |(provider, protocol): (String, String)| {
            let protocol = named("protocol", &protocol, Protocol::parse)?;
            Ok(Origin { provider: ProviderId::new(provider), protocol })
        };
        Ok(RouteRequest {
            model: ModelId::new(self.model),
            input: Tokens::new(self.input),
            input_estimated: self.estimated,
            guessed: Tokens::new(self.guessed),
            input_bound: Tokens::new(self.bound),
            cached: Tokens::new(self.cached),
            marked: Tokens::new(self.marked.0),
            marked_1h: Tokens::new(self.marked.1),
            expected_output: Tokens::new(self.expected),
            output_from: self.output_from.value(),
            max_output: self.max_output.map(Tokens::new),
            stream: self.stream,
            needs: Needs { temperature, tools, images, pdfs },
            warm: self.warm.into_iter().map(place).collect(),
            state: self.state.into_iter().map(origin).collect::<Result<_, StoreError>>()?,
            continues: self.continues,
            constraints: self.constraints.value()?,
        })
    }
}

impl Limits {
    fn of(constraints: &Constraints) -> Self {
        let Constraints {
            order,
            only,
            ignore,
            max_price_in,
            max_price_out,
            max_cost,
            allow_unpriced,
            no_gateways,
            thresholds,
            quantization,
            region,
            require,
            lenient,
        } = constraints;
        let limit =
            |Threshold { measure, millionths, firm }: &Threshold| (measure.name().to_owned(), *millionths, *firm);
        let names = |ids: &[ProviderId]| ids.iter().map(ToString::to_string).collect();
        Self {
            order: names(order),
            only: names(only),
            ignore: names(ignore),
            max_price_in: max_price_in.map(|price| price.exact()),
            max_price_out: max_price_out.map(|price| price.exact()),
            max_cost: max_cost.map(|cost| cost.exact()),
            allow_unpriced: *allow_unpriced,
            no_gateways: *no_gateways,
            thresholds: thresholds.iter().map(limit).collect(),
            quantization: quantization.clone(),
            region: region.clone(),
            require: require.iter().map(|ability| ability.name().to_owned()).collect(),
            lenient: *lenient,
        }
    }

    fn value(self) -> Result<Constraints, StoreError> {
        let ids = |names: Vec<String>| names.into_iter().map(ProviderId::new).collect();
        let limit = |(name, millionths, firm): (String, u64, bool)| {
            let measure = named("measure", &name, |name| Measure::ALL.into_iter().find(|known| known.name() == name))?;
            Ok(Threshold { measure, millionths, firm })
        };
        let ability = |name: &String| named("ability", name, Ability::parse);
        Ok(Constraints {
            order: ids(self.order),
            only: ids(self.only),
            ignore: ids(self.ignore),
            max_price_in: parsed_if("price", self.max_price_in.as_ref())?,
            max_price_out: parsed_if("price", self.max_price_out.as_ref())?,
            max_cost: parsed_if("amount", self.max_cost.as_ref())?,
            allow_unpriced: self.allow_unpriced,
            no_gateways: self.no_gateways,
            thresholds: self.thresholds.into_iter().map(limit).collect::<Result<_, StoreError>>()?,
            quantization: self.quantization,
            region: self.region,
            require: self.require.iter().map(ability).collect::<Result<_, StoreError>>()?,
            lenient: self.lenient,
        })
    }
}
