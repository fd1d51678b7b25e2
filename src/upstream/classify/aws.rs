//! Failures of AWS services: the name of the exception decides, from a header or the body; a few need its words too.

use http::HeaderMap;
use http::response::Parts;

use super::envelope::Envelope;
use super::{assemble, finished, rules};
use crate::catalog::ErrorFamily;
use crate::observe::ErrorClass;
use crate::upstream::UpstreamError;

/// Names of exceptions, lower case and without `exception` at their end, and their classes.
const NAMES: [(ErrorClass, &[&str]); 14] = [
    (ErrorClass::Forbidden, &["accessdenied", "optinrequired", "notauthorized", "subscriptionrequired"]),
    (
        ErrorClass::Auth,
        &[
            "unrecognizedclient",
            "invalidclienttokenid",
            "invalidclienttoken",
            "expiredtoken",
            "expiredtokenid",
            "tokenrefreshrequired",
            "invalidsignature",
            "signaturedoesnotmatch",
            "incompletesignature",
            "missingauthenticationtoken",
            "missingauthenticationtokenid",
            "invalidtoken",
            "invalidaccesskeyid",
        ],
    ),
    // The clock of this machine is off.
    (ErrorClass::LocalConfig, &["requestexpired", "requesttimetooskewed"]),
    (ErrorClass::NotFound, &["resourcenotfound", "unknownoperation", "modelnotfound"]),
    (ErrorClass::Overloaded, &["modelnotready", "serviceunavailable", "slowdown"]),
    (
        ErrorClass::RateLimited,
        &["throttling", "throttled", "throttledrequest", "toomanyrequests", "requestlimitexceeded", "limitexceeded"],
    ),
    (ErrorClass::Quota, &["servicequotaexceeded"]),
    (ErrorClass::ProviderTimeout, &["modeltimeout", "requesttimeout"]),
    (
        ErrorClass::ProviderFault,
        &["modelerror", "modelstreamerror", "internalserver", "internalfailure", "internalservererror", "internal"],
    ),
    (ErrorClass::Conflict, &["conflict"]),
    (ErrorClass::TooLarge, &["payloadtoolarge", "requestentitytoolarge", "requesttoolarge"]),
    (ErrorClass::Invalid, &["validation", "badrequest", "serialization", "invalidparametervalue"]),
    (ErrorClass::Unsupported, &["unsupportedoperation"]),
    (ErrorClass::OkFiltered, &["guardrailintervened"]),
];

/// Words that tell more than the class that the name alone gives: all parts must occur, in this order; the first row that
/// fits decides.
const WORDINGS: [(ErrorClass, ErrorClass, &[&[&str]]); 7] = [
    // What was signed too long ago, or lies ahead, says that a clock is off.
    (
        ErrorClass::Auth,
        ErrorClass::LocalConfig,
        &[&["signature expired"], &["signature not yet current"], &["is now earlier than"], &["is still later than"]],
    ),
    // A Bedrock API key that is wrong or has run out comes as a denial.
    (
        ErrorClass::Forbidden,
        ErrorClass::Auth,
        &[
            &["api key is valid"],
            &["bearer token has expired"],
            &["invalid bearer token"],
            &["security token", "invalid"],
            &["security token", "expired"],
            &["authentication failed"],
        ],
    ),
    (
        ErrorClass::Invalid,
        ErrorClass::TooLarge,
        &[
            &["too many input tokens"],
            &["too many tokens"],
            &["input is too long"],
            &["prompt is too long"],
            &["input length", "exceed"],
            &["exceed", "context limit"],
            &["exceed", "context window"],
            &["exceed", "context length"],
            &["exceed", "input token"],
            &["maximum", "input tokens"],
            &["input tokens", "maximum"],
            &["maximum context length"],
        ],
    ),
    (
        ErrorClass::Invalid,
        ErrorClass::NotFound,
        &[
            &["model identifier is invalid"],
            // The model is there only behind an inference profile, or not in this region.
            &["on-demand throughput isn", "supported"],
            &["end of its life"],
            &["marked", "legacy"],
        ],
    ),
    (
        ErrorClass::Invalid,
        ErrorClass::Unsupported,
        &[
            &["extraneous key"],
            &["model doesn", "support"],
            &["model does not support"],
            &["is not supported by this model"],
            &["is not supported for this model"],
            &["extra inputs are not permitted"],
            &["unknown parameter"],
            &["unsupported parameter"],
            &["unsupported value"],
        ],
    ),
    (ErrorClass::Invalid, ErrorClass::Forbidden, &[&["operation not allowed"]]),
    (ErrorClass::Invalid, ErrorClass::OkFiltered, &[&["blocked by", "content filter"], &["content policy"]]),
];

/// What a response of an AWS service means that is not a success.
#[must_use]
pub fn response(head: &Parts, body: &[u8]) -> UpstreamError {
    let named = head.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).unwrap_or_default();
    finished(classified(named, Some(head.status.as_u16()), &head.headers, body), Some(head.status))
}

/// What a failure inside an AWS event stream means: `name` is its `:exception-type` or `:error-code`. Without a name the
/// body's own counts.
#[must_use]
pub fn event(name: &str, payload: &[u8]) -> UpstreamError {
    finished(classified(name, None, &HeaderMap::new(), payload), None)
}

fn classified(named: &str, status: Option<u16>, headers: &HeaderMap, body: &[u8]) -> UpstreamError {
    let mut envelope = Envelope::read(body);
    let kind = envelope.aws_type.take();
    let name = [Some(named), kind.as_deref()].into_iter().flatten().map(bare).find(|name| !name.is_empty());
    let Some(name) = name else { return assemble(ErrorFamily::General, status, headers, &envelope, None) };
    envelope.codes.insert(0, name.to_owned());
    let class = class(name, status, &envelope.message.to_lowercase());
    assemble(ErrorFamily::General, status, headers, &envelope, class)
}

/// The name without what is put around it: `com.amazon.coral.service#X`, `X:http://...`.
fn bare(name: &str) -> &str {
    let name = name.rsplit_once('#').map_or(name, |(_, name)| name);
    name.split(':').next().unwrap_or_default().trim()
}

fn class(name: &str, status: Option<u16>, said: &str) -> Option<ErrorClass> {
    let lower = name.to_ascii_lowercase();
    let short = lower.strip_suffix("exception").unwrap_or(&lower);
    let (class, _) = NAMES.into_iter().find(|(_, names)| names.contains(&short))?;
    // A name of a rate is a used-up quota where it speaks of the day.
    if class == ErrorClass::RateLimited && rules::says_used_up(said) {
        return Some(ErrorClass::Quota);
    }
    // No redirect is followed, whatever its body says.
    if status.is_some_and(|status| (300..=399).contains(&status)) {
        return None;
    }
    let told = WORDINGS
        .into_iter()
        .find(|(from, _, wordings)| *from == class && wordings.iter().any(|parts| rules::says(said, parts)));
    Some(told.map_or(class, |(_, to, _)| to))
}
