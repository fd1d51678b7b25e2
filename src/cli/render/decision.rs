//! A [`Decision`] for programs: everything that was compared, in a fixed order, money as exact literals.

use serde_json::{Map, Value};

use super::back;
use super::inputs;
use super::json::literal;
use super::reason::{decimal, reason};
use crate::observe::Learning;
use crate::routing::{
    Basis, Constraints, Credential, Decision, Estimate, Expected, Measure, Policy, Ranked, Rates, Rejected,
    RouteRequest, TieBreak,
};
use crate::units::Usd;

/// The decision for programs; the same decision gives the same bytes.
pub(crate) fn json(decision: &Decision, supposed: bool) -> Map<String, Value> {
    with_rates(decision, supposed, &|_| None)
}

/// The same, with the rates that each price was computed from.
pub(crate) fn with_rates(
    decision: &Decision,
    supposed: bool,
    rates: &dyn Fn(&Ranked) -> Option<Rates>,
) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("at", decision.at.to_string().into());
    put("seed", decision.seed.into());
    put("model", decision.request.model.as_str().into());
    put("chosen", decision.chosen().map_or(Value::Null, |first| first.endpoint.provider.as_str().into()));
    put("supposed_keys", supposed.into());
    put("all_cooling", decision.all_cooling.into());
    put("margin_usd", decision.margin().map_or(Value::Null, usd));
    put("request", request_json(&decision.request));
    put("policy", policy_json(&decision.policy));
    put(
        "candidates",
        decision.ranked.iter().map(|entry| candidate_json(entry, decision, rates(entry))).collect::<Vec<_>>().into(),
    );
    put("chain", chain_json(decision));
    put("rejected", decision.rejected.iter().map(rejected_json).collect::<Vec<_>>().into());
    object
}

/// Who is tried in turn, and how long each may take to its first token while another is open.
fn chain_json(decision: &Decision) -> Value {
    let most = usize::try_from(decision.policy.max_attempts).unwrap_or(usize::MAX);
    let each = decision.ranked.iter().take(most).map(|entry| {
        let limit = figure(entry.first_token_limit.as_secs_f64());
        serde_json::json!({ "provider": entry.endpoint.provider.as_str(), "first_token_limit_s": limit })
    });
    each.collect::<Vec<_>>().into()
}

fn usd(amount: Usd) -> Value {
    literal(&amount.exact())
}

fn figure(value: f64) -> Value {
    literal(&format!("{value:.6}"))
}

fn request_json(request: &RouteRequest) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("input_tokens", request.input.count().into());
    put("input_estimated", request.input_estimated.into());
    put("cached_tokens", request.cached.count().into());
    put("expected_output_tokens", request.expected_output.count().into());
    put("expected_output_basis", request.output_from.name().into());
    let answers = match request.output_from {
        Expected::Measured { answers } => answers.into(),
        Expected::Stated | Expected::Assumed => Value::Null,
    };
    put("expected_output_n", answers);
    put("max_output_tokens", request.max_output.map_or(Value::Null, |tokens| tokens.count().into()));
    put("stream", request.stream.into());
    put("continues", request.continues.into());
    let warm = request.warm.iter().map(|warm| {
        let (provider, tokens) = (warm.endpoint.provider.as_str(), warm.tokens.count());
        serde_json::json!({ "provider": provider, "upstream_model": warm.endpoint.upstream_model, "tokens": tokens })
    });
    put("warm", warm.collect::<Vec<_>>().into());
    let state = request
        .state
        .iter()
        .map(|origin| serde_json::json!({ "provider": origin.provider.as_str(), "protocol": origin.protocol.name() }));
    put("state", state.collect::<Vec<_>>().into());
    put("constraints", constraints_json(&request.constraints));
    object.into()
}

fn constraints_json(constraints: &Constraints) -> Value {
    let ids = |ids: &[crate::catalog::ProviderId]| ids.iter().map(|id| Value::from(id.as_str())).collect::<Vec<_>>();
    let mut object = Map::new();
    object.insert("order".to_owned(), ids(&constraints.order).into());
    object.insert("only".to_owned(), ids(&constraints.only).into());
    object.insert("ignore".to_owned(), ids(&constraints.ignore).into());
    let price = |price: Option<crate::units::UsdPerMtok>| price.map_or(Value::Null, |price| literal(&price.exact()));
    object.insert("max_input_usd_per_mtok".to_owned(), price(constraints.max_price_in));
    object.insert("max_output_usd_per_mtok".to_owned(), price(constraints.max_price_out));
    object.insert("max_cost_usd".to_owned(), constraints.max_cost.map_or(Value::Null, usd));
    object.insert("allow_unpriced".to_owned(), constraints.allow_unpriced.into());
    object.insert("no_gateways".to_owned(), constraints.no_gateways.into());
    for measure in Measure::ALL {
        let wish = constraints.thresholds.iter().find(|threshold| threshold.measure == measure);
        let wish = wish.map_or(Value::Null, |wish| {
            let mode = if wish.firm { "require" } else { "prefer" };
            serde_json::json!({ "limit": literal(&decimal(wish.millionths)), "mode": mode })
        });
        object.insert(measure.name().to_owned(), wish);
    }
    object.insert("quantization".to_owned(), constraints.quantization.clone().into());
    object.insert("region".to_owned(), constraints.region.clone().map_or(Value::Null, Value::from));
    let require = constraints.require.iter().map(|ability| ability.name());
    object.insert("require".to_owned(), require.collect::<Vec<_>>().into());
    object.insert("lenient".to_owned(), constraints.lenient.into());
    object.into()
}

fn policy_json(policy: &Policy) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("preset", policy.preset.map_or(Value::Null, |preset| preset.name().into()));
    put("rule", policy.rule.name().into());
    put("wait_usd_per_s", literal(&policy.wait_value.exact()));
    put("stream_usd_per_s", literal(&policy.stream_value.exact()));
    put("retry_usd", usd(policy.retry_cost));
    put("failure_s", figure(policy.failure_wait.as_secs_f64()));
    put("reject_s", figure(policy.reject_wait.as_secs_f64()));
    put("reject_usd", usd(policy.reject_cost));
    put("prior_ttft_s", figure(policy.learning.prior_ttft_s));
    put("prior_samples", figure(policy.learning.prior_samples));
    put("prior_ttft_doubt", figure(policy.learning.prior_ttft_doubt));
    put("lasting_samples", figure(policy.learning.lasting_samples));
    put("prior_tokens_per_s", figure(policy.prior_speed));
    put("prior_speed_answers", figure(policy.prior_speed_samples));
    put("lasting_speed_answers", figure(policy.lasting_speed_samples));
    put("prior_availability", figure(policy.prior_availability));
    put("prior_attempts", figure(policy.prior_attempts));
    put("lasting_attempts", figure(policy.lasting_attempts));
    put("prior_cache_hit", figure(policy.prior_cache_hit));
    put("prior_cache_attempts", figure(policy.prior_cache_attempts));
    put("continuation", figure(policy.continuation));
    put("cache_lifetime_s", policy.cache_lifetime.as_secs().into());
    put("cache_min_tokens", policy.cache_min.count().into());
    put("prior_output_tokens", policy.prior_output.count().into());
    put("prior_answers", figure(policy.prior_answers));
    put("learning", learning_json(&policy.learning));
    put("near_tie_percent", policy.near_tie_percent.into());
    put("ramp_step_s", policy.ramp_step.as_secs().into());
    put("ramp_free", policy.ramp_free.into());
    put("max_attempts", policy.max_attempts.into());
    put("retries", policy.retries.into());
    put("first_token_factor", figure(policy.first_token_factor));
    put("first_token_per_1k_s", figure(policy.first_token_per_1k.as_secs_f64()));
    put("first_token_min_s", figure(policy.first_token_min.as_secs_f64()));
    put("first_token_max_s", figure(policy.first_token_max.as_secs_f64()));
    object.into()
}

fn learning_json(learning: &Learning) -> Value {
    let mut object = Map::new();
    let times = [
        ("half_life_at_one_an_hour_s", learning.rate_base),
        ("half_life_min_s", learning.half_life_min),
        ("half_life_max_s", learning.half_life_max),
        ("recent_half_life_s", learning.recent),
        ("lasting_min_s", learning.lasting_min),
        ("lasting_max_s", learning.lasting_max),
    ];
    for (name, time) in times {
        object.insert(name.to_owned(), time.as_secs().into());
    }
    object.insert("lasting_factor".to_owned(), figure(learning.lasting_factor));
    object.insert("cap".to_owned(), figure(learning.cap));
    object.insert("failure_share".to_owned(), figure(learning.failure_share));
    object.into()
}

fn estimate_json(estimate: Estimate) -> Value {
    let mut object = Map::new();
    object.insert("value".to_owned(), figure(estimate.value));
    object.insert("basis".to_owned(), estimate.basis.name().into());
    if let Basis::Header { age } = estimate.basis {
        object.insert("age_s".to_owned(), age.as_secs().into());
    }
    if let Basis::Measured { n, age } = estimate.basis {
        object.insert("n".to_owned(), figure(n));
        object.insert("age_s".to_owned(), age.as_secs().into());
    }
    object.into()
}

fn candidate_json(entry: &Ranked, decision: &Decision, rates: Option<Rates>) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("provider", entry.endpoint.provider.as_str().into());
    put("upstream_model", entry.endpoint.upstream_model.as_str().into());
    put("region", entry.region.clone().map_or(Value::Null, Value::from));
    put("kind", entry.kind.name().into());
    put("status", entry.status.name().into());
    put(
        "credential",
        match &entry.credential {
            Credential::Found { source } => source.as_str().into(),
            Credential::NotNeeded => "not_needed".into(),
            Credential::Supposed => "supposed".into(),
            Credential::Missing { .. } => Value::Null,
        },
    );
    put("total_usd", usd(entry.score.total()));
    put("price_known", entry.score.price_known.into());
    let terms = entry.score.terms.iter().map(|term| {
        let mut object = Map::new();
        object.insert("kind".to_owned(), term.kind.name().into());
        object.insert("usd".to_owned(), usd(term.amount));
        object.insert("basis".to_owned(), term.basis.name().into());
        object.insert("inputs".to_owned(), inputs::of(term.kind, entry, decision, rates));
        Value::from(object)
    });
    put("terms", terms.collect::<Vec<_>>().into());
    put("bound_usd", entry.bound.map_or(Value::Null, usd));
    let expectation = &entry.expectation;
    let mut inputs = Map::new();
    inputs.insert("ttft_s".to_owned(), estimate_json(expectation.ttft_s));
    inputs.insert("tokens_per_s".to_owned(), estimate_json(expectation.tokens_per_s));
    inputs.insert("availability".to_owned(), estimate_json(expectation.availability));
    inputs.insert("failure_s".to_owned(), estimate_json(expectation.failure_s));
    inputs.insert("rejection".to_owned(), estimate_json(expectation.rejection));
    inputs.insert("cache_hit".to_owned(), expectation.cache_hit.map_or(Value::Null, estimate_json));
    inputs.insert("next_turn_usd".to_owned(), expectation.next_turn.map_or(Value::Null, usd));
    inputs.insert("output_tokens".to_owned(), expectation.output.count().into());
    put("inputs", inputs.into());
    put("first_token_limit_s", figure(entry.first_token_limit.as_secs_f64()));
    put(
        "tie",
        entry.tie.map_or(Value::Null, |tie| {
            let mut object = Map::new();
            object.insert("among".to_owned(), tie.among.into());
            object.insert("by".to_owned(), tie_word(tie).into());
            object.into()
        }),
    );
    let measures = |measures: &[Measure]| measures.iter().map(|measure| measure.name()).collect::<Vec<_>>();
    put("missed", measures(&entry.missed).into());
    put("unproven", measures(&entry.unproven).into());
    put("trial", entry.half_open.into());
    put("trial_after", entry.paused.map_or(Value::Null, |paused| paused.class.name().into()));
    put("returning", entry.returning.as_ref().map_or(Value::Null, back::json));
    put("cooling_until", entry.cooling.map_or(Value::Null, |cooling| cooling.until.to_string().into()));
    put("cooling_after", entry.cooling.map_or(Value::Null, |cooling| cooling.class.name().into()));
    object.into()
}

fn tie_word(tie: TieBreak) -> &'static str {
    match (tie.by_cache, tie.by_load) {
        (true, _) => "cache",
        (false, true) => "load",
        (false, false) => "seed",
    }
}

fn rejected_json(entry: &Rejected) -> Value {
    let mut object = Map::new();
    object.insert("provider".to_owned(), entry.endpoint.provider.as_str().into());
    object.insert("upstream_model".to_owned(), entry.endpoint.upstream_model.as_str().into());
    let reasons = entry.reasons.iter().map(|rejection| {
        let mut object = Map::new();
        object.insert("code".to_owned(), rejection.code().into());
        object.insert("text".to_owned(), reason(rejection, &entry.endpoint.provider).into());
        Value::from(object)
    });
    object.insert("reasons".to_owned(), reasons.collect::<Vec<_>>().into());
    object.into()
}
