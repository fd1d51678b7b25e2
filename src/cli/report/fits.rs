//! Which other models would take a prompt that is too long for the one that was asked.

use crate::catalog::{Catalog, ModelId, ModelKind, Status};
use crate::cli::error::CliError;
use crate::cli::render::money::dollars;
use crate::routing::{Decision, Rejection};
use crate::units::{Tokens, Usd};

/// The error with the cheapest models that would take the prompt, where that it is too long is what is wrong: the author's
/// own, and anybody's, each as its author sells it, with what reading the prompt costs.
pub(crate) fn told(error: CliError, decision: &Decision, catalog: &Catalog, model: &ModelId) -> CliError {
    let needed = decision.rejected.iter().flat_map(|entry| &entry.reasons).filter_map(|reason| match reason {
        Rejection::ContextTooSmall { needed, .. } | Rejection::InputTooLong { needed, .. } => Some(*needed),
        _ => None,
    });
    let Some(needed) = needed.max().filter(|_| error.code == "rejected.too_large") else { return error };
    let input = decision.request.input;
    let mut fitting: Vec<(Usd, &str)> = catalog
        .models()
        .filter(|line| line.is(ModelKind::Chat) && !line.floating())
        .filter_map(|line| {
            let own = Catalog::own_provider(line.author())?;
            let offer = line.endpoints().find(|offer| {
                let window = offer.context().or(line.context()).unwrap_or(Tokens::ZERO);
                offer.provider() == own
                    && offer.is_plain()
                    && offer.status_at(decision.at) == Status::Active
                    && window >= needed
                    && offer.max_input().is_none_or(|most| most >= needed)
            })?;
            let cost = offer.endpoint().pricing?.of_text(input, Tokens::ZERO, Tokens::ZERO, decision.at)?;
            Some((cost, line.id())).filter(|(cost, _)| *cost > Usd::ZERO)
        })
        .collect();
    fitting.sort_unstable();
    let is_own = |(_, id): &&(Usd, &str)| id.split('/').next() == Some(model.author());
    let own = fitting.iter().find(is_own);
    let any = fitting.iter().find(|found| own != Some(found));
    let names: Vec<String> =
        own.into_iter().chain(any).map(|(cost, id)| format!("{id} ({})", dollars(*cost))).collect();
    if names.is_empty() { error } else { error.fact("would fit", names.join(", ")) }
}
