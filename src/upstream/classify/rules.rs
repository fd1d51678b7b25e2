//! The tables: statuses, codes and wordings, and the class that each stands for. All words are lower case.

use super::overflows::{ABOUT_RATES, OVERFLOWS};
use crate::catalog::ErrorFamily;
use crate::observe::ErrorClass;

/// Inclusive ranges of statuses; the first that holds one decides (`metrics.md` 4.3).
pub(super) const STATUSES: [(u16, u16, ErrorClass); 26] = [
    // The key is never sent on to where a redirect points.
    (300, 399, ErrorClass::LocalConfig),
    (401, 401, ErrorClass::Auth),
    (402, 402, ErrorClass::Quota),
    (403, 403, ErrorClass::Forbidden),
    (404, 404, ErrorClass::NotFound),
    (407, 407, ErrorClass::LocalConfig),
    (408, 408, ErrorClass::ProviderTimeout),
    (409, 409, ErrorClass::Conflict),
    (410, 410, ErrorClass::NotFound),
    (413, 413, ErrorClass::TooLarge),
    (424, 424, ErrorClass::ProviderFault),
    (425, 425, ErrorClass::Conflict),
    (429, 429, ErrorClass::RateLimited),
    (451, 451, ErrorClass::Forbidden),
    (499, 499, ErrorClass::Aborted),
    (400, 499, ErrorClass::Invalid),
    (501, 501, ErrorClass::Invalid),
    (503, 503, ErrorClass::Overloaded),
    (504, 504, ErrorClass::ProviderTimeout),
    (505, 505, ErrorClass::Invalid),
    (511, 511, ErrorClass::LocalNetwork),
    (524, 524, ErrorClass::ProviderTimeout),
    (529, 529, ErrorClass::Overloaded),
    (530, 530, ErrorClass::Unreachable),
    (500, 599, ErrorClass::ProviderFault),
    (0, u16::MAX, ErrorClass::ProviderFault),
];

/// Codes that mean something of their own at one provider.
const OWN_CODES: [(ErrorFamily, ErrorClass, &[&str]); 14] = [
    // ZenMux says 403 and not 401 for a bad or missing key.
    (ErrorFamily::Zenmux, ErrorClass::Auth, &["access_denied"]),
    // There it is a prompt that is malformed, not one that is refused.
    (ErrorFamily::Openrouter, ErrorClass::Invalid, &["invalid_prompt"]),
    (ErrorFamily::Zai, ErrorClass::Auth, &["1000", "1001", "1002", "1003", "1004"]),
    (ErrorFamily::Zai, ErrorClass::Quota, &["1113", "1308", "1310"]),
    (ErrorFamily::Zai, ErrorClass::NotFound, &["1211"]),
    (ErrorFamily::Zai, ErrorClass::TooLarge, &["1261"]),
    (ErrorFamily::Zai, ErrorClass::OkFiltered, &["1301"]),
    (ErrorFamily::Zai, ErrorClass::RateLimited, &["1302", "1303"]),
    (ErrorFamily::Zai, ErrorClass::Overloaded, &["1305"]),
    // A subscription's own limits (the `opencode` plans).
    (ErrorFamily::Opencode, ErrorClass::Quota, &["gousagelimiterror", "freeusagelimiterror"]),
    (ErrorFamily::Dashscope, ErrorClass::Auth, &["invalidapikey"]),
    (ErrorFamily::Dashscope, ErrorClass::Quota, &["arrearage"]),
    (
        ErrorFamily::Dashscope,
        ErrorClass::RateLimited,
        &["throttling", "throttling.ratequota", "throttling.allocationquota"],
    ),
    (ErrorFamily::Dashscope, ErrorClass::OkFiltered, &["data_inspection_failed", "datainspectionfailed"]),
];

/// Codes and types that say more than the status.
const CODES: [(ErrorClass, &[&str]); 12] = [
    (
        ErrorClass::Quota,
        &[
            "insufficient_quota",
            "credit_balance_exhausted",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_error",
            "insufficient_credit",
            "insufficient_credits",
            "insufficient_balance",
            "reject_no_credit",
            "quote_exceeded",
            "payment_required",
            "exceeded_current_quota_error",
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "linked_organization_spend_limit_reached",
            "linked_organization_billing_unavailable",
            "minimax:1008",
        ],
    ),
    (
        ErrorClass::Auth,
        &[
            "invalid_api_key",
            "api_key_invalid",
            "authentication",
            "authentication_error",
            "invalid_authentication_error",
            "incorrect_api_key",
            "unauthorized",
            "unauthenticated",
            "access_token_expired",
            "access_token_scope_insufficient",
            "credentials_missing",
            "minimax:1004",
            "minimax:2049",
        ],
    ),
    (
        ErrorClass::Forbidden,
        &[
            "permission_error",
            "permission_denied",
            "iam_permission_denied",
            "service_disabled",
            "billing_disabled",
            "api_key_service_blocked",
            "api_key_http_referrer_blocked",
            "api_key_ip_address_blocked",
            // Google's word for a region that it does not serve, and for a project without billing.
            "failed_precondition",
            "access_denied",
            "unsupported_country_region_territory",
            "ip_not_authorized",
            "region_restricted",
            "privacy_restricted",
            "organization_on_hold",
            "organization_type_not_supported",
            "parent_organization_required",
            "sandbox_egress_restricted",
            "cmek_context_unavailable",
            "cmek_key_disabled",
            "cmek_key_network_blocked",
            "cmek_key_unreachable",
        ],
    ),
    (
        ErrorClass::NotFound,
        &[
            "model_not_found",
            "not_found",
            "not_found_error",
            "resource_not_found_error",
            "invalid_model",
            "model_not_available",
            "model_not_supported",
            "model_decommissioned",
            "model_deprecated",
            "model_unavailable_upstream",
            "unknown_model",
            "deploymentnotfound",
            "wrong_endpoint",
            "no_endpoints",
            "constraint_filtered",
            "free_variant_ended",
        ],
    ),
    (
        ErrorClass::TooLarge,
        &[
            "context_length_exceeded",
            "string_above_max_length",
            "string_too_long",
            "token_limit_exceeded",
            "tokens_limit_reached",
            "max_tokens_exceeded",
            "request_too_large",
            "payload_too_large",
            "request_body_too_large_after_decoding",
            "model_context_window_exceeded",
            "exceed_context_size_error",
            "contextwindowexceedederror",
        ],
    ),
    (
        ErrorClass::OkFiltered,
        &[
            "content_policy_violation",
            "content_filter",
            "invalid_prompt",
            "safety_check_failed",
            "responsibleaipolicyviolation",
            "refusal",
            "minimax:1026",
            "minimax:1027",
        ],
    ),
    (
        ErrorClass::Overloaded,
        &[
            "slow_down",
            "overloaded",
            "overloaded_error",
            "server_is_overloaded",
            "engine_overloaded",
            "engine_overloaded_error",
            "provider_overloaded",
            "no_provider_available",
            "capacity_exhausted",
            "temporarily_unavailable",
            "service_unavailable",
            "unavailable_error",
        ],
    ),
    (
        ErrorClass::RateLimited,
        &[
            "rate_limit",
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate_limit_reached_error",
            "ramp_limit_exceeded",
            "too_many_requests",
            "openrouter_in_flight_budget",
            "minimax:1002",
            "minimax:1039",
        ],
    ),
    (
        ErrorClass::ProviderTimeout,
        &["timeout", "timeout_error", "request_timeout", "deadline_exceeded", "minimax:1001"],
    ),
    (ErrorClass::Conflict, &["conflict_error"]),
    (ErrorClass::Unsupported, &["unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"]),
    (ErrorClass::Invalid, &["minimax:2013"]),
];

/// Codes that say less than a status: they decide only where there is none.
const BROAD_CODES: [(ErrorClass, &[&str]); 6] = [
    (
        ErrorClass::Invalid,
        &[
            "invalid_request_error",
            "invalid_request",
            "invalid_params",
            "invalid_parameter_error",
            "bad_request",
            "invalid_argument",
        ],
    ),
    (ErrorClass::RateLimited, &["requests", "tokens", "resource_exhausted"]),
    (ErrorClass::ProviderFault, &["server_error", "api_error", "internal_server_error", "provider_error", "internal"]),
    (ErrorClass::Overloaded, &["unavailable"]),
    (ErrorClass::NotFound, &["not_found"]),
    (ErrorClass::Aborted, &["cancelled"]),
];

/// Where a wording is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// Where our request or our key is at fault: 4xx but 429, or no status.
    Client,
    /// Where the request as such is at fault: 400, 404, 422, or no status.
    Request,
    /// Anywhere but where access or rate is the matter: prompts that do not fit come as 400, 413, 422 and even 5xx.
    Prompt,
    /// Where the server is at its limit: 429, 498, 5xx, or no status.
    Busy,
    /// At this status alone.
    At(u16),
}

impl Where {
    fn holds(self, status: Option<u16>) -> bool {
        let Some(status) = status else { return !matches!(self, Self::At(_)) };
        match self {
            Self::Client => (400..=499).contains(&status) && status != 429,
            Self::Request => matches!(status, 400 | 404 | 422),
            Self::Prompt => !matches!(status, 401 | 402 | 403 | 407 | 408 | 429),
            Self::Busy => matches!(status, 429 | 498 | 500..=599),
            Self::At(only) => status == only,
        }
    }
}

/// Wordings, all parts of which must occur in this order; the first that does decides.
const WORDINGS: [(ErrorClass, Where, &[&[&str]]); 11] = [
    (
        ErrorClass::Quota,
        Where::Client,
        &[
            &["credit balance is too low"],
            &["api usage limits"],
            &["spend limit"],
            &["spending limit"],
            &["usage limit"],
            &["key limit exceeded"],
            &["insufficient balance"],
            &["insufficient credit"],
            &["exceeded your current quota"],
            &["out of credits"],
        ],
    ),
    (
        ErrorClass::Forbidden,
        Where::Client,
        &[
            &["country, region, or territory not supported"],
            &["location is not supported"],
            &["ip not authorized"],
            &["ip address", "not authorized"],
        ],
    ),
    (
        ErrorClass::Auth,
        Where::Client,
        &[
            &["incorrect api key"],
            &["invalid api key"],
            &["invalid x-api-key"],
            &["invalid authentication"],
            &["invalid bearer token"],
            &["api key not valid"],
            &["api key is missing"],
            &["missing api key"],
            &["no api key"],
        ],
    ),
    (ErrorClass::OkFiltered, Where::At(403), &[&["moderation"], &["flagged"]]),
    (ErrorClass::OkFiltered, Where::Request, &[&["content management policy"], &["content policy"]]),
    (
        ErrorClass::Unsupported,
        Where::Request,
        &[
            &["unsupported parameter"],
            &["unsupported value"],
            &["unknown parameter"],
            &["unrecognized request argument"],
            &["extra inputs are not permitted"],
            &["extra_forbidden"],
            &["is not supported with this model"],
            // Gemini's.
            &["is not supported by this model"],
            &["is not supported for this model"],
            &["is not enabled for"],
            &["only works in thinking mode"],
            &["does not support parameters"],
            &["does not support tools"],
            &["no endpoints found that support"],
        ],
    ),
    (ErrorClass::TooLarge, Where::Prompt, OVERFLOWS),
    (
        ErrorClass::NotFound,
        Where::Client,
        &[
            &["model not exist"],
            &["model", "does not exist"],
            &["model", "not found"],
            &["no such model"],
            &["unknown model"],
            &["invalid model"],
            &["not a valid model"],
        ],
    ),
    (ErrorClass::NotFound, Where::At(503), &[&["meets your routing requirements"]]),
    (
        ErrorClass::Overloaded,
        Where::Busy,
        &[
            &["overloaded"],
            &["at capacity"],
            &["capacity exceeded"],
            &["loading model"],
            &["model is loading"],
            &["still loading"],
            &["slow down"],
        ],
    ),
    (ErrorClass::RateLimited, Where::Request, &[&["rate limit exceeded"], &["too many requests"]]),
];

/// How a 429 says that it is more than a rate: it lasts for the rest of the day, or until someone pays.
const USED_UP: [&str; 12] = [
    "per day",
    "per-day",
    "perday",
    "(tpd)",
    "(rpd)",
    "daily limit",
    "daily quota",
    "requests today",
    "exceeded your current quota",
    "insufficient balance",
    "insufficient credit",
    "spend limit",
];

/// How llama.cpp, LM Studio and vLLM say that the model is not there yet.
const LOADING: [&str; 3] = ["loading model", "model is loading", "still loading"];

/// The class of a code that is one provider's own.
pub(super) fn own_code(family: ErrorFamily, code: &str) -> Option<ErrorClass> {
    OWN_CODES.iter().find(|(owner, _, codes)| *owner == family && codes.contains(&code)).map(|&(_, class, _)| class)
}

/// The class of a code that says more than the status.
pub(super) fn code(code: &str) -> Option<ErrorClass> {
    CODES.iter().find(|(_, codes)| codes.contains(&code)).map(|&(class, _)| class)
}

/// Whether a refusal is about the key itself: Google denies permission to a leaked or a missing one.
pub(super) fn refuses_key(code: &str, said: &str) -> bool {
    code == "permission_denied" && said.contains("api key")
}

/// The class of a code that says less than a status would.
pub(super) fn broad_code(code: &str) -> Option<ErrorClass> {
    BROAD_CODES.iter().find(|(_, codes)| codes.contains(&code)).map(|&(class, _)| class)
}

/// The class that a message names in words.
pub(super) fn words(status: Option<u16>, said: &str) -> Option<ErrorClass> {
    let about_rates = ABOUT_RATES.iter().any(|sign| said.contains(sign));
    WORDINGS
        .iter()
        .filter(|(class, place, _)| place.holds(status) && !(about_rates && *class == ErrorClass::TooLarge))
        .find(|(_, _, wordings)| wordings.iter().any(|parts| says(said, parts)))
        .map(|&(class, _, _)| class)
}

/// Whether a message speaks of a limit that lasts for the rest of the day, or until someone pays.
pub(super) fn says_used_up(said: &str) -> bool {
    USED_UP.iter().any(|sign| said.contains(sign))
}

/// Whether a server of one's own is still loading its model: busy for a while, and nobody's fault.
pub(super) fn says_loading(said: &str) -> bool {
    LOADING.iter().any(|sign| said.contains(sign))
}

/// Whether all parts occur in a message, in this order.
pub(super) fn says(said: &str, parts: &[&str]) -> bool {
    let mut rest = said;
    parts.iter().all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}
