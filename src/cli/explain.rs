//! `openmux route explain`: the same decision that `chat` executes, printed before anything is sent.

use serde_json::Value;

use super::args::{Format, RouteExplain, Shape};
use super::chat::budget::Today;
use super::contract::Exit;
use super::error::CliError;
use super::offline::Offline;
use super::render::decision::with_rates;
use super::render::explain::{View, human};
use super::render::hedge;
use super::render::inputs::fees;
use super::render::json::{head, literal};
use super::render::money::dollars;
use super::render::text::labelled;
use super::render::whatif::Otherwise;
use super::settings::Settings;
use super::{Outcome, facts, print, print_page, prompt, sandbox};
use crate::chat::{ChatRequest, Message, Role};
use crate::dispatch::{Dispatcher, Prepared, Suppose, Turn, route_request, shape};
use crate::routing::{Decision, Expected, Policy, Question, RouteRequest};
use crate::units::{Tokens, Usd};

/// Runs the command.
///
/// # Errors
/// There is no such model, no prompt where one was promised, or (with `--strict`) no key.
pub(crate) fn explain(settings: &Settings, args: &RouteExplain) -> Outcome {
    let format = match settings.format {
        None | Some(Format::Table | Format::Wide | Format::Text) => Format::Table,
        Some(Format::Json | Format::Jsonl) => Format::Json,
        Some(other) => return Err(CliError::no_format(other, &["table", "wide", "json"])),
    };
    let args = &RouteExplain { ask: prompt::ask(settings, &args.ask)?, ..args.clone() };
    let offline = Offline::open(settings, args.at.at)?.deciding();
    let (name, words, shaped) = match (&args.ask.model, args.words.as_slice()) {
        (Some(name), words) => (name.clone(), words, words.is_empty() && args.tokens.is_some()),
        (None, [name, words @ ..]) => (name.clone(), words, words.is_empty()),
        (None, []) => (prompt::model_name(settings, None)?, &[][..], args.tokens.is_some()),
    };
    let resolved = facts::model(&offline.catalog, &name)?;
    let constraints = prompt::constraints(settings, &offline.catalog, &resolved, &args.ask.choice)?;
    let named = sandbox::named(&constraints);
    let (request, chat) = if shaped && args.ask.messages.is_none() && args.ask.attach.is_empty() {
        let asked = args.tokens.unwrap_or(DEFAULT_SHAPE);
        // Without a prompt; what else is wished for still decides who can do it.
        let chat = prompt::wishes(&resolved.model, &args.ask, vec![Message::text(Role::User, " ")], true)?;
        let request = RouteRequest {
            max_output: args.ask.max_tokens,
            needs: route_request(&chat, constraints.clone()).needs,
            ..shape(&resolved.model, asked.input, asked.output, asked.cached, constraints)
        };
        (request, chat)
    } else {
        let chat = prompt::request(settings, &resolved.model, words, &args.ask, true)?;
        let mut request = route_request(&chat, constraints);
        if let Some(asked) = args.tokens {
            request.input = asked.input;
            request.input_estimated = false;
            request.guessed = Tokens::ZERO;
            request.expected_output = asked.output;
            request.output_from = Expected::Stated;
            request.cached = asked.cached;
        }
        (request, chat)
    };
    let simulated = sandbox::pretended(settings, &offline.catalog, &resolved, &named);
    let region = args.ask.choice.region.as_ref().map(|region| region.name.as_str());
    let dispatcher = offline.dispatcher(simulated.as_ref(), region);
    let seed = args.ask.choice.seed.unwrap_or_else(|| offline.store.peek_seed().unwrap_or(0));
    let policy = prompt::policy(&args.ask.choice);
    // Without a prompt only a name tells a conversation.
    let told = !shaped || args.ask.messages.is_some() || args.ask.session.is_some();
    let session = args.ask.session.as_deref();
    let turn = Turn { resolved: &resolved, chat: &chat, policy: &policy, session, talks: told, all: args.all };
    let Prepared { reaches, route: request, .. } = dispatcher.prepare(turn, request);
    offline.is_about(reaches.iter().map(|reach| &reach.endpoint));
    let asked_why = args.why.as_deref().map(|name| prompt::provider(&offline.catalog, name)).transpose()?;
    let gathered = dispatcher.gather(&request, Some(&chat), &reaches, &policy, Suppose::where_none(!args.strict));
    let request = gathered.request;
    let (candidates, now) = (gathered.candidates.as_slice(), gathered.now);
    let question = Question { request: &request, candidates, policy: &policy, now, seed };
    let decision = question.decide();
    if let Some(provider) = asked_why.as_ref().filter(|why| !reaches.iter().any(|reach| reach.provider.id == **why)) {
        let message = format!("{provider} does not serve {}", resolved.model);
        return Err(CliError::new(Exit::NotFound, "not_served", message)
            .fix(format!("openmux providers compare {}", resolved.model)));
    }
    let followers = followers(settings, args, &dispatcher, (&request, &chat), (&policy, seed))?;
    let hedge = dispatcher.hedge(&decision, args.ask.hedge);
    let today = Today::of(settings, offline.store.as_ref(), &decision);
    let otherwise = Otherwise::of(&question, &decision, asked_why.as_ref());
    let offline = offline.warned(gathered.warning.clone());
    let no_key = decision.chosen().is_none()
        && decision.rejected.iter().any(|entry| entry.reasons.iter().any(|reason| reason.code() == "no_credential"));
    if args.strict && no_key {
        return Err(super::report::unroutable(&decision, &resolved.model, &reaches));
    }
    if format == Format::Json {
        let mut document = head("route.explain/1", &offline.envelope());
        document.extend(with_rates(&decision, gathered.supposed, &|entry| Some(question.rates(entry))));
        document.extend(otherwise.json(&decision));
        hedge::put(&mut document, &hedge);
        document.extend(today.map(|today| ("budget".to_owned(), today.json())));
        document.insert("fallback".to_owned(), fallback_json(&followers));
        return print(&format!("{}\n", serde_json::Value::Object(document)));
    }
    let view = View {
        width: settings.width.clamp(40, 120),
        style: settings.out,
        all: args.all,
        verbose: settings.verbose > 0,
        supposed: gathered.supposed,
        sending: false,
    };
    let text = human(&decision, view)
        + &fees(&decision, &|entry| question.rates(entry), view.width)
        + &today.map(|today| today.text(view.width)).unwrap_or_default()
        + &hedge::text(&hedge, view.width)
        + &fallback_text(args, &followers, view.width)
        + &otherwise.text(&decision, view.width);
    print_page(settings, &text)?;
    Ok(if decision.chosen().is_some() {
        Exit::Ok
    } else {
        super::report::unroutable(&decision, &resolved.model, &reaches).exit
    })
}

/// The decisions for the models of `--fallback`, in their order.
fn followers(
    settings: &Settings,
    args: &RouteExplain,
    dispatcher: &Dispatcher<'_>,
    (request, chat): (&RouteRequest, &ChatRequest),
    (policy, seed): (&Policy, u64),
) -> Result<Vec<Decision>, CliError> {
    let follow = |name: &String| {
        let resolved = facts::model(dispatcher.catalog, name)?;
        let constraints = prompt::constraints(settings, dispatcher.catalog, &resolved, &args.ask.choice)?;
        let request = RouteRequest { model: resolved.model.clone(), constraints, ..request.clone() };
        let chat = ChatRequest { model: resolved.model.clone(), ..chat.clone() };
        let turn = Turn { resolved: &resolved, chat: &chat, policy, session: None, talks: false, all: false };
        let Prepared { reaches, route: request, .. } = dispatcher.prepare(turn, request);
        Ok(dispatcher.route(&request, Some(&chat), &reaches, policy, seed, Suppose::where_none(!args.strict)).decision)
    };
    args.ask.fallback.iter().map(follow).collect()
}

fn fallback_text(args: &RouteExplain, followers: &[Decision], width: usize) -> String {
    let each = followers.iter().map(|decision| {
        let model = &decision.request.model;
        match decision.chosen() {
            Some(first) => {
                let bound = first
                    .bound
                    .map_or_else(|| "no bound known".to_owned(), |most| format!("at most {}", dollars(most)));
                format!("{model} at {} ({bound})", first.endpoint.provider)
            }
            None => format!("{model}, of which no provider can be used"),
        }
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() {
        return String::new();
    }
    let after = match args.ask.fallback_on.as_slice() {
        [] => "where every provider has failed or none can be used".to_owned(),
        classes => format!("after {}", classes.iter().map(|class| class.name()).collect::<Vec<_>>().join(", ")),
    };
    let text = format!("{after}: {}", each.join(", then "));
    labelled("Fallback", &text, width)
}

/// The decisions for the models to go on to, for programs.
pub(crate) fn fallback_json(followers: &[Decision]) -> Value {
    let each = followers.iter().map(|decision| {
        let first = decision.chosen();
        let usd = |amount: Option<Usd>| amount.map_or(Value::Null, |amount| literal(&amount.exact()));
        let mut object = serde_json::Map::new();
        object.insert("model".to_owned(), decision.request.model.as_str().into());
        let provider = first.map_or(Value::Null, |first| first.endpoint.provider.as_str().into());
        object.insert("provider".to_owned(), provider);
        object.insert("total_usd".to_owned(), usd(first.map(|first| first.score.total())));
        object.insert("bound_usd".to_owned(), usd(first.and_then(|first| first.bound)));
        Value::from(object)
    });
    each.collect::<Vec<_>>().into()
}

/// The call that is weighed where none was described.
const DEFAULT_SHAPE: Shape = Shape { input: Tokens::new(1000), output: Tokens::new(400), cached: Tokens::ZERO };
