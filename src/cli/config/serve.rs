//! `[serve]`: what requests of a gateway may wish, and which pages may ask.
//!
//! ```toml
//! [serve]
//! resume  = "asked"
//! hedge   = "never"
//! origins = ["app://obsidian.md", "chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh"]
//! ```

use crate::catalog::file::{OverlayError, Reader};
use crate::gateway::Wished;

/// What the files say of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ServeTable {
    /// Whether a stream that breaks off is gone on with.
    pub(super) resume: Option<Wished>,
    /// Whether a second provider is asked beside a slow one.
    pub(super) hedge: Option<Wished>,
    /// The pages that may ask, beside those of this machine.
    pub(super) origins: Option<Vec<String>>,
}

impl ServeTable {
    /// Reads the table.
    pub(super) fn read(table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        table.known(&["resume", "hedge", "origins"])?;
        let wished = |name: &str| {
            let known = Wished::ALL.into_iter().find(|(known, _)| *known == name);
            known.map(|(_, wished)| wished).ok_or_else(|| "is none of never, asked, always".to_owned())
        };
        let origins = table.list("origins")?;
        if let Some(wrong) = origins.iter().flatten().find(|origin| !is_origin(origin)) {
            let message = format!("{wrong:?} is no origin: name each as its browser does, scheme://host:port");
            return Err(table.error("origins", message));
        }
        Ok(Self { resume: table.parsed("resume", wished)?, hedge: table.parsed("hedge", wished)?, origins })
    }

    /// A project's over the user's own, key by key.
    pub(super) fn over(self, own: Self) -> Self {
        Self {
            resume: self.resume.or(own.resume),
            hedge: self.hedge.or(own.hedge),
            origins: self.origins.or(own.origins),
        }
    }
}

/// Whether a browser can write it so. `null` is what every page has that hides its own.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    !scheme.is_empty() && plain(scheme, "+-.") && !host.is_empty() && plain(host, "-._:[]")
}
