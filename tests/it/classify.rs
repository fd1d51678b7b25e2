//! The tables of `metrics.md` 4.3 and 4.4, row by row, and every status at once.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are tests")]

mod aws;
mod google;

use std::fmt::Write as _;
use std::time::Duration;

use http::response::Parts;
use openmux::catalog::{Catalog, ErrorFamily, ProviderId};
use openmux::observe::ErrorClass::{self, *};
use openmux::upstream::{UpstreamError, classify};

fn head(status: u16, headers: &[(&str, &str)]) -> Parts {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

/// Whose habits a provider's failures follow, by the embedded catalog.
fn family(provider: &str) -> ErrorFamily {
    Catalog::builtin()
        .provider(&ProviderId::new(provider))
        .map_or(ErrorFamily::General, |provider| provider.quirks.errors)
}

fn classified(provider: &str, status: u16, headers: &[(&str, &str)], body: &str) -> UpstreamError {
    classify::response(family(provider), &head(status, headers), body.as_bytes())
}

fn class(provider: &str, status: u16, body: &str) -> ErrorClass {
    classified(provider, status, &[], body).class
}

#[track_caller]
fn check(provider: &str, rows: &[(u16, &str, ErrorClass)]) {
    for &(status, body, expected) in rows {
        assert_eq!(class(provider, status, body), expected, "{provider} {status} {body}");
    }
}

#[test]
fn a_status_decides_when_the_body_says_nothing_more() {
    let rows: &[(&[u16], ErrorClass)] = &[
        (&[301, 302, 307, 308], LocalConfig),
        (&[400, 405, 406, 415, 422, 501, 505], Invalid),
        (&[401], Auth),
        (&[402], Quota),
        (&[403, 451], Forbidden),
        (&[404, 410], NotFound),
        (&[407], LocalConfig),
        (&[511], LocalNetwork),
        (&[408, 504, 524], ProviderTimeout),
        (&[413], TooLarge),
        (&[424, 500, 502, 520, 521, 522, 523, 525, 526, 527], ProviderFault),
        (&[409, 425], Conflict),
        (&[429], RateLimited),
        (&[499], Aborted),
        (&[503, 529], Overloaded),
        (&[530], Unreachable),
    ];
    for (statuses, expected) in rows {
        for &status in *statuses {
            for body in ["", "{}", "null", "oops", "<html><title>No</title></html>", "\u{0}\u{1}"] {
                assert_eq!(class("openai", status, body), *expected, "{status} {body:?}");
            }
        }
    }
    assert_eq!(class("zenmux", 403, ""), Auth);
    assert_eq!(class("openai", 422, r#"{"error":{"message":"The model `x` does not exist"}}"#), NotFound);
}

#[test]
fn every_status_at_a_glance() {
    let mut ranges: Vec<(u16, u16, &str)> = Vec::new();
    for status in 300..=599 {
        let name = classify::status(status).name();
        assert_eq!(class("openai", status, "").name(), name);
        match ranges.last_mut() {
            Some((_, to, last)) if *last == name => *to = status,
            _ => ranges.push((status, status, name)),
        }
    }
    let mut table = String::new();
    for (from, to, name) in ranges {
        writeln!(table, "{from}..{to} {name}").unwrap();
    }
    insta::assert_snapshot!(table, @r"
    300..399 local_config
    400..400 invalid
    401..401 auth
    402..402 quota
    403..403 forbidden
    404..404 not_found
    405..406 invalid
    407..407 local_config
    408..408 provider_timeout
    409..409 conflict
    410..410 not_found
    411..412 invalid
    413..413 too_large
    414..423 invalid
    424..424 provider_fault
    425..425 conflict
    426..428 invalid
    429..429 rate_limited
    430..450 invalid
    451..451 forbidden
    452..498 invalid
    499..499 aborted
    500..500 provider_fault
    501..501 invalid
    502..502 provider_fault
    503..503 overloaded
    504..504 provider_timeout
    505..505 invalid
    506..510 provider_fault
    511..511 local_network
    512..523 provider_fault
    524..524 provider_timeout
    525..528 provider_fault
    529..529 overloaded
    530..530 unreachable
    531..599 provider_fault
    ");
}

#[test]
fn openai() {
    let error = |message: &str, kind: &str, code: &str| {
        format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":"{code}"}}}}"#)
    };
    let rows = [
        (401, error("Incorrect API key provided", "invalid_request_error", "invalid_api_key"), Auth),
        (401, error("Anything at all", "invalid_request_error", "x"), Auth),
        (401, error("Your IP not authorized to access", "invalid_request_error", "ip_not_authorized"), Forbidden),
        (403, error("Country, region, or territory not supported", "request_forbidden", "x"), Forbidden),
        (404, error("The model `x` does not exist", "invalid_request_error", "model_not_found"), NotFound),
        (400, error("too long", "invalid_request_error", "context_length_exceeded"), TooLarge),
        (400, error("too long", "invalid_request_error", "string_above_max_length"), TooLarge),
        (400, error("no", "invalid_request_error", "content_policy_violation"), OkFiltered),
        (400, error("no", "invalid_request_error", "invalid_prompt"), OkFiltered),
        (
            400,
            error("Unsupported parameter: 'max_tokens'", "invalid_request_error", "unsupported_parameter"),
            Unsupported,
        ),
        (400, error("Unsupported value: 'temperature'", "invalid_request_error", "x"), Unsupported),
        (400, error("messages must not be empty", "invalid_request_error", "invalid_type"), Invalid),
        (429, error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), Quota),
        (429, error("x", "insufficient_quota", "rate_limit_exceeded"), Quota),
        (429, error("x", "invalid_request_error", "credit_balance_exhausted"), Quota),
        (429, error("x", "invalid_request_error", "billing_hard_limit_reached"), Quota),
        (429, error("Rate limit reached", "tokens", "rate_limit_exceeded"), RateLimited),
        (429, error("Slow down", "requests", "slow_down"), Overloaded),
        (503, error("Slow down", "server_error", "slow_down"), Overloaded),
        (500, error("The server had an error", "server_error", "x"), ProviderFault),
        (503, error("x", "server_error", "server_is_overloaded"), Overloaded),
    ];
    for (status, body, expected) in &rows {
        assert_eq!(class("openai", *status, body), *expected, "{status} {body}");
    }
}

#[test]
fn anthropic() {
    let error = |kind: &str, message: &str| {
        format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#)
    };
    let rows = [
        (400, error("invalid_request_error", "messages: at least one message is required"), Invalid),
        (400, error("invalid_request_error", "You have reached your specified API usage limits."), Quota),
        (400, error("invalid_request_error", "Your credit balance is too low to access the API."), Quota),
        (400, error("invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum"), TooLarge),
        (400, error("invalid_request_error", "temperature: Extra inputs are not permitted"), Unsupported),
        (401, error("authentication_error", "invalid x-api-key"), Auth),
        (402, error("billing_error", "There is an issue with your billing"), Quota),
        (403, error("permission_error", "Your API key may not use this"), Forbidden),
        (404, error("not_found_error", "model: claude-x"), NotFound),
        (409, error("conflict_error", "again"), Conflict),
        (413, error("request_too_large", "Request exceeds the maximum size"), TooLarge),
        (429, error("rate_limit_error", "This request would exceed your rate limit"), RateLimited),
        (500, error("api_error", "Internal server error"), ProviderFault),
        (504, error("timeout_error", "Timed out"), ProviderTimeout),
        (529, error("overloaded_error", "Overloaded"), Overloaded),
    ];
    for (status, body, expected) in &rows {
        assert_eq!(class("anthropic", *status, body), *expected, "{status} {body}");
    }
    let spent = r#"{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    assert_eq!(class("anthropic", 429, spent), Quota);
    let overloaded = classify::in_band(family("anthropic"), error("overloaded_error", "Overloaded").as_bytes());
    assert_eq!(
        overloaded,
        UpstreamError {
            class: Overloaded,
            message: "Overloaded".into(),
            code: Some("overloaded_error".into()),
            retry_after: None,
            request_id: Some("req_1".into()),
        }
    );
}

#[test]
fn openrouter() {
    check(
        "openrouter",
        &[
            (402, r#"{"error":{"code":402,"message":"Insufficient credits"}}"#, Quota),
            (
                403,
                r#"{"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["x"]}}}"#,
                OkFiltered,
            ),
            (403, r#"{"error":{"code":403,"message":"Key limit exceeded (total limit)"}}"#, Quota),
            (408, r#"{"error":{"code":408,"message":"Timed out"}}"#, ProviderTimeout),
            (
                429,
                r#"{"error":{"code":429,"message":"x","metadata":{"error_type":"rate_limit_exceeded"}}}"#,
                RateLimited,
            ),
            (429, r#"{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day"}}"#, Quota),
            (502, r#"{"error":{"code":502,"message":"Provider returned error"}}"#, ProviderFault),
            (
                503,
                r#"{"error":{"code":503,"message":"x","metadata":{"error_type":"provider_overloaded"}}}"#,
                Overloaded,
            ),
            (503, r#"{"error":{"code":503,"message":"x","availability":{"code":"constraint_filtered"}}}"#, NotFound),
            (503, r#"{"error":{"code":503,"message":"Nothing fits"}}"#, Overloaded),
            (404, r#"{"error":{"code":404,"message":"No endpoints found that support tool use."}}"#, Unsupported),
            (400, r#"{"error":{"code":400,"message":"x","metadata":{"error_type":"invalid_prompt"}}}"#, Invalid),
            (
                400,
                r#"{"error":{"code":400,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens\"}}"}}}"#,
                TooLarge,
            ),
        ],
    );
    let budget = classified("openrouter", 402, &[("retry-after", "3")], r#"{"error":{"code":402,"message":"x"}}"#);
    assert_eq!((budget.class, budget.retry_after), (RateLimited, Some(Duration::from_secs(3))));
    let family = family("openrouter");
    for (body, expected) in [
        (r#"{"error":{"code":502,"message":"Upstream died"}}"#, ProviderFault),
        (r#"{"error":{"code":"server_error","message":"Upstream died"}}"#, ProviderFault),
        (r#"{"error":{"code":429,"message":"x"}}"#, RateLimited),
        (r#"{"error":{"code":"429","message":"x"}}"#, RateLimited),
        (r#"{"error":{"message":"x","type":"invalid_request_error"}}"#, Invalid),
    ] {
        assert_eq!(classify::in_band(family, body.as_bytes()).class, expected, "{body}");
    }
}

#[test]
fn zenmux() {
    let error = |kind: &str| format!(r#"{{"error":{{"code":"400","type":"{kind}","message":"no"}}}}"#);
    let rows = [
        (402, "insufficient_credit", Quota),
        (402, "reject_no_credit", Quota),
        (402, "quote_exceeded", Quota),
        (403, "access_denied", Auth),
        (403, "safety_check_failed", OkFiltered),
        (404, "invalid_model", NotFound),
        (404, "model_not_available", NotFound),
        (404, "model_not_supported", NotFound),
        (413, "invalid_params", TooLarge),
        (422, "provider_unprocessable_entity_error", Invalid),
        (429, "rate_limit", RateLimited),
        (500, "provider_error", ProviderFault),
        (500, "provider_api_error", ProviderFault),
        (500, "internal_server_error", ProviderFault),
        (502, "no_provider_available", Overloaded),
        (520, "provider_internal_server_error", ProviderFault),
        (524, "provider_internal_server_error", ProviderTimeout),
    ];
    for (status, kind, expected) in rows {
        assert_eq!(class("zenmux", status, &error(kind)), expected, "{status} {kind}");
    }
}

#[test]
fn other_envelopes() {
    check(
        "xai",
        &[(
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xx***xx"}"#,
            Auth,
        )],
    );
    check(
        "mistral",
        &[(
            422,
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted","input":5}]},"type":"invalid_request_error","param":null,"code":null}"#,
            Unsupported,
        )],
    );
    check(
        "zai",
        &[
            (400, r#"{"error":{"code":"1261","message":"Prompt exceeds max length"}}"#, TooLarge),
            (429, r#"{"error":{"code":"1308","message":"Usage limit reached for 5 hour"}}"#, Quota),
            (429, r#"{"error":{"code":"1302","message":"High concurrency"}}"#, RateLimited),
        ],
    );
    check("cerebras", &[(400, "", TooLarge), (413, "", TooLarge)]);
    check(
        "cerebras",
        &[(
            404,
            r#"{"message":"Model x does not exist","type":"not_found_error","param":"model","code":"model_not_found"}"#,
            NotFound,
        )],
    );
    check(
        "cloudflare-workers-ai",
        &[(400, r#"{"success":false,"errors":[{"code":7003,"message":"No route for that URI"}]}"#, Invalid)],
    );
    check(
        "ollama",
        &[(404, r#"{"error":"model 'x' not found"}"#, NotFound), (500, r#"{"error":"out of memory"}"#, ProviderFault)],
    );
    check(
        "llamacpp",
        &[
            (503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#, Overloaded),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error"}}"#,
                TooLarge,
            ),
        ],
    );
    check(
        "ai21",
        &[(
            422,
            r#"{"detail":[{"loc":["body","messages"],"msg":"field required","type":"value_error.missing"}]}"#,
            Invalid,
        )],
    );
    check("deepseek", &[(400, r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#, NotFound)]);
    let passed = r#"{"base_resp":{"status_code":0},"error":{"code":"rate_limit_exceeded","message":"x"}}"#;
    assert_eq!(classify::in_band(family("minimax"), passed.as_bytes()).class, RateLimited);
    for (code, expected) in [("1004", Auth), ("1008", Quota), ("1039", RateLimited), ("1000", ProviderFault)] {
        let body = format!(r#"{{"base_resp":{{"status_code":{code},"status_msg":"no"}}}}"#);
        let error = classify::in_band(family("minimax"), body.as_bytes());
        assert_eq!((error.class, error.code.as_deref()), (expected, Some(code)));
    }
}

#[test]
fn overflow_has_many_wordings() {
    for message in [
        "prompt is too long: 213462 tokens > 200000 maximum",
        "Your input exceeds the context window of this model",
        "Requested token count exceeds the model's maximum context length of 131072 tokens",
        "Context Window exceeded for given call.",
        "Input length (265330) exceeds model's maximum context length (262144).",
        "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens",
        "Please reduce the length of the messages or completion",
        "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens",
        "Input length 9 exceeds the maximum allowed input length of 8 tokens.",
        "The input (9 tokens) is longer than the model's context length (8 tokens).",
        "the request exceeds the available context size, try increasing it",
        "tokens to keep from the initial prompt is greater than the context length",
        "prompt token count of 9 exceeds the limit of 8",
        "invalid params, context window exceeds limit",
        "Your request exceeded model token limit: 9 (requested: 8)",
        "Prompt has 9 tokens, but the configured context size is 8 tokens",
        "Prompt contains 9 tokens, too large for model with 8 maximum context length",
        "Prompt exceeds max length",
        "Range of input length should be [1, 8]",
        "prompt too long; exceeded max context length by 4 tokens",
        "Input is too long for requested model.",
    ] {
        let body = format!(r#"{{"error":{{"message":"{message}","type":"invalid_request_error"}}}}"#);
        assert_eq!(class("any", 400, &body), TooLarge, "{message}");
        assert_eq!(class("any", 401, &body), Auth, "{message}");
    }
    let rate = r#"{"error":{"message":"Too many tokens, please wait before trying again."}}"#;
    assert_eq!(class("any", 429, rate), RateLimited);
    assert_eq!(class("any", 400, rate), Invalid);
}

#[test]
fn hints_are_trusted_for_an_hour() {
    let limited = |headers: &[(&str, &str)]| {
        let error = classified("openai", 429, headers, r#"{"error":{"code":"rate_limit_exceeded","message":"x"}}"#);
        (error.class, error.retry_after)
    };
    assert_eq!(limited(&[]), (RateLimited, None));
    assert_eq!(limited(&[("retry-after", "3600")]), (RateLimited, Some(Duration::from_secs(3600))));
    assert_eq!(limited(&[("retry-after", "3601")]), (Quota, Some(Duration::from_secs(3600))));
    assert_eq!(
        limited(&[("x-ratelimit-reset-tokens", "2m59.56s")]),
        (RateLimited, Some(Duration::from_millis(179_560)))
    );
    // The windows are a hint of a 429 alone; every answer carries them.
    let fault = classified("openai", 500, &[("x-ratelimit-reset-tokens", "6m0s")], "");
    assert_eq!((fault.class, fault.retry_after), (ProviderFault, None));
    let busy = classified("openai", 503, &[("retry-after", "7")], "");
    assert_eq!((busy.class, busy.retry_after), (Overloaded, Some(Duration::from_secs(7))));
}

#[test]
fn the_words_are_one_short_line() {
    let page = "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>nginx</body></html>";
    let error = classified("openai", 502, &[("x-request-id", "req-7")], page);
    assert_eq!((error.message.as_str(), error.request_id.as_deref()), ("502 Bad Gateway", Some("req-7")));
    assert_eq!(classified("openai", 503, &[], "").message, "HTTP 503 (Service Unavailable)");
    let long = classified(
        "openai",
        400,
        &[],
        &format!(r#"{{"error":{{"message":"a\n{}","code":"{}"}}}}"#, "ü".repeat(999), "c".repeat(99)),
    );
    assert_eq!(long.message.chars().count(), 300);
    assert_eq!(long.code.unwrap().chars().count(), 64);
}
