//! Whether another origin can be reached: the control check's question (`metrics.md` 4.2). No key is sent.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio::net::TcpStream;

use super::fault::io_kind;
use super::{Transport, WireErrorKind};

impl Transport {
    /// Reaches for the origin of a URL. TCP alone is enough, unless `whole` asks for TLS and an answer, or a proxy stands
    /// in between. Gives the time that the other side tells, where it was asked and did.
    ///
    /// # Errors
    /// It cannot be reached: how that failed.
    pub async fn knock(&self, url: &str, whole: bool) -> Result<Option<Timestamp>, WireErrorKind> {
        let uri: http::Uri = url.parse().map_err(|_| WireErrorKind::Request)?;
        let (Some(host), Some(scheme)) = (uri.host(), uri.scheme_str()) else { return Err(WireErrorKind::Request) };
        if whole || self.has_proxy {
            return self.head(&uri).await;
        }
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.names.look_up(bare, port).await.map_err(|error| error.kind())?;
        let connected = TcpStream::connect(&addresses[..]).await;
        connected.map(|_| None).map_err(|error| io_kind(&error).unwrap_or(WireErrorKind::Connect))
    }

    /// Any answer will do, whatever it says.
    async fn head(&self, uri: &http::Uri) -> Result<Option<Timestamp>, WireErrorKind> {
        let root = http::Uri::builder().scheme(uri.scheme_str().unwrap_or("https"));
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let root = root.authority(authority).path_and_query("/").build().map_err(|_| WireErrorKind::Request)?;
        let request = http::Request::head(root).body(Bytes::new()).map_err(|_| WireErrorKind::Request)?;
        let incoming = self.send(request).await.map_err(|error| error.kind)?;
        // A proxy that wants a log-in answers for everybody.
        if incoming.head.status == http::StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(WireErrorKind::ProxyRefused);
        }
        let date = incoming.head.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        Ok(date.and_then(|date| DateTimeParser::new().parse_timestamp(date.trim()).ok()))
    }
}
