//! Which conversation a request belongs to, where its prefix may lie in a prompt cache, and who signed parts of it.

use hmac::{Hmac, KeyInit, Mac};

use super::{Dispatcher, Reach};
use crate::catalog::price::Item;
use crate::catalog::{Origin, ProviderId, Usage};
use crate::chat::{ChatRequest, MediaSource, Message, Part, Role};
use crate::routing::{Policy, RouteRequest, Warm};
use crate::store::{Conversation, Stay};
use crate::units::Tokens;

/// A conversation that a request is a turn of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Talk {
    /// As the store knows it.
    pub id: Conversation,
    /// Whether it may go on: a session of the user's, or a conversation that has gone on already.
    pub continues: bool,
}

impl Dispatcher<'_> {
    /// The conversation of a request: the session that the user names, else the one that begins with the same system
    /// message and the same message of the user's. `None` where the store has no salt to hash them with.
    #[must_use]
    pub fn talk(&self, session: Option<&str>, asked: &ChatRequest) -> Option<Talk> {
        let salt = self.store.salt().ok()?;
        let id = session.map_or_else(|| beginning(&salt, asked), |name| hashed(&salt, &[b"session", name.as_bytes()]));
        let goes_on = asked.messages.iter().any(|message| message.role == Role::Assistant);
        Some(Talk { id: Conversation(id?), continues: session.is_some() || goes_on })
    }

    /// The request with what is remembered of its conversation: where its prefix may still be cached, whether it goes on,
    /// and whose signatures it holds where they do not say so themselves. What cannot be read is not remembered.
    #[must_use]
    pub fn recall(
        &self,
        mut request: RouteRequest,
        (talk, asked): (Talk, &ChatRequest),
        reaches: &[Reach],
        policy: &Policy,
    ) -> RouteRequest {
        let now = (self.now)();
        let kept = self.store.warm(talk.id, now).unwrap_or_default();
        let salt = self.store.salt().ok();
        for reach in reaches {
            let key = reach.state_key(salt.as_ref());
            let Some(here) = kept.iter().find(|kept| kept.key == key) else { continue };
            let fresh = now.duration_since(here.at).unsigned_abs() < policy.cache_lifetime;
            let enough = here.tokens >= reach.endpoint.cache_min.unwrap_or(policy.cache_min);
            if fresh && enough && here.tokens > Tokens::ZERO {
                request.warm.push(Warm { endpoint: key.endpoint, tokens: here.tokens.min(request.input) });
            }
        }
        request.continues = talk.continues;
        let unnamed = asked.messages.iter().any(|message| message.is_signed() && message.origin.is_none());
        let origin = |kept: &Stay| Origin { provider: kept.key.endpoint.provider.clone(), protocol: kept.protocol };
        // Of several nobody knows which one it was.
        if let Some(first) = kept.first().map(origin).filter(|_| unnamed)
            && kept.iter().all(|other| origin(other) == first)
            && !request.state.contains(&first)
        {
            request.state.push(first);
        }
        request
    }

    /// Remembers where a conversation has been answered. What cannot be written is not remembered: the next turn is only
    /// dearer for it.
    pub(super) fn remember(&self, talk: Talk, reach: &Reach, usage: Option<&Usage>) {
        let Some(protocol) = reach.protocol else { return };
        let key = reach.state_key(self.store.salt().ok().as_ref());
        let tokens = usage.map_or(Tokens::ZERO, |usage| cached_by(reach, usage));
        let kept = Stay { key, protocol, tokens, at: (self.now)() };
        if let Err(error) = self.store.keep_warm(talk.id, &kept) {
            tracing::debug!(%error, "where the conversation was answered is not remembered");
        }
    }
}

/// How much of a prompt an endpoint's cache holds after it has answered it. Where a price for writing stands on its sheet,
/// the cache holds what it says that it wrote or read, and elsewhere the prompt, where the sheet knows cached input at all.
fn cached_by(reach: &Reach, usage: &Usage) -> Tokens {
    let priced = |item| reach.endpoint.pricing.as_ref().is_some_and(|sheet| sheet.base(item).is_some());
    if !priced(Item::CacheRead) {
        return Tokens::ZERO;
    }
    let told = usage.cache_read.unwrap_or_default() + usage.cache_write.unwrap_or_default();
    let marked = priced(Item::CacheWrite) || usage.cache_write.is_some_and(|tokens| tokens > Tokens::ZERO);
    if marked { told } else { usage.input.unwrap_or(told) }
}

/// Who made the signed pieces of a conversation, each once.
pub(super) fn makers(messages: &[Message]) -> Vec<Origin> {
    let mut makers: Vec<Origin> = Vec::new();
    for message in messages.iter().filter(|message| message.is_signed()) {
        makers.extend(message.origin.clone().filter(|origin| !makers.contains(origin)));
    }
    makers
}

impl Reach {
    /// Of those who signed parts of a conversation, the first whose signatures this endpoint cannot take back.
    #[must_use]
    pub fn cannot_take(&self, state: &[Origin], portable: impl Fn(&Origin) -> bool) -> Option<ProviderId> {
        let own = |origin: &Origin| origin.provider == self.provider.id && Some(origin.protocol) == self.protocol;
        let takes_others =
            self.protocol.is_some_and(|spoken| self.provider.quirks.portable_signatures.contains(&spoken));
        let foreign = state.iter().find(|origin| !(own(origin) || takes_others && portable(origin)));
        foreign.map(|origin| origin.provider.clone())
    }
}

impl Dispatcher<'_> {
    /// Whether signatures that were made there are taken elsewhere too.
    pub(super) fn is_portable(&self, origin: &Origin) -> bool {
        let maker = self.catalog.provider(&origin.provider);
        maker.is_some_and(|maker| maker.quirks.portable_signatures.contains(&origin.protocol))
    }
}

/// The first instructions and the first words of the user: what every later turn of a conversation begins with.
fn beginning(salt: &[u8; 16], asked: &ChatRequest) -> Option<[u8; 16]> {
    let is_instruction = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
    let instructions = asked.messages.iter().find(is_instruction);
    let first = asked.messages.iter().find(|message| message.role == Role::User)?;
    let mut pieces = vec![b"beginning".as_slice()];
    for message in instructions.into_iter().chain([first]) {
        pieces.push(if message.role == Role::User { b"user" } else { b"system" });
        pieces.extend(message.parts.iter().filter_map(content));
    }
    hashed(salt, &pieces)
}

fn content(part: &Part) -> Option<&[u8]> {
    match part {
        Part::Text(text) => Some(text.as_bytes()),
        Part::Media(media) => Some(match &media.source {
            MediaSource::Bytes(bytes) => bytes,
            MediaSource::Url(url) => url.as_bytes(),
        }),
        _ => None,
    }
}

/// The first half of a salted hash of pieces, each with its length, so that no two lists of pieces run together.
fn hashed(salt: &[u8; 16], pieces: &[&[u8]]) -> Option<[u8; 16]> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(salt).ok()?;
    for piece in pieces {
        mac.update(&u64::try_from(piece.len()).unwrap_or(u64::MAX).to_le_bytes());
        mac.update(piece);
    }
    mac.finalize().into_bytes().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelId;

    const SALT: [u8; 16] = [7; 16];

    fn asked(messages: &[(Role, &str)]) -> ChatRequest {
        let messages = messages.iter().map(|(role, text)| Message::text(*role, *text)).collect();
        ChatRequest::new(ModelId::new("a/b"), messages)
    }

    #[test]
    fn a_conversation_is_told_by_its_beginning() {
        use Role::{Assistant, Developer, System, User};
        let first = beginning(&SALT, &asked(&[(System, "Be brief."), (User, "Hello")]));
        let later = asked(&[(System, "Be brief."), (User, "Hello"), (Assistant, "Hi."), (User, "And now?")]);
        assert_eq!(first, beginning(&SALT, &later));
        for other in [
            asked(&[(System, "Be brief."), (User, "Hello!")]),
            asked(&[(System, "Be brief.Hello"), (User, "")]),
            asked(&[(System, "Be"), (User, " brief.Hello")]),
            asked(&[(User, "Hello")]),
        ] {
            assert_ne!(first, beginning(&SALT, &other));
        }
        assert_ne!(first, beginning(&[8; 16], &later), "the salt is the machine's");
        assert_eq!(first, beginning(&SALT, &asked(&[(Developer, "Be brief."), (User, "Hello")])));
        assert_eq!(beginning(&SALT, &asked(&[(System, "Be brief.")])), None);
    }

    #[test]
    fn a_name_of_the_users_is_never_a_beginning() {
        let named = hashed(&SALT, &[b"session", b"user"]);
        assert_ne!(named, beginning(&SALT, &asked(&[(Role::User, "")])));
        assert_ne!(named, hashed(&SALT, &[b"session", b"use"]));
    }
}
