//! Who is ranked, who is rejected, and for which reasons.

use std::collections::BTreeMap;

use openmux::catalog::price::Item;
use openmux::catalog::{Capability, EndpointId, Modality, Pricing, ProviderKind, Status, Usage};
use openmux::routing::{Credential, Rejection};
use openmux::units::{Tokens, Usd};

use super::world::{Decider, Spec, World, now};
use super::{Verdict, catches, ensure, holds, misasked, misread, spoiled};

/// Every candidate is ranked or rejected, exactly once; a rejection has a reason.
fn once(decider: Decider<'_>, world: &World) -> Verdict {
    let decision = world.decide(decider);
    let ranked = decision.ranked.iter().map(|entry| &entry.endpoint);
    let mut seen: Vec<&EndpointId> = ranked.chain(decision.rejected.iter().map(|entry| &entry.endpoint)).collect();
    let mut all: Vec<&EndpointId> = world.specs.iter().map(Spec::id).collect();
    seen.sort();
    all.sort();
    ensure(seen == all, || format!("{all:?} became {seen:?}"))?;
    let mute = decision.rejected.iter().find(|entry| entry.reasons.is_empty());
    ensure(mute.is_none(), || format!("{mute:?} has no reason"))
}

/// Whether a text request of at most the bound can cost more than `limit`, by billing the extremes; what cannot be
/// billed can.
fn can_exceed(sheet: &Pricing, input: Tokens, output: Tokens, limit: Usd) -> bool {
    let plain = Usage { input: Some(input), output: Some(output), ..Usage::default() };
    let written = Usage { cache_write: Some(input), ..plain.clone() };
    let reasoned = Usage { reasoning: Some(output), ..plain.clone() };
    let both = Usage { cache_write: Some(input), reasoning: Some(output), ..plain.clone() };
    [plain, written, reasoned, both]
        .iter()
        .any(|usage| sheet.cost(usage, now()).map_or(true, |cost| cost.total > limit))
}

/// What speaks against an endpoint whatever the others are, worked out anew.
fn forbidden(world: &World, spec: &Spec) -> Option<&'static str> {
    let (request, endpoint) = (&world.request, &spec.endpoint);
    let constraints = &request.constraints;
    let asked = request.max_output.map_or(1, Tokens::count);
    let known = request.input.count() - request.guessed.count();
    let over = |size: u64, limit: Option<Tokens>| limit.is_some_and(|limit| size > limit.count());
    let sheet = endpoint.pricing.as_ref();
    let price = |item| match sheet.and_then(|sheet| sheet.rates.get(&item)) {
        None if spec.kind == ProviderKind::Local => Some("0".parse().unwrap()),
        rate => rate.map(|rate| rate.base),
    };
    let dear = |item, limit: Option<_>| limit.is_some_and(|limit| price(item).is_none_or(|price| price > limit));
    let unbounded =
        constraints.max_cost.is_some_and(|limit| match (sheet, request.max_output.or(endpoint.max_output)) {
            (_, None) => true,
            (None, _) => spec.kind != ProviderKind::Local,
            (Some(sheet), Some(output)) => can_exceed(sheet, request.input_bound, output, limit),
        });
    let rules = [
        ("no key", matches!(spec.credential, Credential::Missing { .. })),
        ("its protocol is not built", spec.unsupported.is_some()),
        ("no address", spec.no_base_url),
        ("a missing setting", !spec.missing_settings.is_empty()),
        ("not simulated", spec.outside_sandbox),
        ("retired", endpoint.status == Status::Retired),
        ("the window", over(known + asked, endpoint.context)),
        ("the longest input", over(known, endpoint.max_input)),
        ("the longest answer", request.max_output.is_some() && over(asked, endpoint.max_output)),
        ("temperature", request.needs.temperature && !constraints.lenient && endpoint.can(Capability::NoTemperature)),
        ("tools", request.needs.tools && endpoint.can(Capability::NoTools)),
        ("no text", !endpoint.output.is_empty() && !endpoint.output.contains(&Modality::Text)),
        ("not allowed", !constraints.only.is_empty() && !constraints.only.contains(&spec.id().provider)),
        ("ignored", constraints.ignore.contains(&spec.id().provider)),
        ("a gateway", constraints.no_gateways && spec.kind == ProviderKind::Gateway),
        ("its quantisation", {
            let own = endpoint.quant.clone().unwrap_or_else(|| "unknown".to_owned());
            !constraints.quantization.is_empty() && !constraints.quantization.contains(&own)
        }),
        (
            "its region",
            constraints.region.is_some()
                && !["eu", "eu-west-1"].contains(&endpoint.region.as_deref().unwrap_or_default()),
        ),
        ("an ability", !constraints.require.is_empty() && !endpoint.can(Capability::Tools)),
        ("a threshold", super::wishes::misses_firmly(world, spec)),
        ("the input price", dear(Item::Input, constraints.max_price_in)),
        ("the output price", dear(Item::Output, constraints.max_price_out)),
        ("the worst case", unbounded),
    ];
    rules.into_iter().find(|(_, broken)| *broken).map(|(name, _)| name)
}

/// Nothing ranked breaks a constraint, nothing unpriced is taken as free, and nothing cooling goes before the rest.
fn constraints(decider: Decider<'_>, world: &World) -> Verdict {
    let decision = world.decide(decider);
    let asked = &world.request.constraints;
    let priced = |spec: &Spec| spec.candidate().is_priced();
    let usable: Vec<&Spec> = world.specs.iter().filter(|spec| forbidden(world, spec).is_none()).collect();
    let any_priced = usable.iter().any(|spec| priced(spec));
    let may_be_unpriced = |spec: &Spec| {
        let pinned = asked.only == [spec.id().provider.clone()];
        pinned || asked.allow_unpriced || (!any_priced && spec.kind != ProviderKind::Plan)
    };
    let open: Vec<&Spec> = usable.into_iter().filter(|spec| priced(spec) || may_be_unpriced(spec)).collect();
    let cooling = |spec: &Spec| spec.stats.cooling.is_some_and(|cooling| cooling.until > now());
    let all_cooling = open.iter().all(|spec| cooling(spec));
    for entry in &decision.ranked {
        let spec = world.spec(&entry.endpoint);
        if let Some(rule) = forbidden(world, spec) {
            return Err(format!("{} is ranked against {rule}", entry.endpoint));
        }
        ensure(priced(spec) || may_be_unpriced(spec), || format!("{} has no price", entry.endpoint))?;
        ensure(all_cooling || !cooling(spec), || format!("{} is cooling", entry.endpoint))?;
        ensure(priced(spec) == entry.score.price_known, || format!("{}: an unknown price is scored", entry.endpoint))?;
    }
    let ranked = decision.ranked.len();
    let expected = open.iter().filter(|spec| all_cooling || !cooling(spec)).count();
    ensure(ranked == expected, || format!("{ranked} of {expected} usable endpoints are ranked"))
}

/// The candidate without the cause of one reason; `None` where the cause is not the candidate's alone.
fn cured(world: &World, at: usize, reason: &Rejection) -> Option<World> {
    let mut world = world.clone();
    let spec = &mut world.specs[at];
    match reason {
        Rejection::NoCredential { .. } => spec.credential = Credential::NotNeeded,
        Rejection::ProtocolUnsupported { .. } => spec.unsupported = None,
        Rejection::MissingSetting { .. } => spec.missing_settings.clear(),
        Rejection::NoBaseUrl => spec.no_base_url = false,
        Rejection::NotSimulated => spec.outside_sandbox = false,
        Rejection::Retired { .. } => spec.endpoint.status = Status::Active,
        Rejection::ContextTooSmall { .. } => spec.endpoint.context = None,
        Rejection::InputTooLong { .. } => spec.endpoint.max_input = None,
        Rejection::OutputTooSmall { .. } => spec.endpoint.max_output = None,
        Rejection::Unsupported { parameter: "text output" } => spec.endpoint.output.clear(),
        Rejection::Unsupported { parameter } => {
            let cannot = if *parameter == "tools" { Capability::NoTools } else { Capability::NoTemperature };
            spec.endpoint.capabilities.remove(&cannot);
        }
        Rejection::Quantization { .. } => spec.endpoint.quant = Some("fp8".to_owned()),
        Rejection::Region { .. } => spec.endpoint.region = Some("eu".to_owned()),
        Rejection::NotStated { .. } => drop(spec.endpoint.capabilities.insert(Capability::Tools)),
        Rejection::Gateway => spec.kind = ProviderKind::Host,
        Rejection::CoolingDown { .. } => spec.stats.cooling = None,
        _ => return None,
    }
    Some(world)
}

/// Curing one reason leaves the others as they were.
fn every_reason(decider: Decider<'_>, world: &World) -> Verdict {
    for entry in world.decide(decider).rejected {
        let Some(at) = world.specs.iter().position(|spec| *spec.id() == entry.endpoint) else { continue };
        for reason in &entry.reasons {
            let Some(world) = cured(world, at, reason) else { continue };
            let after = world.decide(decider);
            let left = after.rejected.iter().find(|other| other.endpoint == entry.endpoint);
            let left: Vec<Rejection> = left.map(|other| other.reasons.clone()).unwrap_or_default();
            let others: Vec<Rejection> = entry.reasons.iter().filter(|&other| other != reason).cloned().collect();
            // Where every usable endpoint is cooling, cool-downs are set aside.
            let set_aside = after.all_cooling && matches!(others.as_slice(), [Rejection::CoolingDown { .. }]);
            ensure(left == others || (set_aside && left.is_empty()), || {
                format!("{}: without {reason:?}, {others:?} became {left:?}", entry.endpoint)
            })?;
        }
    }
    Ok(())
}

/// A figure in a reason is the candidate's own and lies on the wrong side of its limit, which is why it is a reason.
fn sides(decider: Decider<'_>, world: &World) -> Verdict {
    for entry in world.decide(decider).rejected {
        let spec = world.spec(&entry.endpoint);
        for reason in &entry.reasons {
            let right = match reason {
                Rejection::ContextTooSmall { needed, limit } => needed > limit && spec.endpoint.context == Some(*limit),
                Rejection::InputTooLong { needed, limit } => needed > limit && *needed == world.request.known_input(),
                Rejection::OutputTooSmall { needed, limit } => {
                    needed > limit && world.request.max_output == Some(*needed)
                }
                Rejection::AboveMaxPrice { item, price, limit } => {
                    let asked = &world.request.constraints;
                    let asked = if *item == Item::Input { asked.max_price_in } else { asked.max_price_out };
                    price > limit && spec.candidate().price(*item) == Some(*price) && asked == Some(*limit)
                }
                Rejection::AboveMaxCost { bound, limit } => {
                    bound > limit && world.request.constraints.max_cost == Some(*limit)
                }
                Rejection::Beyond { measure, expected, limit } => {
                    let asked = world.request.constraints.thresholds.iter().find(|asked| asked.measure == *measure);
                    let beyond =
                        if *measure == openmux::routing::Measure::Ttft { expected > limit } else { expected < limit };
                    beyond && asked.is_some_and(|asked| asked.firm && asked.millionths == *limit)
                }
                Rejection::CoolingDown { until, class } => {
                    let cooling = spec.stats.cooling.map(|cooling| (cooling.until, cooling.class));
                    *until > now() && cooling == Some((*until, *class))
                }
                _ => true,
            };
            ensure(right, || format!("{}: {reason:?} is no reason", entry.endpoint))?;
        }
    }
    Ok(())
}

#[test]
fn every_candidate_is_ranked_or_rejected_once_and_a_rejection_has_a_reason() {
    holds(once);
    catches(once, &spoiled(|decision| drop(decision.ranked.pop())));
    catches(once, &spoiled(|decision| drop(decision.rejected.pop())));
    catches(once, &spoiled(|decision| decision.ranked.extend(decision.ranked.last().cloned())));
    catches(once, &spoiled(|decision| decision.rejected.iter_mut().for_each(|entry| entry.reasons.clear())));
}

#[test]
fn nothing_ranked_breaks_a_constraint() {
    holds(constraints);
    catches(constraints, &misread(|candidate| candidate.stats.cooling = None));
    catches(constraints, &misread(|candidate| candidate.missing_settings.clear()));
    catches(constraints, &misread(|candidate| candidate.credential = Credential::NotNeeded));
    catches(
        constraints,
        &misread(|candidate| {
            if candidate.endpoint.pricing.is_none() {
                candidate.kind = ProviderKind::Local;
            }
        }),
    );
    catches(constraints, &misasked(|request| request.constraints.only.clear()));
    catches(constraints, &misasked(|request| request.constraints.ignore.clear()));
    catches(constraints, &misasked(|request| request.constraints.max_price_out = None));
    catches(constraints, &misasked(|request| request.constraints.max_cost = None));
    catches(constraints, &misasked(|request| request.constraints.no_gateways = false));
    catches(constraints, &misasked(|request| request.constraints.allow_unpriced = true));
    catches(constraints, &misasked(|request| request.constraints.quantization.clear()));
    catches(constraints, &misasked(|request| request.constraints.region = None));
    catches(constraints, &misasked(|request| request.constraints.require.clear()));
    catches(constraints, &misasked(|request| request.constraints.lenient = true));
    catches(constraints, &misasked(|request| request.constraints.thresholds.clear()));
    catches(
        constraints,
        &misasked(|request| request.constraints.thresholds.iter_mut().for_each(|wish| wish.firm = false)),
    );
    catches(constraints, &misasked(|request| request.needs.tools = false));
    catches(constraints, &misasked(|request| request.input_bound = request.input));
}

#[test]
fn curing_one_reason_leaves_the_others_as_they_were() {
    holds(every_reason);
    catches(
        every_reason,
        &spoiled(|decision| {
            decision.rejected.iter_mut().for_each(|entry| entry.reasons.truncate(1));
        }),
    );
    catches(
        every_reason,
        &spoiled(|decision| {
            // A cool-down that hides behind the hard reasons.
            for entry in decision.rejected.iter_mut().filter(|entry| entry.reasons.len() > 1) {
                entry.reasons.retain(|reason| !matches!(reason, Rejection::CoolingDown { .. }));
            }
        }),
    );
}

#[test]
fn a_figure_in_a_reason_lies_beyond_its_limit() {
    holds(sides);
    let turned = |turn: fn(&mut Rejection)| {
        spoiled(move |decision| decision.rejected.iter_mut().flat_map(|entry| &mut entry.reasons).for_each(turn))
    };
    catches(
        sides,
        &turned(|reason| {
            if let Rejection::ContextTooSmall { needed, limit } | Rejection::InputTooLong { needed, limit } = reason {
                std::mem::swap(needed, limit);
            }
        }),
    );
    catches(
        sides,
        &turned(|reason| {
            if let Rejection::AboveMaxPrice { price, limit, .. } = reason {
                std::mem::swap(price, limit);
            }
        }),
    );
    catches(
        sides,
        &turned(|reason| {
            if let Rejection::AboveMaxCost { bound, limit } = reason {
                std::mem::swap(bound, limit);
            }
        }),
    );
    catches(
        sides,
        &turned(|reason| {
            if let Rejection::Beyond { expected, limit, .. } = reason {
                std::mem::swap(expected, limit);
            }
        }),
    );
    catches(
        sides,
        &turned(|reason| {
            if let Rejection::CoolingDown { until, .. } = reason {
                *until = now();
            }
        }),
    );
}

/// The generator reaches every reason, so that the laws above are about something.
#[test]
fn the_worlds_know_every_reason() {
    let counts = std::cell::RefCell::new(BTreeMap::<&str, u32>::new());
    holds(|decider, world| {
        let decision = world.decide(decider);
        for reason in decision.rejected.iter().flat_map(|entry| &entry.reasons) {
            *counts.borrow_mut().entry(reason.code()).or_default() += 1;
        }
        let facts = [
            ("all cooling", decision.all_cooling),
            ("a near-tie", decision.ranked.first().is_some_and(|first| first.tie.is_some())),
        ];
        for (name, _) in facts.into_iter().filter(|(_, there)| *there) {
            *counts.borrow_mut().entry(name).or_default() += 1;
        }
        Ok(())
    });
    let counts = counts.into_inner();
    assert_eq!(counts.len(), 25 + 2, "{counts:?}");
    assert!(counts.values().all(|count| *count >= 20), "{counts:?}");
}
