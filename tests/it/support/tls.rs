//! A server that speaks TLS, under a certificate of its own that is good for localhost until 2126.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The certificate, which is its own root.
pub(crate) const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBpzCCAU2gAwIBAgIUAmWlLAamkVD2tnDXlAyJW/+A5PAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDE4MjYyOFoYDzIxMjYxMDMx
MTgyNjI4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAReLtmwHcA6n8pWl2o1jylncRQ6UCWGZ28fTBA4JbywiSK6Ty6ArWD1
ghcQv48FaBtndM1g7fwKeFroyC+wSMM1o3sweTAdBgNVHQ4EFgQUmUQZ2SlPjIE2
kT5lazcHiy5f7pEwHwYDVR0jBBgwFoAUmUQZ2SlPjIE2kT5lazcHiy5f7pEwFAYD
VR0RBA0wC4IJbG9jYWxob3N0MAwGA1UdEwEB/wQCMAAwEwYDVR0lBAwwCgYIKwYB
BQUHAwEwCgYIKoZIzj0EAwIDSAAwRQIgRz2HwYBmPvX4w+O0zCfQcHgWMoyxrRBN
JN+isZ3nWpUCIQC32w27PQjywMAmKjX/e74xh29i+gqcH12p+esoccGQ5A==
-----END CERTIFICATE-----
";

/// Its key. It guards nothing.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxY/r2tUvGmR8kflN
5xA9l7BxVt+O+B33s+y+JcUHSayhRANCAAReLtmwHcA6n8pWl2o1jylncRQ6UCWG
Z28fTBA4JbywiSK6Ty6ArWD1ghcQv48FaBtndM1g7fwKeFroyC+wSMM1
-----END PRIVATE KEY-----
";

/// The first byte of a handshake record.
const HANDSHAKE: u8 = 22;

/// Waits for the client's first byte of TLS, and leaves it to be read.
pub(crate) fn wait_hello(stream: &TcpStream) {
    let mut first = [0];
    assert_eq!(stream.peek(&mut first).unwrap(), 1);
    assert_eq!(first, [HANDSHAKE]);
}

/// The server's side of a connection; the handshake happens with the first read.
pub(crate) fn accepted(stream: TcpStream) -> impl Read + std::io::Write {
    let certificates = vec![CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(certificates, key).unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}
