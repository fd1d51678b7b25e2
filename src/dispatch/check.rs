//! Asking providers whether they answer and take a key, without spending.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::attempt::host_of;
use super::{Dispatcher, Reach, Wire};
use crate::catalog::{Endpoint, EndpointId, ModelId, Protocol, Provider, is_loopback};
use crate::observe::ErrorClass;
use crate::upstream::auth::{Found, Secret};
use crate::upstream::check::{Question, Verdict, question, verdict};
use crate::upstream::transport::{WireError, WireErrorKind};
use crate::upstream::{BUILT, UpstreamError};

/// How many providers are asked at the same time.
const AT_ONCE: usize = 8;

/// The largest list that is read, in bytes.
const LARGEST: usize = 32 * 1024 * 1024;

/// What a check of one provider found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answered, and took the key, or needs none.
    Ok,
    /// It answers anybody: whether it takes the key is not known.
    OpenToAll,
    /// It answered, but there is nothing to ask without spending: whether it takes the key is not known.
    NoList,
    /// Nothing was asked: there is nothing to ask without spending, or this version cannot ask.
    NotAsked(String),
    /// No key is there: where it was looked for.
    NoKey(Vec<String>),
    /// Its address needs these variables, which are not set.
    NoSetting(Vec<String>),
    /// It cannot be reached, refuses, or answers nonsense.
    Bad(UpstreamError),
}

/// One provider that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was found.
    pub health: Health,
    /// Where it was asked, if it was.
    pub url: Option<String>,
    /// The HTTP status, if a response came.
    pub http_status: Option<u16>,
    /// The ids of its models, where it listed them.
    pub models: Option<Vec<String>>,
    /// Whether it has more models than it listed.
    pub more: bool,
    /// How long the answer took, connecting included.
    pub elapsed: Option<Duration>,
}

impl Checked {
    fn unasked(health: Health) -> Self {
        Self { health, url: None, http_status: None, models: None, more: false, elapsed: None }
    }
}

impl Dispatcher<'_> {
    /// How a provider would be called, whatever the model: in the first of its dialects that is built.
    #[must_use]
    pub fn reach_provider(&self, provider: &Provider) -> Option<Reach> {
        let spoken = || provider.protocols.iter().map(|spoken| spoken.protocol);
        let protocol = spoken().find(|protocol| BUILT.contains(protocol)).or_else(|| spoken().next());
        self.reach_one(anything(provider, protocol), None)
    }

    /// Checks providers, at most eight at once, each within `limit`; the results are in the order of `reaches`. Anybody's
    /// list proves no key: a list that came is asked for once more without the key, unless `once`.
    pub async fn check(&self, reaches: &[Reach], wire: Wire<'_>, limit: Duration, once: bool) -> Vec<Checked> {
        let checks = reaches.iter().map(|reach| self.check_one(reach, wire, limit, once));
        futures_util::stream::iter(checks).buffered(AT_ONCE).collect().await
    }

    async fn check_one(&self, reach: &Reach, wire: Wire<'_>, limit: Duration, once: bool) -> Checked {
        let question = match self.question(reach) {
            Ok(question) => question,
            Err(health) => return Checked::unasked(health),
        };
        let url = question.request.uri().to_string();
        let mut signed = question.request.clone();
        let asked = Checked { url: Some(url), ..Checked::unasked(Health::NoList) };
        let signing = wire.signer.sign(&mut signed, &reach.found, (self.now)());
        let spent = match timeout(limit, signing).await {
            Ok(Ok(spent)) => spent,
            Ok(Err(error)) => return Checked { health: bad(error.class(), error.to_string()), ..asked },
            Err(_) => {
                let message = format!("no credential within {} s", limit.as_secs());
                return Checked { health: bad(ErrorClass::Auth, message), ..asked };
            }
        };
        let began = Instant::now();
        let deadline = began + limit;
        let answer = timeout_at(deadline, ask(wire, signed)).await;
        let asked = Checked { elapsed: Some(began.elapsed()), ..asked };
        let (head, body) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Checked { health: unanswered(reach, &error), ..asked },
            Err(_) => {
                let message = format!("no answer within {} s", limit.as_secs());
                return Checked { health: bad(ErrorClass::ProviderTimeout, message), ..asked };
            }
        };
        let asked = Checked { http_status: Some(head.status.as_u16()), ..asked };
        match verdict(&reach.provider, &question, &head, &body) {
            Verdict::Bad(error) => Checked { health: Health::Bad(redacted(error, &spent)), ..asked },
            Verdict::NoList => asked,
            Verdict::Fine { models, more } => {
                let proven = once || spent.is_empty() || !open_to_all(&question, reach, wire, deadline).await;
                let health = if proven { Health::Ok } else { Health::OpenToAll };
                let models = models.map(|ids| ids.iter().map(|id| clean(id, &spent)).collect());
                Checked { health, models, more, ..asked }
            }
        }
    }

    /// What to ask; or why nothing is asked.
    fn question(&self, reach: &Reach) -> Result<Question, Health> {
        if reach.outside_sandbox {
            return Err(Health::NotAsked("it is not simulated in this sandbox".to_owned()));
        }
        if let Some(scheme) = &reach.unsupported {
            return Err(Health::NotAsked(format!("this version cannot do {scheme}")));
        }
        let Some(protocol) = reach.protocol else {
            return Err(Health::NotAsked("its address is not known".to_owned()));
        };
        if !reach.missing_settings.is_empty() {
            return Err(Health::NoSetting(reach.missing_settings.clone()));
        }
        if let Found::Missing { looked_in } = &reach.found {
            return Err(Health::NoKey(looked_in.clone()));
        }
        let catalogued = self.sandbox.is_none() && reach.overridden_by.is_none();
        let asked = question(&reach.provider, protocol, &reach.base_url, catalogued, &self.keys.vars);
        let asked = asked.map_err(|error| bad(ErrorClass::LocalConfig, error.to_string()))?;
        asked.ok_or_else(|| Health::NotAsked("it cannot be checked without spending".to_owned()))
    }
}

/// An endpoint that stands for all of a provider's.
fn anything(provider: &Provider, protocol: Option<Protocol>) -> Endpoint {
    let id = EndpointId { provider: provider.id.clone(), upstream_model: String::new() };
    Endpoint { protocol, ..Endpoint::new(id, ModelId::new("")) }
}

/// Whether the same list comes without a key. Where that cannot be told the key has the benefit of the doubt.
async fn open_to_all(question: &Question, reach: &Reach, wire: Wire<'_>, deadline: Instant) -> bool {
    let Ok(Ok((head, body))) = timeout_at(deadline, ask(wire, question.request.clone())).await else { return false };
    matches!(verdict(&reach.provider, question, &head, &body), Verdict::Fine { .. })
}

/// One GET with its whole answer.
async fn ask(
    wire: Wire<'_>,
    request: http::Request<bytes::Bytes>,
) -> Result<(http::response::Parts, Vec<u8>), WireError> {
    tracing::debug!(url = %request.uri(), "check");
    let mut incoming = wire.transport.send(request).await?;
    tracing::debug!(status = incoming.head.status.as_u16(), "head");
    let mut body = Vec::new();
    while let Some(bytes) = incoming.chunk().await? {
        body.extend_from_slice(&bytes);
        if body.len() > LARGEST {
            return Err(WireError { kind: WireErrorKind::Broken, message: "an answer that is too large".to_owned() });
        }
    }
    Ok((incoming.head, body))
}

fn bad(class: ErrorClass, message: String) -> Health {
    Health::Bad(UpstreamError { class, message, code: None, retry_after: None, request_id: None })
}

/// Why no answer came.
fn unanswered(reach: &Reach, error: &WireError) -> Health {
    let host = host_of(&reach.base_url);
    match error.kind {
        WireErrorKind::Request => bad(ErrorClass::LocalConfig, error.message.clone()),
        WireErrorKind::Refused if is_loopback(&reach.base_url) => {
            bad(ErrorClass::LocalConfig, format!("nothing listens on {host}"))
        }
        WireErrorKind::ConnectTimeout => bad(ErrorClass::Unreachable, format!("{host} does not answer")),
        WireErrorKind::Broken => bad(ErrorClass::ProviderFault, format!("the connection broke: {}", error.message)),
        WireErrorKind::ProxyUnreachable | WireErrorKind::ProxyRefused => {
            bad(ErrorClass::LocalConfig, format!("the proxy does not lead to {host}: {}", error.message))
        }
        _ => bad(ErrorClass::Unreachable, format!("cannot reach {host}: {}", error.message)),
    }
}

/// A provider may quote the key that it rejects.
fn redacted(mut error: UpstreamError, spent: &[Secret]) -> UpstreamError {
    error.message = clean(&error.message, spent);
    error.code = error.code.map(|code| clean(&code, spent));
    error.request_id = error.request_id.map(|id| clean(&id, spent));
    error
}

fn clean(text: &str, spent: &[Secret]) -> String {
    spent.iter().fold(text.to_owned(), |text, secret| secret.redact(&text))
}
