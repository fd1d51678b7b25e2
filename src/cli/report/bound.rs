//! What the most that a chat can cost is made of.

use crate::cli::render::money::per_mtok;
use crate::cli::render::text::grouped;
use crate::dispatch::Reach;
use crate::routing::Decision;
use crate::units::Tokens;

/// What the bound of a decision is made of: tokens, and the rates of an endpoint where they give just that.
pub(crate) fn bound_text(decision: &Decision, reach: Option<&Reach>) -> String {
    let request = &decision.request;
    let rates = reach.and_then(|reach| {
        let (input, pricing) = (request.input_bound, reach.endpoint.pricing.as_ref()?);
        let output = request.max_output.or(reach.endpoint.max_output).filter(|_| input < Tokens::MAX)?;
        let kinds = request.bound_kinds();
        let (input_rate, output_rate) = pricing.worst_rates(input, output, kinds)?;
        let is_all = input_rate * input + output_rate * output == pricing.worst_case(input, output, kinds)?;
        let (input_rate, output_rate) = (per_mtok(input_rate), per_mtok(output_rate));
        let (input, output) = (grouped(input.count()), grouped(output.count()));
        let said = format!("{input} in x ${input_rate}/M + {output} out x ${output_rate}/M at {}", reach.provider.id);
        is_all.then_some(said)
    });
    if let Some(rates) = rates {
        return rates;
    }
    let output = request
        .max_output
        .map_or_else(|| "the model's longest answer".to_owned(), |most| format!("{} out", grouped(most.count())));
    if request.input_bound == Tokens::MAX {
        return format!("the whole window in, since what is in a PDF cannot be counted, + {output}");
    }
    format!("at most {} tokens in + {output}", grouped(request.input_bound.count()))
}
