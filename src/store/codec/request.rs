//! The request as text: lengths, needs and limits.

use serde::{Deserialize, Serialize};

use super::{StoreError, is_plain, parsed_if};
use crate::catalog::{EndpointId, ModelId, ProviderId};
use crate::routing::{Constraints, Needs, RouteRequest, Warm};
use crate::units::Tokens;

#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct Request {
    model: String,
    input: u64,
    #[serde(skip_serializing_if = "is_plain")]
    estimated: bool,
    bound: u64,
    #[serde(skip_serializing_if = "is_plain")]
    cached: u64,
    expected: u64,
    #[serde(skip_serializing_if = "is_plain")]
    max_output: Option<u64>,
    stream: bool,
    #[serde(skip_serializing_if = "is_plain")]
    needs: Needed,
    #[serde(skip_serializing_if = "is_plain")]
    warm: Vec<(String, String, u64)>,
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
}

impl Request {
    pub(super) fn of(request: &RouteRequest) -> Self {
        let RouteRequest {
            model,
            input,
            input_estimated,
            input_bound,
            cached,
            expected_output,
            max_output,
            stream,
            needs,
            warm,
            continues,
            constraints,
        } = request;
        let Needs { temperature, tools, images, pdfs } = *needs;
        let place = |Warm { endpoint, tokens }: &Warm| {
            (endpoint.provider.to_string(), endpoint.upstream_model.clone(), tokens.count())
        };
        Self {
            model: model.to_string(),
            input: input.count(),
            estimated: *input_estimated,
            bound: input_bound.count(),
            cached: cached.count(),
            expected: expected_output.count(),
            max_output: max_output.map(Tokens::count),
            stream: *stream,
            needs: Needed { temperature, tools, images, pdfs },
            warm: warm.iter().map(place).collect(),
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
        Ok(RouteRequest {
            model: ModelId::new(self.model),
            input: Tokens::new(self.input),
            input_estimated: self.estimated,
            input_bound: Tokens::new(self.bound),
            cached: Tokens::new(self.cached),
            expected_output: Tokens::new(self.expected),
            max_output: self.max_output.map(Tokens::new),
            stream: self.stream,
            needs: Needs { temperature, tools, images, pdfs },
            warm: self.warm.into_iter().map(place).collect(),
            continues: self.continues,
            constraints: self.constraints.value()?,
        })
    }
}

impl Limits {
    fn of(constraints: &Constraints) -> Self {
        let Constraints { order, only, ignore, max_price_in, max_price_out, max_cost, allow_unpriced, no_gateways } =
            constraints;
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
        }
    }

    fn value(self) -> Result<Constraints, StoreError> {
        let ids = |names: Vec<String>| names.into_iter().map(ProviderId::new).collect();
        Ok(Constraints {
            order: ids(self.order),
            only: ids(self.only),
            ignore: ids(self.ignore),
            max_price_in: parsed_if("price", self.max_price_in.as_ref())?,
            max_price_out: parsed_if("price", self.max_price_out.as_ref())?,
            max_cost: parsed_if("amount", self.max_cost.as_ref())?,
            allow_unpriced: self.allow_unpriced,
            no_gateways: self.no_gateways,
        })
    }
}
