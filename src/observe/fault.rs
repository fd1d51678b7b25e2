//! Whose fault it is that no response came (`metrics.md` 4.2): one decision over plain values. What is asked to find out
//! is `dispatch`'s.

use std::time::Duration;

use super::ErrorClass;

/// How the wire failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WireErrorKind {
    /// The resolver answered: there is no such name.
    NoSuchName,
    /// The resolver did not answer.
    Resolver,
    /// The connection was refused.
    Refused,
    /// The system knows no way there.
    NoRoute,
    /// The connection was not up in time.
    ConnectTimeout,
    /// No connection, for another reason.
    Connect,
    /// A certificate that has expired, or is not valid yet.
    CertificateTime,
    /// A certificate for another name.
    CertificateName,
    /// A certificate of an issuer that is not known here.
    CertificateIssuer,
    /// TLS failed for another reason.
    Tls,
    /// The proxy cannot be reached.
    ProxyUnreachable,
    /// The proxy wants a log-in (407).
    ProxyRefused,
    /// The connection broke after the request went out.
    Broken,
    /// The request itself could not be made.
    Request,
}

impl WireErrorKind {
    /// Whether it may as well be the user's own network: the connection never came up.
    #[must_use]
    pub const fn is_ambiguous(self) -> bool {
        !matches!(self, Self::ProxyUnreachable | Self::ProxyRefused | Self::Broken | Self::Request)
    }

    /// Whether TCP was up and what came after it failed: others must be asked in the same way.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::CertificateTime | Self::CertificateName | Self::CertificateIssuer | Self::Tls)
    }
}

/// What is known of the other origins that the user has set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Others {
    /// There are none, or none were asked.
    Unknown,
    /// At least one can be reached.
    Up {
        /// By how much its clock differs from ours, where it told the time.
        clock_off: Option<Duration>,
    },
    /// None of those that were asked: how each failed.
    Down(Vec<WireErrorKind>),
}

/// Everything that the decision rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// How it failed.
    pub kind: WireErrorKind,
    /// Whether the address is on this machine.
    pub loopback: bool,
    /// Whether this endpoint has ever answered here.
    pub answered_before: bool,
    /// What is known of others.
    pub others: Others,
}

/// What lies behind a failure, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The provider's.
    Provider,
    /// Nobody else was there to ask: taken for the provider's, and left out of its availability.
    Unconfirmed,
    /// A server on this machine does not run.
    NotRunning,
    /// A name that never led anywhere, or an address that makes no request.
    Address,
    /// This machine has no network.
    Network,
    /// Something in between answers for everybody, like the log-in page of a hotel.
    Portal,
    /// The proxy cannot be reached, or wants a log-in.
    Proxy,
    /// Every certificate comes from an issuer that is not known here: a proxy that reads along, or a root that is missing.
    Issuer,
    /// This machine's clock is wrong by so much; `None` where nobody told the time and all certificates look out of date.
    Clock(Option<Duration>),
}

impl Fault {
    /// What it means for the attempt.
    #[must_use]
    pub const fn class(self) -> ErrorClass {
        match self {
            Self::Provider | Self::Unconfirmed => ErrorClass::Unreachable,
            Self::Network | Self::Portal => ErrorClass::LocalNetwork,
            Self::NotRunning | Self::Address | Self::Proxy | Self::Issuer | Self::Clock(_) => ErrorClass::LocalConfig,
        }
    }

    /// Whether every other provider would fail alike, so that none need be tried.
    #[must_use]
    pub const fn is_everywhere(self) -> bool {
        matches!(self, Self::Network | Self::Portal | Self::Proxy | Self::Issuer | Self::Clock(_))
    }
}

/// Clocks may differ by this much before certificates are read wrongly.
const CLOCK_SLACK: Duration = Duration::from_secs(300);

/// The decision, in the order of the page. A connection that broke after it was up is not decided here: it is the
/// provider's.
#[must_use]
pub fn blame(seen: &Evidence) -> Fault {
    use WireErrorKind as Kind;
    let all = |kinds: &[Kind], kind: Kind| kinds.iter().all(|other| *other == kind);
    match (seen.kind, &seen.others) {
        (Kind::Request, _) => Fault::Address,
        (Kind::ProxyUnreachable | Kind::ProxyRefused, _) => Fault::Proxy,
        (Kind::Broken, _) => Fault::Provider,
        (Kind::Refused, _) if seen.loopback => Fault::NotRunning,
        // The network has no part in it.
        _ if seen.loopback => Fault::Provider,
        (_, Others::Unknown) => Fault::Unconfirmed,
        (Kind::CertificateIssuer, Others::Down(kinds)) if all(kinds, Kind::CertificateIssuer) => Fault::Issuer,
        (Kind::CertificateName, Others::Down(kinds)) if all(kinds, Kind::CertificateName) => Fault::Portal,
        (Kind::CertificateTime, Others::Down(kinds)) if all(kinds, Kind::CertificateTime) => Fault::Clock(None),
        (_, Others::Down(_)) => Fault::Network,
        (Kind::CertificateTime, Others::Up { clock_off: Some(off) }) if *off > CLOCK_SLACK => Fault::Clock(Some(*off)),
        (Kind::NoSuchName, Others::Up { .. }) if !seen.answered_before => Fault::Address,
        (_, Others::Up { .. }) => Fault::Provider,
    }
}

#[cfg(test)]
mod tests {
    use super::WireErrorKind::*;
    use super::*;

    const UP: Others = Others::Up { clock_off: None };

    fn off(seconds: u64) -> Others {
        Others::Up { clock_off: Some(Duration::from_secs(seconds)) }
    }

    fn judge(kind: WireErrorKind, others: Others) -> Fault {
        blame(&Evidence { kind, loopback: false, answered_before: true, others })
    }

    #[test]
    fn each_row_of_the_page() {
        let down = |kinds: &[WireErrorKind]| Others::Down(kinds.to_vec());
        let rows = [
            // 3: the control check.
            (ConnectTimeout, down(&[ConnectTimeout, NoRoute]), Fault::Network),
            (ConnectTimeout, UP, Fault::Provider),
            // 4: a proxy, whatever others say.
            (ProxyUnreachable, UP, Fault::Proxy),
            (ProxyRefused, Others::Unknown, Fault::Proxy),
            // 5: names.
            (Resolver, down(&[Resolver, Resolver]), Fault::Network),
            (NoSuchName, down(&[NoSuchName, Resolver]), Fault::Network),
            (NoSuchName, UP, Fault::Provider),
            // 6: TCP.
            (Refused, UP, Fault::Provider),
            (NoRoute, UP, Fault::Provider),
            (Connect, UP, Fault::Provider),
            // 7: TLS.
            (CertificateTime, off(299), Fault::Provider),
            (CertificateTime, off(301), Fault::Clock(Some(Duration::from_secs(301)))),
            (CertificateTime, down(&[CertificateTime, CertificateTime]), Fault::Clock(None)),
            (CertificateName, off(7200), Fault::Provider),
            (CertificateIssuer, UP, Fault::Provider),
            (CertificateIssuer, down(&[CertificateIssuer, CertificateIssuer]), Fault::Issuer),
            (CertificateIssuer, down(&[CertificateIssuer, NoRoute]), Fault::Network),
            (Tls, UP, Fault::Provider),
            // 8: a portal's certificate is right for nobody.
            (CertificateName, down(&[CertificateName]), Fault::Portal),
            // 9: nobody to ask.
            (ConnectTimeout, Others::Unknown, Fault::Unconfirmed),
            (CertificateIssuer, Others::Unknown, Fault::Unconfirmed),
            (Broken, Others::Unknown, Fault::Provider),
            (Request, UP, Fault::Address),
        ];
        for (kind, others, expected) in rows {
            assert_eq!(judge(kind, others.clone()), expected, "{kind:?} {others:?}");
        }
    }

    #[test]
    fn a_name_that_never_led_anywhere_is_a_mistake_in_the_address() {
        let seen = Evidence { kind: NoSuchName, loopback: false, answered_before: false, others: UP };
        assert_eq!(blame(&seen), Fault::Address);
        let alone = Evidence { others: Others::Unknown, ..seen.clone() };
        assert_eq!(blame(&alone), Fault::Unconfirmed);
        assert_eq!(blame(&Evidence { kind: Refused, ..seen }), Fault::Provider);
    }

    #[test]
    fn on_this_machine_the_network_is_never_to_blame() {
        let down = Others::Down(vec![NoRoute, NoRoute]);
        for (kind, expected) in [(Refused, Fault::NotRunning), (ConnectTimeout, Fault::Provider)] {
            let seen = Evidence { kind, loopback: true, answered_before: false, others: down.clone() };
            assert_eq!(blame(&seen), expected, "{kind:?}");
        }
    }

    #[test]
    fn what_is_wrong_everywhere_is_never_the_providers() {
        for kind in [NoSuchName, Resolver, Refused, NoRoute, ConnectTimeout, Connect, CertificateTime, Tls] {
            for others in [Others::Unknown, UP, off(7200), Others::Down(vec![kind]), Others::Down(vec![NoRoute])] {
                let fault = judge(kind, others);
                assert!(!(fault.is_everywhere() && fault.class().is_provider_fault()), "{fault:?}");
            }
        }
    }
}
