//! V13 and rule 7 of `metrics.md` 4.2: certificates, issuers and clocks, over real handshakes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use openmux::dispatch::Reach;
use openmux::observe::{Fault, WireErrorKind};
use openmux::store::Memory;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Leads, chat_among, classes, reach, runtime, transport};

/// Who signs the others, until 2126.
const ROOT: &str = "\
-----BEGIN CERTIFICATE-----
MIIBTzCB9aADAgECAhQI9DPbUkXFWY5bZcA+NCMMVJjGCDAKBggqhkjOPQQDAjAU
MRIwEAYDVQQDDAlyb290LnRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyNjAxMDEw
MDAwMDBaMBQxEjAQBgNVBAMMCXJvb3QudGVzdDBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABBqtOYEu3BecOG8uLsZpg5aassU065CiYvohtsRwjH+oE7y6hjw2vRCD
hqsGWithM+5yaH4hgSI1IWYCY1Bc6IujIzAhMA8GA1UdEwEB/wQFMAMBAf8wDgYD
VR0PAQH/BAQDAgGGMAoGCCqGSM49BAMCA0kAMEYCIQCtK26b1nwYtV7cX5N5vRgw
j2qL92D4NbAiw6uHyXEmIAIhAOSddrQ8OFx9ujoRZxbAaeFXS/H77t4unacxQV7V
EzQ+
-----END CERTIFICATE-----
";

/// For a.test, b.test and c.test.
const GOOD: &str = "\
-----BEGIN CERTIFICATE-----
MIIBdTCCARqgAwIBAgIUDxZiWOaDbSCmzM9AjJRF5aG5Cy4wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJcm9vdC50ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjYwMTAx
MDAwMDAwWjAUMRIwEAYDVQQDDAlnb29kLnRlc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARc0E8KdERtRHEeo+gN4KGkp+PP6SYD2IGAdOTLideHTmqidG+PibmF
KkL+cCrKK7gJfHJQOKyswCVT3PJmgPxro0gwRjAMBgNVHRMBAf8EAjAAMCEGA1Ud
EQQaMBiCBmEudGVzdIIGYi50ZXN0ggZjLnRlc3QwEwYDVR0lBAwwCgYIKwYBBQUH
AwEwCgYIKoZIzj0EAwIDSQAwRgIhANm/Are5ZAmf1LLLU2c3LJ6yf7N0QMolu/CF
EN7WEpOlAiEAgVkmJypqY6WyXEu8W0LLoBbdaIr5c1HVT6riHUa659k=
-----END CERTIFICATE-----
";

/// The same, until the end of 2020.
const OLD: &str = "\
-----BEGIN CERTIFICATE-----
MIIBcjCCARegAwIBAgIULeoZeuh2QsWBi1ge82cXbfyYBkEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJcm9vdC50ZXN0MB4XDTIwMDEwMTAwMDAwMFoXDTIxMDEwMTAw
MDAwMFowEzERMA8GA1UEAwwIb2xkLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAARc0E8KdERtRHEeo+gN4KGkp+PP6SYD2IGAdOTLideHTmqidG+PibmFKkL+
cCrKK7gJfHJQOKyswCVT3PJmgPxro0gwRjAMBgNVHRMBAf8EAjAAMCEGA1UdEQQa
MBiCBmEudGVzdIIGYi50ZXN0ggZjLnRlc3QwEwYDVR0lBAwwCgYIKwYBBQUHAwEw
CgYIKoZIzj0EAwIDSQAwRgIhAMYNlDHdRBrNKEGYIiFyKFxlbOFlH8enlFnqCcFR
AG8pAiEA6k6DC0tn3lHYadbZ7LL4TsjhtKxSW8JkCbY3Mij7SoU=
-----END CERTIFICATE-----
";

/// The key of both. It guards nothing.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIXH0tiia0zSWOHJO
+TVxC3tPEJO7xls6+1on9I2c2vShRANCAARc0E8KdERtRHEeo+gN4KGkp+PP6SYD
2IGAdOTLideHTmqidG+PibmFKkL+cCrKK7gJfHJQOKyswCVT3PJmgPxr
-----END PRIVATE KEY-----
";

/// A server on this machine under a certificate, which tells this time; it serves handshakes until the test ends.
fn server(certificate: &str, date: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
            let mut request = [0; 4096];
            // A client that does not like the certificate goes.
            if matches!(stream.read(&mut request), Ok(1..)) {
                let answer =
                    format!("HTTP/1.1 404 No\r\ndate: {date}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    port
}

const NAMES: [(&str, Leads); 4] =
    [("a.test", Leads::Here), ("b.test", Leads::Here), ("c.test", Leads::Here), ("d.test", Leads::Here)];
const NOW: &str = "Tue, 24 Nov 2026 10:00:30 GMT";

/// What becomes of a chat with `name` at a port, where others are set up beside it.
fn fault(name: &str, port: u16, others: &[(&str, u16)], roots: Option<&str>) -> (Vec<&'static str>, Option<Fault>) {
    let https = |name: &str, port: u16| format!("https://{name}:{port}/v1");
    let asked = reach("asked", https(name, port));
    let others = others.iter().enumerate().map(|(at, (name, port))| reach(["x", "y"][at], https(name, *port)));
    let all: Vec<Reach> = std::iter::once(asked.clone()).chain(others).collect();
    let (network, store) = (transport(&NAMES, roots), Memory::new());
    let now = || "2026-11-24T10:00:00Z".parse().unwrap();
    let (report, _) = runtime().block_on(chat_among(&[asked], &all, &network, &store, 0, now));
    (classes(&report), report.attempts[0].fault)
}

#[test]
fn a_certificate_that_has_expired_is_the_providers_fault_unless_the_clock_is_wrong() {
    let (old, good) = (server(OLD, NOW), server(GOOD, NOW));
    assert_eq!(fault("a.test", old, &[("b.test", good)], Some(ROOT)), (vec!["unreachable"], Some(Fault::Provider)));
    let ahead = server(GOOD, "Tue, 24 Nov 2026 12:00:00 GMT");
    let off = Fault::Clock(Some(Duration::from_secs(7200)));
    assert_eq!(fault("a.test", old, &[("b.test", ahead)], Some(ROOT)), (vec!["local_config"], Some(off)));
    assert_eq!(fault("a.test", old, &[("b.test", old)], Some(ROOT)).1, Some(Fault::Clock(None)));
    assert_eq!(fault("a.test", old, &[], Some(ROOT)), (vec!["unreachable"], Some(Fault::Unconfirmed)));
}

#[test]
fn an_issuer_that_is_unknown_everywhere_is_somebody_in_between() {
    let (one, other) = (server(GOOD, NOW), server(GOOD, NOW));
    let expected = (vec!["local_config"], Some(Fault::Issuer));
    assert_eq!(fault("a.test", one, &[("b.test", other), ("c.test", other)], None), expected);
}

#[test]
fn a_certificate_for_another_name_is_a_portal_where_everybody_has_it() {
    let good = server(GOOD, NOW);
    assert_eq!(fault("d.test", good, &[("b.test", good)], Some(ROOT)).1, Some(Fault::Provider));
    let portal = (vec!["local_network"], Some(Fault::Portal));
    assert_eq!(fault("d.test", good, &[("d.test", server(GOOD, NOW))], Some(ROOT)), portal);
}

#[test]
fn each_failure_of_a_handshake_has_a_kind_of_its_own() {
    let kind = |name: &str, port: u16, roots: Option<&str>| {
        let network = transport(&NAMES, roots);
        runtime().block_on(network.knock(&format!("https://{name}:{port}/v1"), true)).unwrap_err()
    };
    let (old, good) = (server(OLD, NOW), server(GOOD, NOW));
    assert_eq!(kind("a.test", old, Some(ROOT)), WireErrorKind::CertificateTime);
    assert_eq!(kind("d.test", good, Some(ROOT)), WireErrorKind::CertificateName);
    assert_eq!(kind("a.test", good, None), WireErrorKind::CertificateIssuer);
    // Plain HTTP where TLS is expected.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut socket, _) = plain.accept().unwrap();
        let _ = socket.read(&mut [0; 16]);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    assert_eq!(kind("a.test", port, Some(ROOT)), WireErrorKind::Tls);
    let network = transport(&NAMES, Some(ROOT));
    let told = runtime().block_on(network.knock(&format!("https://a.test:{good}/v1"), true)).unwrap();
    assert_eq!(told.unwrap().to_string(), "2026-11-24T10:00:30Z");
}
