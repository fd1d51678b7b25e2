//! What of a conversation is to be kept in a provider's prompt cache, where somebody says so to the block.

/// Where a stable beginning ends, and how long it is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheMark {
    /// Its last piece.
    pub place: CachePlace,
    /// For an hour; else for five minutes, as is usual.
    pub hour: bool,
}

/// A piece of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachePlace {
    /// The tool of that number.
    Tool(usize),
    /// That part of that message; of a tool's result the piece of that number.
    Part {
        /// The message's number.
        message: usize,
        /// The part's number in it.
        part: usize,
        /// The piece's number in a tool's result.
        within: Option<usize>,
    },
    /// The last piece that can be marked, wherever it is.
    End,
}

impl super::ChatRequest {
    /// Whether a piece is marked, and if so, whether for an hour.
    #[must_use]
    pub fn mark_at(&self, place: CachePlace) -> Option<bool> {
        self.marks.iter().find(|mark| mark.place == place).map(|mark| mark.hour)
    }
}
