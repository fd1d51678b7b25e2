//! `[catalog]`: where `catalog update` fetches from, and who may sign what it fetches.
//!
//! ```toml
//! [catalog]
//! url = "https://models.acme.example/openmux.catalog"
//! trusted_keys = { acme = "9l2V...=" }             # from then on nothing is taken that none of them signed
//! ```

use crate::catalog::file::{OverlayError, Reader};
use crate::catalog::release::{BUILT_IN, PublicKey};
use crate::cli::catalog::allowed_source;

/// What the files say of updates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Published {
    /// Where from.
    pub(crate) url: Option<String>,
    /// Whom to believe: the user's name for a key, and the key.
    keys: Vec<(String, PublicKey)>,
}

impl Published {
    /// Reads the table.
    pub(super) fn read(table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        table.known(&["url", "trusted_keys"])?;
        let url = table.text("url")?;
        if let Some(why) = url.as_deref().and_then(|url| allowed_source(url).err()) {
            return Err(table.error("url", why));
        }
        let mut keys = Vec::new();
        if let Some(named) = table.table("trusted_keys")? {
            for name in named.keys() {
                let text = named.text(&name)?.unwrap_or_default();
                let key = PublicKey::parse(&text).ok_or_else(|| {
                    named.error(&name, "is no public key: one is 44 characters, as openmux catalog key prints them")
                })?;
                keys.push((name, key));
            }
        }
        Ok(Self { url, keys })
    }

    /// A project's over the user's own, setting by setting. A project never says whom to believe.
    pub(super) fn over(self, own: Self) -> Self {
        Self { url: self.url.or(own.url), keys: own.keys }
    }

    /// Whom to believe, by name.
    pub(crate) fn keys(&self) -> Vec<(String, PublicKey)> {
        let built_in = BUILT_IN.iter().filter_map(|(name, key)| Some(((*name).to_owned(), PublicKey::parse(key)?)));
        self.keys.iter().cloned().chain(built_in).collect()
    }
}
