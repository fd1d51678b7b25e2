//! Names to addresses: the system's resolver, or what a caller gives in its place.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::fault::NameError;

/// Gives the addresses of a name.
type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// How names are looked up: by the system unless a function stands in its place, for networks that are played.
#[derive(Clone, Default)]
pub struct Names(Option<Arc<Lookup>>);

impl Names {
    /// Names are looked up by that function alone.
    pub fn of(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look_up)))
    }

    /// The addresses of a name or of a literal, with that port.
    pub(super) async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NameError> {
        if let Ok(literal) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(literal, port)]);
        }
        let found = match &self.0 {
            Some(look_up) => look_up(host).map(|found| found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()),
            None => tokio::net::lookup_host((host, port)).await.map(Iterator::collect),
        };
        found.map_err(|error| NameError::of(&error))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Names(given)" } else { "Names(system)" })
    }
}
