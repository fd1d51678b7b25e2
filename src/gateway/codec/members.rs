//! JSON objects of ours, written as they are told: no member is looked up, and none is held.

use serde::Serialize;

use super::quote;
use crate::units::{Tokens, Usd};

/// An object at the end of a text; it is told in order, no member twice.
pub(crate) struct Members<'a>(&'a mut String);

impl Members<'_> {
    /// Writes an object.
    pub(crate) fn write(out: &mut String, tell: impl FnOnce(&mut Members<'_>)) {
        out.push('{');
        tell(&mut Members(out));
        out.push('}');
    }

    /// Where a member's value goes. In its name nothing may need an escape.
    pub(crate) fn name(&mut self, name: &str) -> &mut String {
        // No value ends like that.
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push('"');
        self.0.push(':');
        self.0
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        quote(text, self.name(name));
    }

    /// A text, or null.
    pub(crate) fn known(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.null(name),
        }
    }

    pub(crate) fn null(&mut self, name: &str) {
        self.name(name).push_str("null");
    }

    /// A number, or a word of JSON's own.
    pub(crate) fn literal(&mut self, name: &str, value: impl ToString) {
        self.name(name).push_str(&value.to_string());
    }

    /// A number, or null.
    pub(crate) fn count(&mut self, name: &str, count: Option<Tokens>) {
        match count {
            Some(count) => self.literal(name, count.count()),
            None => self.null(name),
        }
    }

    /// An amount in dollars as a number, or null.
    pub(crate) fn usd(&mut self, name: &str, amount: Option<Usd>) {
        match amount {
            Some(amount) => self.name(name).push_str(&amount.exact()),
            None => self.null(name),
        }
    }

    /// Whatever else can be said in JSON.
    pub(crate) fn value(&mut self, name: &str, value: &impl Serialize) {
        self.name(name).push_str(&written(value));
    }

    pub(crate) fn object(&mut self, name: &str, tell: impl FnOnce(&mut Members<'_>)) {
        Members::write(self.name(name), tell);
    }
}

/// A document as a text: half as much work as by its `Display`.
pub(crate) fn written(document: &impl Serialize) -> String {
    // Nothing here has keys that are no text, which is all that could fail.
    serde_json::to_string(document).unwrap_or_default()
}
