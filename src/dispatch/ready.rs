//! An attempt made ready: what is asked of whom, within which time, and what is known of it beforehand.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::Instant;

use super::{Forecast, Marks, Notice, Observer, Once, Plan, Reach, Wire, softened};
use crate::catalog::EndpointId;
use crate::chat::ChatRequest;
use crate::routing::Decision;
use crate::units::Tokens;
use crate::upstream::exchange::Limits;

/// What all attempts of one request have in common.
pub(super) struct Common<'a> {
    pub(super) plan: &'a Plan<'a>,
    wire: Wire<'a>,
    began: Instant,
    /// Each endpoint's request without the hints that it does not take, and which those are; empty where every hint counts.
    softer: Vec<(&'a EndpointId, Cow<'a, ChatRequest>, Vec<&'static str>)>,
}

impl<'a> Common<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, wire: Wire<'a>, began: Instant) -> Self {
        let soft = |reach: &'a Reach| {
            let (request, hints) = softened(reach, plan.request);
            (&reach.endpoint.id, request, hints)
        };
        let lenient = plan.decision.request.constraints.lenient;
        Self { plan, wire, began, softer: plan.reaches.iter().filter(|_| lenient).map(soft).collect() }
    }

    /// How long the request has been under way.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn reach(&self, id: &EndpointId) -> Option<&'a Reach> {
        self.plan.reaches.iter().find(|reach| reach.endpoint.id == *id)
    }

    /// What is asked of an endpoint.
    pub(super) fn asked(&self, id: &EndpointId) -> &ChatRequest {
        self.softer.iter().find(|(soft, ..)| *soft == id).map_or(self.plan.request, |(_, request, _)| request)
    }

    /// The attempt at an endpoint; which hints it is not given is said.
    pub(super) fn once<'c>(
        &'c self,
        reach: &'c Reach,
        (first_token, patience): (Option<Duration>, Duration),
        forecast: Forecast,
        observer: &mut dyn Observer,
    ) -> Once<'c> {
        let (plan, endpoint) = (self.plan, &reach.endpoint.id);
        let soft = self.softer.iter().find(|(id, ..)| *id == endpoint);
        if let Some((.., hints)) = soft.filter(|(.., hints)| !hints.is_empty()) {
            observer.notice(Notice::Dropped { endpoint: endpoint.clone(), hints: hints.clone() });
        }
        let limits = Limits {
            first_token,
            patience: Some(patience),
            // An answer that is not streamed is silent until it is there.
            idle: plan.idle.filter(|_| plan.request.stream),
            total: plan.total.map(|total| total.saturating_sub(self.elapsed())),
        };
        let warm = Some(plan.decision.request.warm_at(endpoint)).filter(|warm| *warm > Tokens::ZERO);
        Once {
            request: self.asked(endpoint),
            reach,
            wire: self.wire,
            limits,
            hold: plan.hold && !plan.resume,
            group: plan.group,
            source: plan.source,
            marks: Marks { warm, forecast, ..Marks::default() },
        }
    }
}

/// What a decision makes of an attempt at an endpoint.
pub(super) fn forecast(decision: &Decision, endpoint: &EndpointId) -> Forecast {
    let ranked = decision.ranked.iter().find(|ranked| ranked.endpoint == *endpoint);
    Forecast {
        input: Some(decision.request.input),
        expected: ranked.and_then(|ranked| ranked.score.call()),
        bound: ranked.and_then(|ranked| ranked.bound),
    }
}
