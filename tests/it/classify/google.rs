//! Gemini's and Vertex AI's rows of `metrics.md` 4.4. Bodies are as people quote them from both, and as Google's SDK
//! and AIP-193 give their shape.

use std::time::Duration;

use openmux::observe::ErrorClass::{self, *};
use openmux::upstream::classify;

use super::{class, classified, family};

/// Google's envelope, with details.
fn error(code: u16, status: &str, message: &str, details: &str) -> String {
    format!(r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":[{details}]}}}}"#)
}

/// An `ErrorInfo` of a reason.
fn info(reason: &str) -> String {
    format!(
        r#"{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{reason}","domain":"googleapis.com","metadata":{{"service":"generativelanguage.googleapis.com"}}}}"#
    )
}

/// A `QuotaFailure` of these quotas.
fn quotas(ids: &[&str]) -> String {
    let violation = |id: &&str| {
        format!(
            r#"{{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"{id}","quotaDimensions":{{"location":"global"}},"quotaValue":"20"}}"#
        )
    };
    let violations: Vec<String> = ids.iter().map(violation).collect();
    format!(r#"{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{}]}}"#, violations.join(","))
}

fn retry(delay: &str) -> String {
    format!(r#"{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{delay}"}}"#)
}

#[test]
fn every_row() {
    let key = "API key not valid. Please pass a valid API key.";
    let unregistered = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.";
    let blocked = "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked.";
    let used_up = "You exceeded your current quota, please check your plan and billing details.";
    let too_long = "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).";
    let too_long_on_vertex = "Unable to submit request because the input token count is 1200000 but model only supports up to 1048576. Reduce the input token count and try again.";
    let rows: Vec<(u16, &str, &str, String, ErrorClass)> = vec![
        (400, "INVALID_ARGUMENT", key, info("API_KEY_INVALID"), Auth),
        (400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", info("API_KEY_INVALID"), Auth),
        (400, "INVALID_ARGUMENT", key, String::new(), Auth),
        (400, "INVALID_ARGUMENT", "Request contains an invalid argument.", String::new(), Invalid),
        (400, "INVALID_ARGUMENT", "Unable to process input image.", String::new(), Invalid),
        (
            400,
            "INVALID_ARGUMENT",
            "Function calling is not enabled for models/gemma-3-27b-it",
            String::new(),
            Unsupported,
        ),
        (
            400,
            "INVALID_ARGUMENT",
            "Thinking level MINIMAL is not supported for this model.",
            String::new(),
            Unsupported,
        ),
        (400, "INVALID_ARGUMENT", too_long, String::new(), TooLarge),
        (400, "INVALID_ARGUMENT", too_long_on_vertex, String::new(), TooLarge),
        (400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes.", String::new(), TooLarge),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", String::new(), Forbidden),
        (
            400,
            "FAILED_PRECONDITION",
            "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.",
            String::new(),
            Forbidden,
        ),
        (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", info("ACCESS_TOKEN_EXPIRED"), Auth),
        (
            401,
            "UNAUTHENTICATED",
            "Request is missing required authentication credential.",
            info("CREDENTIALS_MISSING"),
            Auth,
        ),
        (402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", String::new(), Quota),
        (403, "PERMISSION_DENIED", "The caller does not have permission", String::new(), Forbidden),
        (
            403,
            "PERMISSION_DENIED",
            "Your API key was reported as leaked. Please use another API key.",
            String::new(),
            Auth,
        ),
        (403, "PERMISSION_DENIED", unregistered, String::new(), Auth),
        (403, "PERMISSION_DENIED", blocked, info("API_KEY_SERVICE_BLOCKED"), Forbidden),
        (
            403,
            "PERMISSION_DENIED",
            "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p1'.",
            info("IAM_PERMISSION_DENIED"),
            Forbidden,
        ),
        (
            403,
            "PERMISSION_DENIED",
            "Vertex AI API has not been used in project p1 before or it is disabled.",
            info("SERVICE_DISABLED"),
            Forbidden,
        ),
        (
            403,
            "PERMISSION_DENIED",
            "Request had insufficient authentication scopes.",
            info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            Auth,
        ),
        (404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta", String::new(), NotFound),
        (
            404,
            "NOT_FOUND",
            "Publisher Model `projects/p1/locations/us-central1/publishers/google/models/gemini-9` was not found or your project does not have access to it.",
            String::new(),
            NotFound,
        ),
        (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", String::new(), RateLimited),
        (429, "RESOURCE_EXHAUSTED", used_up, String::new(), Quota),
        (429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", String::new(), RateLimited),
        (
            429,
            "RESOURCE_EXHAUSTED",
            used_up,
            format!("{},{}", quotas(&["GenerateRequestsPerMinutePerProjectPerModel-FreeTier"]), retry("34.074824224s")),
            RateLimited,
        ),
        (
            429,
            "RESOURCE_EXHAUSTED",
            used_up,
            format!("{},{}", quotas(&["GenerateRequestsPerDayPerProjectPerModel-FreeTier"]), retry("34s")),
            Quota,
        ),
        (
            429,
            "RESOURCE_EXHAUSTED",
            used_up,
            quotas(&[
                "GenerateContentInputTokensPerModelPerMinute-FreeTier",
                "GenerateRequestsPerDayPerProjectPerModel",
            ]),
            Quota,
        ),
        (499, "CANCELLED", "The operation was cancelled.", String::new(), Aborted),
        (500, "INTERNAL", "An internal error has occurred.", String::new(), ProviderFault),
        (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", String::new(), Overloaded),
        (503, "UNAVAILABLE", "The service is currently unavailable.", String::new(), Overloaded),
        (504, "DEADLINE_EXCEEDED", "The request timed out. Please try again.", String::new(), ProviderTimeout),
        (504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", String::new(), ProviderTimeout),
    ];
    for (code, status, message, details, expected) in &rows {
        let body = error(*code, status, message, details);
        for provider in ["google", "google-vertex"] {
            assert_eq!(class(provider, *code, &body), *expected, "{provider} {body}");
            // Streams without `alt=sse` list their errors.
            assert_eq!(class(provider, *code, &format!("[{body}]")), *expected, "[{body}]");
            // Under HTTP 200 the code in the body stands in for the status.
            let in_band = classify::in_band(family(provider), body.as_bytes());
            assert_eq!(in_band.class, *expected, "in band: {body}");
            assert_eq!(in_band.message.chars().next(), message.chars().next());
        }
    }
}

#[test]
fn a_status_word_alone_says_enough_under_http_200() {
    for (status, expected) in [
        ("INVALID_ARGUMENT", Invalid),
        ("FAILED_PRECONDITION", Forbidden),
        ("UNAUTHENTICATED", Auth),
        ("PERMISSION_DENIED", Forbidden),
        ("NOT_FOUND", NotFound),
        ("RESOURCE_EXHAUSTED", RateLimited),
        ("CANCELLED", Aborted),
        ("INTERNAL", ProviderFault),
        ("UNAVAILABLE", Overloaded),
        ("DEADLINE_EXCEEDED", ProviderTimeout),
    ] {
        let body = format!(r#"{{"error":{{"message":"x","status":"{status}"}}}}"#);
        assert_eq!(classify::in_band(family("google"), body.as_bytes()).class, expected, "{status}");
    }
}

#[test]
fn a_wait_is_obeyed_but_not_one_that_a_quota_of_the_day_outlasts() {
    let limited = |details: &str| {
        let body = error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", details);
        let error = classified("google", 429, &[], &body);
        (error.class, error.retry_after)
    };
    assert_eq!(limited(&retry("34.5s")), (RateLimited, Some(Duration::from_millis(34_500))));
    assert_eq!(limited(&retry("7200s")), (Quota, Some(Duration::from_secs(3600))));
    let daily = quotas(&["GenerateRequestsPerDayPerProjectPerModel-FreeTier"]);
    assert_eq!(limited(&format!("{daily},{}", retry("34s"))), (Quota, None));
    assert_eq!(limited(&format!("{},{daily}", retry("34s"))), (Quota, None));
}

#[test]
fn the_code_that_is_shown_is_the_most_telling_one() {
    let code = |details: &str| classified("google", 400, &[], &error(400, "INVALID_ARGUMENT", "x", details)).code;
    assert_eq!(code(&info("API_KEY_INVALID")).as_deref(), Some("API_KEY_INVALID"));
    assert_eq!(code("").as_deref(), Some("INVALID_ARGUMENT"));
}
