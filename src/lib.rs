//! openmux names the model, picks the provider, says why in dollars, and moves on when a provider fails.
//!
//! This page is the architecture: what flows where, what must stay true, and in which file a line belongs.
//!
//! # Words
//!
//! A **model** (`author/slug`) is apart from who serves it. A **provider** serves models. An **endpoint** is one model at
//! one provider (and region, tier or variant): it has a price and limits and is what is routed to; a URL is a *base URL*,
//! never an "endpoint". A **protocol** is a wire dialect. A **candidate** is an endpoint being weighed; *filter* and
//! *score* are the two stages, a **rejection** is why not, a **decision** the outcome. **Failover** moves to another
//! provider of the same model, and is automatic; *fallback* moves to another model, along a chain that somebody listed.
//!
//! # Data flow
//!
//! ```text
//! chat           Args ── cli::settings ──> Settings
//!                Settings + stdin ───────> ChatRequest                          cli::prompt
//!                ChatRequest ────────────> RouteRequest (lengths, needs, limits) dispatch::route_request (pure)
//!                Catalog.endpoints_for(model), keys, addresses ──> [Reach]       dispatch::reach
//!                ObservationStore.stats(keys, now) ──> EndpointStats             store     <- the only read
//!                ──────────────────> [Candidate]                                 dispatch
//!  route explain ══ decide(RouteRequest, [Candidate], Policy, now, seed) -> Decision ══  routing (PURE)
//!    stops here, │
//!    prints it   ├─ Failover::new(Decision): Step::Try ─> exchange ─> events │ class ─┐  dispatch::chat
//!                │      ^──────────────────────────────────────────────────────────────┘
//!                ├─ every attempt ──> Observation ──> ObservationStore.record            <- what is learned from
//!                ├─ after the end ──> Input (the arguments of `decide`) ──> ObservationStore.keep_decision
//!                └─ [ChatEvent] ──> cli::chat prints, cli::render renders │ serve: gateway::reply writes
//! ```
//!
//! `serve` is `chat` with [`gateway::codec`] at both ends: a request becomes a `ChatRequest`, events become the dialect
//! again, and nothing in between is decided there. One thread takes connections in, the others answer: each has a runtime
//! and a pool of connections of its own, and shares catalog, keys and store ([`dispatch::Owned`]). What is seen counts for
//! the next decision at once, and is on the disk within 100 ms ([`store::Behind`]). Gateways on several machines tell each
//! other through [`mod@store::redis`], which no request waits for.
//!
//! `providers compare` is `decide` for a stated shape with every key supposed. The sandbox is real HTTP to simulated
//! providers on loopback; nothing on the way knows that they are.
//!
//! # Where does a line belong?
//!
//! | it is about | file |
//! |---|---|
//! | money, tokens, what multiplies into what | [`units`] |
//! | what was made lately, so that it is not made again | `recent.rs` |
//! | what a model, provider or endpoint *is* | [`catalog`] |
//! | what a price sheet is, what a usage costs; what a call is expected to cost, and at most | [`catalog::price`]; `price/forecast.rs` |
//! | which cloud regions lie in which geography | [`catalog::geo`] |
//! | the embedded tables, and looking things up in them | `catalog/builtin/{mod,lines}.rs`, made by `generate.rs` from `input/` |
//! | the file of an update, with the same tables; writing tables | `catalog/builtin/{stored,encode}.rs` |
//! | of which day facts are; how old a catalog is | `catalog/builtin/dated.rs` |
//! | a fetched list: its entries, which model an id means, what is not believed, laying it over, when it is refused | [`catalog::fresh`]: `fresh/{entry,names,doubt,merge,rules}.rs` |
//! | a signed catalog: its file, its keys; what of it is taken over | [`catalog::release`]; `fresh/signed.rs` |
//! | what differs between two catalogs | [`catalog::diff`] |
//! | the user's TOML overlays | [`catalog::file`] |
//! | what a typed model name means | [`catalog::resolve`] |
//! | what is asked of a model and what it says, in no protocol | [`chat`] |
//! | what a failure permits next | `observe/class.rs`: one table |
//! | whose fault it is that no response came; asking others, and when | `observe/fault.rs` (pure); `dispatch/{control,doubt}.rs` |
//! | one attempt as seen; the decayed fold of many; what is shown of them | `observe/{mod,stats,measured}.rs` |
//! | what an attempt's times say, and why they may say nothing | `observe/{rates,flags}.rs` |
//! | how estimates learn and forget; when an endpoint is left alone; what is left of rate limits | `observe/{learning,breaker,headroom}.rs` |
//! | what a clock that ran ahead has left behind | `observe/clock.rs` |
//! | which attempts may be compared; what is left of old ones; what was spent | `observe/{stratum,hourly,ledger}.rs` |
//! | which price sheet a cost was computed with | `catalog/price/version.rs` |
//! | the budget of a day; what may take long at the store, which no other request waits for | `dispatch/budget.rs`, `store/sqlite/ledger.rs`; `dispatch/clerk.rs` |
//! | why an endpoint may not be used | `routing/filter.rs` |
//! | a term of the score | `routing/score.rs` |
//! | a constant of the decision | `routing/policy.rs` |
//! | near-ties; the rules of hosted systems | `routing/balance.rs`; `routing/rule.rs` |
//! | for what share of requests an endpoint comes back after a pause | `routing/ramp.rs` |
//! | limits on estimates, abilities that are required | `routing/wishes.rs` |
//! | what would change a decision | `routing/whatif.rs` |
//! | what is tried next, when, how often; what all requests of a gateway share of that | `routing/failover.rs`; `routing/retries.rs` |
//! | when a second provider is asked beside a slow one, at what cost; asking both | `routing/hedge.rs`; `dispatch/hedge.rs` |
//! | what a decision is made of, to make it again | `routing/input.rs`; as text in `store/codec.rs` |
//! | what another policy would have come to | `routing/counterfactual.rs` |
//! | which functions lie side by side in the binary | `link/order.txt`, made by `link/order.sh`; `build.rs` |
//! | tables on disk, and what each version adds | `store/{schema,sqlite}.rs` |
//! | what a process that serves keeps in memory, and writes when | `store/behind.rs` |
//! | what gateways on several machines tell each other, and what becomes of it when Redis is away | `store/redis/`; their figures as one: `observe/together.rs` |
//! | a wire dialect | `upstream/{openai,responses,anthropic,gemini,bedrock}.rs`: encode, decode |
//! | what a provider's error means | `upstream/classify/`: tables |
//! | what is changed in a request that was refused for a parameter's name | `upstream/adapt.rs` |
//! | bytes to frames | `upstream/wire/` |
//! | one attempt: sending, stamps, limits | `upstream/exchange.rs` |
//! | the HTTP client; how a connection fails | `upstream/transport.rs`; `transport/fault.rs` |
//! | keys and addresses; obtaining a credential and signing | `upstream/auth/` |
//! | a table of `config.toml`; which file goes before which | `cli/config.rs`; `cli/config/{defaults,aliases,profile,keys}.rs` |
//! | what a project's file may not say by itself; whom the user trusts | `cli/config/{tame,trust}.rs` |
//! | where a value is from | `cli/config/{origin,shown}.rs` |
//! | signs of a cloud's credentials | `cli/clouds.rs` |
//! | what is asked to check a provider without spending, and what its answer means | `upstream/check.rs` |
//! | which endpoints are weighed, making an attempt ready, executing a decision, asking whether providers answer | `dispatch/{reach,ready,chat,check}.rs` |
//! | what every decision about a chat begins with; going on to another model | `dispatch/{turn,fallback}.rs` |
//! | going on with an answer that broke off: who can, the seam | `dispatch/resume.rs`; [`catalog::Prefill`] |
//! | what such a process owns, and what each of its threads does | `dispatch/owned.rs` |
//! | what a client's dialect means, and how answers and errors are put in it | `gateway/codec/`, a folder each |
//! | how much of a chat is to be kept in prompt caches | `dispatch/marked.rs` |
//! | JSON that somebody else wrote; JSON of ours that is written as it is told | `gateway/codec/{json,members}.rs` |
//! | where a client marks the prompt cache; what signs a tool call, in the call's id | `gateway/codec/{cache,signed}.rs` |
//! | what other gateways' options mean; what holds for one request of a gateway | `gateway/codec/options/`; `gateway/wishes.rs` |
//! | who may call the gateway, pages in a browser too; how much, how slowly, how many at once | `gateway/{guard,cross,intake,outlet,count,server}.rs` |
//! | a client with a name: what it may ask, how much a minute, for how much money | `gateway/{client,limit}.rs`; its file in `cli/tokens.rs` |
//! | a path of the gateway; what it does | `gateway/routes.rs`; a file each, but one for the chats of all dialects |
//! | a chat that a client waits for, reads slowly, or leaves; which model is asked next | `gateway/{run,reply}.rs`; `gateway/decided.rs` |
//! | what a failure is over HTTP: status, words, fix | `gateway/problem.rs` |
//! | what is noted of each request; who is asked how often at the moment | `gateway/served.rs`; `gateway/flights.rs` |
//! | what a gateway goes by, read again while it serves; where its log goes | `cli/serve/renew.rs`, [`gateway::Renewal`]; `cli/serve/log.rs` |
//! | simulated providers | [`sandbox`] |
//! | whether the decision is any good: simulated hosts and traffic, other people's rules | `tests/benches/simulate/` |
//! | what serving adds to a call, beside a direct call and a plain proxy | `tests/benches/serve/` |
//! | a flag; what it means; a command | `cli/args.rs`; `cli/settings.rs`; one file a command |
//! | options that are made where their command is on the line | `cli/args/later.rs` |
//! | a list that is printed while its rows are found | `cli/render/rows.rs`; `cli/offline.rs` |
//! | an assertion of `check`: what it says, who answers it, what mends it; the lock of facts | `cli/assert/{claim,judge,measured,court,mend}.rs`; `cli/assert/{lock,changes}.rs` |
//! | which catalog commands use; fetching and keeping another | `cli/settings/catalog.rs`; `cli/catalog/{fetch,files,update}.rs` |
//! | whom a user believes; whether a release is news; making one | `cli/config/published.rs`; `cli/catalog/{release,publish}.rs` |
//! | how something looks | `cli/render/` |
//! | words of advice that differ between systems | `cli/platform.rs` |
//! | what fits at the cursor; how a shell asks for it | `cli/complete/`; `completions/` |
//! | an exit code or a variable that scripts rely on | `cli/contract.rs` |
//! | a member of the JSON that we print: its type, its unit | `cli/contract.txt`; read by `cli/contract/schemas.rs`, as JSON Schema in `cli/schemas/` |
//!
//! To add **an OpenAI-compatible provider**: an overlay, or an entry in the catalog's input; no code. **A protocol**: a
//! file in `upstream/`, a line in `upstream::adapter` and `upstream::BUILT`, a folder in `tests/fixtures/`; the
//! conformance suite covers it at once. **A factor of the decision**: a term in `routing/score.rs`, its column in
//! `cli/render/explain.rs`, its line in `openmux help routing`. **A dialect that clients may speak**: a folder in
//! `gateway/codec/`, a line in `gateway::codec::Dialect`, its path in `gateway/routes.rs`, a row in the laws
//! (`tests/it/gateway/{law,asked}.rs`). **A price item**: `catalog/price.rs` has the one table of
//! keys. **An error class**: `observe/class.rs`, then the compiler shows where.
//!
//! # Invariants
//!
//! 1. [`routing::decide`] is a pure function of plain values. The same arguments give the same decision, to the byte.
//! 2. The explanation is the score: a sum of terms in dollars; what is printed is what was compared.
//! 3. Money is an exact decimal with its unit in the type. An unknown price is a rejection or `-`, never zero; an unknown
//!    measurement is a stated prior, marked `assumed`.
//! 4. An adapter is a pair of pure functions and a frame-by-frame decoder. A decoder never invents an end: bytes that
//!    stop without the provider's own end are a truncated answer.
//! 5. Nothing half-done looks done: partial output, a finish of `error`, an empty answer, a cut-off tool call are
//!    failures with a class.
//! 6. After the first token has reached the caller nothing is sent again, but what was said, to be gone on with, where
//!    that was asked for (`--resume`). Where nothing has reached the caller (`--no-stream`, `-o json`) a break may still
//!    fail over, and what it may have cost is reported.
//! 7. Preferences are loud: what an endpoint cannot honour rejects it, with the reason.
//! 8. The library prints nothing and reads no clock, environment or file on its own; `.clippy.toml` says where each is
//!    banned, and the few files that may say so. The clouds' own libraries do, as [`upstream::auth`] tells.
//! 9. A secret cannot be printed ([`upstream::auth::Secret`]), and goes to its own provider alone: redirects are not
//!    followed.
//! 10. [`routing::RouteRequest`] and [`routing::Decision`] hold no prompt text.
//!
//! The walls between the modules (who may use whom, which crate is named where) are a table in
//! `tests/it/layering.rs`, and a test.

pub mod catalog;
pub mod chat;
pub mod cli;
pub mod dispatch;
pub mod gateway;
pub mod observe;
pub mod probe;
mod recent;
pub mod routing;
pub mod sandbox;
pub mod store;
pub mod units;
pub mod upstream;
