//! What a failure permits next (`metrics.md` 4.1): one table, read by failover, the store, the output and the docs.

use std::time::Duration;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// A whole answer.
    Ok,
    /// A whole answer that ran into the output limit.
    OkTruncated,
    /// The model spent everything on reasoning and said nothing.
    OkNoAnswer,
    /// A content filter or a refusal by one ended the answer.
    OkFiltered,
    /// 5xx, a bad body, an empty stream, a finish of `error`.
    ProviderFault,
    /// 503, 529, "overloaded", "slow down".
    Overloaded,
    /// One of our limits fired after the request was sent, or 408, 504, 524.
    ProviderTimeout,
    /// The stream broke after at least one token.
    StreamBroken,
    /// DNS, TCP or TLS failed at this provider.
    Unreachable,
    /// 429.
    RateLimited,
    /// No credit, a spend limit, a daily quota.
    Quota,
    /// A bad or missing key.
    Auth,
    /// Region, plan, permission, address list.
    Forbidden,
    /// The model or the deployment is gone.
    NotFound,
    /// 400 or 422 from what we sent.
    Invalid,
    /// The endpoint lacks a parameter that was asked for.
    Unsupported,
    /// The prompt does not fit, or 413.
    TooLarge,
    /// 409, 425.
    Conflict,
    /// The user or the caller stopped it.
    Aborted,
    /// The user's own network is down.
    LocalNetwork,
    /// A bad URL, a proxy that refuses, an unknown CA everywhere, a local server that does not run.
    LocalConfig,
    /// Our parser failed on valid data.
    ClientBug,
}

/// Where a failure may go next within one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failover {
    /// It is no failure.
    Done,
    /// To the next candidate; the same endpoint again only if it may be retried and no other is open.
    Next {
        /// Whether the same endpoint may be tried again.
        retry_same: bool,
    },
    /// To candidates that lack the cause (a larger window, the parameter), which the filter knows.
    NextIfFits,
    /// Nowhere: every provider would fail alike, or text was already shown.
    Stop,
}

/// How long an endpoint is left alone after a failure of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cooldown {
    /// Not at all.
    None,
    /// For what the provider asked for, else this long, doubling with each failure in a row up to the second value.
    Hint(Duration, Duration),
    /// For this long.
    Fixed(Duration),
    /// Not after one alone: after so many in a row for the first duration, doubling up to the second. An endpoint that
    /// fails again right after its pause is left alone again at once.
    InARow(u32, Duration, Duration),
}

const HOUR: Duration = Duration::from_secs(3600);

impl ErrorClass {
    /// Every class, in the order of the documentation; the position is the number in the store.
    pub const ALL: [Self; 22] = [
        Self::Ok,
        Self::OkTruncated,
        Self::OkNoAnswer,
        Self::OkFiltered,
        Self::ProviderFault,
        Self::Overloaded,
        Self::ProviderTimeout,
        Self::StreamBroken,
        Self::Unreachable,
        Self::RateLimited,
        Self::Quota,
        Self::Auth,
        Self::Forbidden,
        Self::NotFound,
        Self::Invalid,
        Self::Unsupported,
        Self::TooLarge,
        Self::Conflict,
        Self::Aborted,
        Self::LocalNetwork,
        Self::LocalConfig,
        Self::ClientBug,
    ];

    /// The word in output, e.g. `rate_limited`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::OkTruncated => "ok_truncated",
            Self::OkNoAnswer => "ok_no_answer",
            Self::OkFiltered => "ok_filtered",
            Self::ProviderFault => "provider_fault",
            Self::Overloaded => "overloaded",
            Self::ProviderTimeout => "provider_timeout",
            Self::StreamBroken => "stream_broken",
            Self::Unreachable => "unreachable",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Auth => "auth",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::Conflict => "conflict",
            Self::Aborted => "aborted",
            Self::LocalNetwork => "local_network",
            Self::LocalConfig => "local_config",
            Self::ClientBug => "client_bug",
        }
    }

    /// What it is, in a line for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "a whole answer",
            Self::OkTruncated => "a whole answer that ran into the output limit",
            Self::OkNoAnswer => "all tokens went into reasoning",
            Self::OkFiltered => "ended or refused by a content filter",
            Self::ProviderFault => "5xx, a body that is no answer, an empty answer",
            Self::Overloaded => "the provider is at its limit (503, 529), or still loading its model",
            Self::ProviderTimeout => "a limit fired after the request was sent; 408, 504, 524",
            Self::StreamBroken => "it broke off after the first token",
            Self::Unreachable => "no connection to it, while others can be reached",
            Self::RateLimited => "too many requests or tokens (429)",
            Self::Quota => "no credit, a spend limit, the quota of the day (402)",
            Self::Auth => "the key is missing or rejected (401)",
            Self::Forbidden => "region, plan, permission, address list (403)",
            Self::NotFound => "the model or its deployment is gone (404, 410)",
            Self::Invalid => "the request is refused as it is (400, 422)",
            Self::Unsupported => "a parameter that this endpoint lacks",
            Self::TooLarge => "the prompt does not fit (413)",
            Self::Conflict => "try again (409, 425)",
            Self::Aborted => "stopped by you or by --hedge, or by your limit before it was sent",
            Self::LocalNetwork => "nobody can be reached from here",
            Self::LocalConfig => "a wrong address, a proxy, certificates, the clock, a server here that does not run",
            Self::ClientBug => "openmux could not read valid data",
        }
    }

    /// The number in the store.
    #[must_use]
    pub fn number(self) -> i64 {
        Self::ALL.iter().position(|&class| class == self).and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
    }

    /// The class of that number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Whether the answer is whole as far as availability goes.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Ok | Self::OkTruncated | Self::OkNoAnswer | Self::OkFiltered)
    }

    /// Whether it counts against the provider's availability.
    #[must_use]
    pub const fn is_provider_fault(self) -> bool {
        matches!(
            self,
            Self::ProviderFault | Self::Overloaded | Self::ProviderTimeout | Self::StreamBroken | Self::Unreachable
        )
    }

    /// Who owns the failure: `provider`, `your key`, `your request`, `your network`, `openmux`; empty for a success.
    #[must_use]
    pub const fn owner(self) -> &'static str {
        match self {
            Self::Ok | Self::OkTruncated | Self::OkNoAnswer => "",
            Self::ProviderFault
            | Self::Overloaded
            | Self::ProviderTimeout
            | Self::StreamBroken
            | Self::Unreachable
            | Self::NotFound
            | Self::Conflict => "provider",
            Self::RateLimited | Self::Quota | Self::Auth | Self::Forbidden => "your key",
            Self::OkFiltered | Self::Invalid | Self::Unsupported | Self::TooLarge | Self::Aborted => "your request",
            Self::LocalNetwork | Self::LocalConfig => "your network",
            Self::ClientBug => "openmux",
        }
    }

    /// Where the request may go next, before anything of the answer was shown.
    #[must_use]
    pub const fn failover(self) -> Failover {
        match self {
            Self::Ok | Self::OkTruncated | Self::OkNoAnswer | Self::OkFiltered => Failover::Done,
            Self::ProviderFault | Self::Overloaded | Self::Unreachable | Self::RateLimited | Self::Conflict => {
                Failover::Next { retry_same: true }
            }
            // A break after a token is only ever failed over where nothing has reached the caller.
            Self::StreamBroken => Failover::Next { retry_same: true },
            Self::ProviderTimeout | Self::Quota | Self::Auth | Self::Forbidden | Self::NotFound | Self::ClientBug => {
                Failover::Next { retry_same: false }
            }
            // A server on this machine that does not run says nothing about the others.
            Self::LocalConfig => Failover::Next { retry_same: false },
            Self::Unsupported | Self::TooLarge => Failover::NextIfFits,
            Self::Invalid | Self::Aborted | Self::LocalNetwork => Failover::Stop,
        }
    }

    /// How long the endpoint is left alone by later requests.
    #[must_use]
    pub const fn cooldown(self) -> Cooldown {
        match self {
            // The default of `routing.md`, which wins over the 5 to 300 s of `metrics.md` 4.1 (`decisions.md` 12).
            Self::RateLimited => Cooldown::Hint(Duration::from_millis(1500), Duration::from_secs(30)),
            Self::Quota | Self::Auth | Self::Forbidden | Self::NotFound => Cooldown::Fixed(HOUR),
            // It turns a few calls away, not all: the simulation loses more by leaving it at the first.
            Self::Overloaded => Cooldown::InARow(3, Duration::from_secs(10), Duration::from_secs(60)),
            Self::ProviderFault | Self::ProviderTimeout | Self::StreamBroken | Self::Unreachable => {
                Cooldown::InARow(3, Duration::from_secs(2), Duration::from_secs(60))
            }
            _ => Cooldown::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_number_of_its_own() {
        for (at, class) in ErrorClass::ALL.into_iter().enumerate() {
            assert_eq!(class.number(), i64::try_from(at).unwrap());
            assert_eq!(ErrorClass::from_number(class.number()), Some(class));
        }
        assert_eq!(ErrorClass::from_number(99), None);
    }

    #[test]
    fn a_success_never_fails_over_and_a_fault_is_owned() {
        for class in ErrorClass::ALL {
            assert_eq!(class.is_success(), class.failover() == Failover::Done, "{}", class.name());
            assert!(!(class.is_success() && class.is_provider_fault()));
            if class.is_provider_fault() {
                assert_eq!(class.owner(), "provider");
            }
        }
    }
}
