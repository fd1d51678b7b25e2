//! The rows of Amazon Bedrock in `metrics.md` 4.4, as headers, as bodies and inside event streams.

use openmux::observe::ErrorClass::{self, *};
use openmux::upstream::classify;

use super::head;

/// Status, name, message, class.
const ROWS: &[(u16, &str, &str, ErrorClass)] = &[
    (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", Forbidden),
    (403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.", Auth),
    (403, "AccessDeniedException", "Bearer Token has expired", Auth),
    (
        404,
        "ResourceNotFoundException",
        "Could not resolve the foundation model from the provided model identifier.",
        NotFound,
    ),
    (400, "ValidationException", "The provided request is not valid", Invalid),
    (400, "ValidationException", "Input is too long for requested model.", TooLarge),
    (400, "ValidationException", "prompt is too long: 208000 tokens > 200000 maximum", TooLarge),
    (
        400,
        "ValidationException",
        "Too many input tokens. Max input tokens: 128000, request input token count: 200000",
        TooLarge,
    ),
    (
        400,
        "ValidationException",
        "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000",
        TooLarge,
    ),
    (400, "ValidationException", "The provided model identifier is invalid.", NotFound),
    (
        400,
        "ValidationException",
        "Invocation of model ID anthropic.claude-sonnet-5 with on-demand throughput isn\u{2019}t supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
        NotFound,
    ),
    (400, "ValidationException", "This model doesn't support tool use.", Unsupported),
    (
        400,
        "ValidationException",
        "Malformed input request: #/toolConfig/tools/0: extraneous key [cachePoint] is not permitted, please reformat your input and try again.",
        Unsupported,
    ),
    (400, "ValidationException", "Operation not allowed", Forbidden),
    (403, "UnrecognizedClientException", "The security token included in the request is invalid.", Auth),
    (403, "InvalidClientTokenId", "The security token included in the request is invalid", Auth),
    (403, "ExpiredTokenException", "The security token included in the request is expired", Auth),
    (403, "ExpiredToken", "The provided token has expired.", Auth),
    (403, "MissingAuthenticationTokenException", "Missing Authentication Token", Auth),
    (403, "IncompleteSignatureException", "Authorization header requires 'Signature' parameter.", Auth),
    (
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.",
        Auth,
    ),
    (
        403,
        "InvalidSignatureException",
        "Signature expired: 20261124T074301Z is now earlier than 20261124T080000Z (20261124T080500Z - 5 min.)",
        LocalConfig,
    ),
    (
        403,
        "InvalidSignatureException",
        "Signature not yet current: 20261124T084301Z is still later than 20261124T080500Z (20261124T080000Z + 5 min.)",
        LocalConfig,
    ),
    (429, "ModelNotReadyException", "The model is not ready to serve inference requests.", Overloaded),
    (429, "ThrottlingException", "Too many tokens, please wait before trying again.", RateLimited),
    (429, "ThrottlingException", "Too many tokens per day, please wait before trying again.", Quota),
    (400, "ThrottlingException", "Rate exceeded", RateLimited),
    (400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.", Quota),
    (402, "ServiceQuotaExceededException", "", Quota),
    (408, "ModelTimeoutException", "The request took too long to process.", ProviderTimeout),
    (424, "ModelErrorException", "The request failed due to an error while processing the model.", ProviderFault),
    (424, "ModelStreamErrorException", "An error occurred while streaming the response.", ProviderFault),
    (500, "InternalServerException", "An internal server error occurred.", ProviderFault),
    (503, "ServiceUnavailableException", "The service isn't currently available.", Overloaded),
    (404, "UnknownOperationException", "", NotFound),
];

#[test]
fn every_row_in_a_header_a_body_and_a_stream() {
    for &(status, name, said, expected) in ROWS {
        let body = serde_json::json!({ "message": said }).to_string();
        for header in [name.to_owned(), format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/")] {
            let error = classify::aws(&head(status, &[("x-amzn-errortype", &header)]), body.as_bytes());
            assert_eq!((error.class, error.code.as_deref()), (expected, Some(name)), "{status} {header}: {said}");
            assert!(!error.message.is_empty(), "{status} {name}");
        }
        for kind in [name.to_owned(), format!("com.amazon.coral.service#{name}")] {
            let body = serde_json::json!({ "__type": kind, "Message": said }).to_string();
            let error = classify::aws(&head(status, &[]), body.as_bytes());
            assert_eq!((error.class, error.code.as_deref()), (expected, Some(name)), "{status} {kind}: {said}");
        }
        let first = name[..1].to_lowercase() + &name[1..];
        let error = classify::aws_event(&first, body.as_bytes());
        assert_eq!((error.class, error.code.as_deref()), (expected, Some(first.as_str())), "{first}: {said}");
    }
}

#[test]
fn without_a_name_the_status_decides_and_nothing_is_followed() {
    for (status, expected) in
        [(400, Invalid), (403, Forbidden), (429, RateLimited), (500, ProviderFault), (503, Overloaded)]
    {
        assert_eq!(classify::aws(&head(status, &[]), b"").class, expected, "{status}");
        assert_eq!(classify::aws(&head(status, &[("x-amzn-errortype", "NovelException")]), b"").class, expected);
    }
    assert_eq!(classify::aws(&head(307, &[("x-amzn-errortype", "ThrottlingException")]), b"").class, LocalConfig);
    assert_eq!(classify::aws_event("novelException", b"{}").class, ProviderFault);
    let error = classify::aws(&head(429, &[("x-amzn-requestid", "6c1a"), ("retry-after", "3")]), b"{}");
    assert_eq!(error.request_id.as_deref(), Some("6c1a"));
    assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(3)));
}
