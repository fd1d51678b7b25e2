//! What a local provider can be told to do wrong.

/// One way to fail; each is played in the true envelope of the provider's protocol.
///
/// The mid-stream faults come after `fault_after_tokens` tokens. Where the answer is not streamed there is no middle of
/// a stream: the body is then cut or stops half-way, or is the error envelope itself under HTTP 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// 401: the key is not accepted.
    Unauthorized,
    /// 404: the model does not exist.
    NotFound,
    /// 429, with `retry-after` where the scenario sets `retry_after_s`.
    RateLimit,
    /// The account has no credit: 429 `insufficient_quota`, or 402 `billing_error`.
    Quota,
    /// 500.
    ServerError,
    /// 503 `server_is_overloaded`, or 529 `overloaded_error`.
    Overloaded,
    /// 502 with a page of HTML, as from a proxy in front of the provider.
    Html502,
    /// The socket is closed in the middle of the answer.
    CloseMidStream,
    /// An error event inside a response that began with 200.
    ErrorEventMidStream,
    /// The whole text, then a clean end of the body without finish reason and terminator.
    EndWithoutDone,
    /// The answer stops at the output limit.
    Length,
    /// Some of the answer, then silence on an open connection.
    StallMidStream,
    /// The request is accepted, and nothing is ever sent.
    NeverAnswer,
    /// The head of a response, then silence.
    HangAfterHeaders,
    /// 200 with a body of no bytes.
    Empty,
    /// One event of the answer (or the body that is not streamed) is broken JSON; everything around it is well formed.
    Malformed,
    /// 400 for the first parameter of the request that not every model takes (`temperature`, `seed`, ...). A request
    /// with none of them is answered.
    RefuseParameter,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 17] = [
        Self::Unauthorized,
        Self::NotFound,
        Self::RateLimit,
        Self::Quota,
        Self::ServerError,
        Self::Overloaded,
        Self::Html502,
        Self::CloseMidStream,
        Self::ErrorEventMidStream,
        Self::EndWithoutDone,
        Self::Length,
        Self::StallMidStream,
        Self::NeverAnswer,
        Self::HangAfterHeaders,
        Self::Empty,
        Self::Malformed,
        Self::RefuseParameter,
    ];

    /// The name in scenario files, e.g. `close-mid-stream`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not-found",
            Self::RateLimit => "rate-limit",
            Self::Quota => "quota",
            Self::ServerError => "server-error",
            Self::Overloaded => "overloaded",
            Self::Html502 => "html-502",
            Self::CloseMidStream => "close-mid-stream",
            Self::ErrorEventMidStream => "error-event-mid-stream",
            Self::EndWithoutDone => "end-without-done",
            Self::Length => "length",
            Self::StallMidStream => "stall-mid-stream",
            Self::NeverAnswer => "never-answer",
            Self::HangAfterHeaders => "hang-after-headers",
            Self::Empty => "empty",
            Self::Malformed => "malformed",
            Self::RefuseParameter => "refuse-parameter",
        }
    }

    /// The fault of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}
