//! Of which day facts are. An update brings up to date what it lists; the rest is as old as what it was laid over. A
//! catalog, and what is shown of one, is as old as most of it: a small list makes nothing young that it does not list.

use std::collections::BTreeMap;

use super::codes::endpoint;
use super::table::column;
use super::{About, Catalog};
use crate::catalog::Endpoint;
use crate::catalog::file::checks::is_date;

/// What an update knows of an endpoint beside its facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// Whether its source listed it the last time (`true`), or only before (`false`); `None` where it never did.
    pub listed: Option<bool>,
    /// The day of its facts (UTC, `YYYY-MM-DD`) where that is another than the update's, of what is listed, or than that of
    /// the tables it was laid over, of the rest.
    pub day: Option<String>,
}

/// How many offers are of which day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Days(BTreeMap<String, usize>);

impl Mark {
    /// Listed the last time, and of that day.
    #[must_use]
    pub const fn listed() -> Self {
        Self { listed: Some(true), day: None }
    }

    /// As it stands in the table.
    pub(super) fn text(&self) -> String {
        let listed = self.listed.map(|listed| u8::from(listed).to_string()).unwrap_or_default();
        self.day.as_ref().map_or_else(|| listed.clone(), |day| format!("{listed}@{day}"))
    }
}

/// The first half of a mark.
pub(super) fn is_listed(mark: &str) -> Option<bool> {
    match mark.split('@').next() {
        Some("1") => Some(true),
        Some("0") => Some(false),
        _ => None,
    }
}

/// The day of a line's facts: nothing is newer than the file that it stands in.
pub(super) fn day<'a>(line: &'a str, about: &'a About) -> &'a str {
    let mark = column(line, endpoint::SEEN);
    let stated = mark.split_once('@').map(|(_, day)| day);
    let stated = stated.filter(|day| is_date(day, false) && *day <= about.date.as_str());
    stated.unwrap_or(if is_listed(mark) == Some(true) { &about.date } else { &about.embedded })
}

impl Days {
    /// How many of each, the oldest first.
    pub fn counts(&self) -> impl DoubleEndedIterator<Item = (&str, usize)> {
        self.0.iter().map(|(day, count)| (day.as_str(), *count))
    }

    /// How many offers there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// The day that half of them, at least, reach; `None` of nothing.
    #[must_use]
    pub fn most(&self) -> Option<&str> {
        let mut younger = 0;
        let reached = self.counts().rev().find(|(_, count)| {
            younger += count;
            younger * 2 >= self.total()
        });
        reached.map(|(day, _)| day)
    }
}

impl<'a> FromIterator<&'a str> for Days {
    fn from_iter<I: IntoIterator<Item = &'a str>>(days: I) -> Self {
        let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
        for day in days {
            *counted.entry(day).or_default() += 1;
        }
        Self(counted.into_iter().map(|(day, count)| (day.to_owned(), count)).collect())
    }
}

impl Catalog {
    /// The day (UTC, `YYYY-MM-DD`) that most offers reach: how old the catalog is as a whole.
    #[must_use]
    pub fn as_of(&self) -> &str {
        self.update().map_or(Self::embedded(), |about| &about.as_of)
    }

    /// The day (UTC, `YYYY-MM-DD`) of an offer's facts; `None` for an offer that the user's overlays alone make.
    #[must_use]
    pub fn day_of(&self, offer: &Endpoint) -> Option<&str> {
        let model = self.tables.model_line(offer.model.as_str())?;
        let is_it = |line: &&str| {
            let mut columns = line.split('\t');
            (columns.next(), columns.next())
                == (Some(offer.id.provider.as_str()), Some(offer.id.upstream_model.as_str()))
        };
        let line = self.tables.block(model).lines().find(is_it)?;
        Some(self.update().map_or(Self::embedded(), |about| day(line, about)))
    }

    /// Of which days offers are, those of the user's own left out.
    #[must_use]
    pub fn days_of<'e>(&self, offers: impl IntoIterator<Item = &'e Endpoint>) -> Days {
        offers.into_iter().filter_map(|offer| self.day_of(offer)).collect()
    }

    /// Of which days the whole is, without overlays.
    #[must_use]
    pub fn days(&self) -> Days {
        match &self.tables.0 {
            Some(stored) => stored.days(),
            None => super::ENDPOINTS.lines().map(|_| Self::embedded()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_is_what_half_of_them_reach() {
        let most = |days: &[&str]| days.iter().copied().collect::<Days>().most().map(str::to_owned);
        assert_eq!(most(&[]), None);
        assert_eq!(most(&["a", "b"]).as_deref(), Some("b"));
        assert_eq!(most(&["a", "a", "b"]).as_deref(), Some("a"));
        assert_eq!(most(&["a", "b", "c"]).as_deref(), Some("b"));
    }

    #[test]
    fn a_mark_says_the_day_unless_it_cannot_be() {
        let about = About { date: "2026-12-01".into(), embedded: "2026-11-24".into(), ..About::default() };
        let of = |mark: &Mark| {
            let line = "\t".repeat(endpoint::SEEN) + &mark.text();
            (is_listed(&mark.text()), day(&line, &about).to_owned())
        };
        let mark = |listed, day: &str| Mark { listed, day: Some(day.to_owned()).filter(|day| !day.is_empty()) };
        let said = |listed, day: &str| (listed, day.to_owned());
        assert_eq!(of(&Mark::listed()), said(Some(true), "2026-12-01"));
        assert_eq!(of(&Mark::default()), said(None, "2026-11-24"));
        assert_eq!(of(&mark(Some(false), "")), said(Some(false), "2026-11-24"));
        assert_eq!(of(&mark(Some(true), "2026-11-28")), said(Some(true), "2026-11-28"));
        assert_eq!(of(&mark(None, "2026-11-28")), said(None, "2026-11-28"));
        assert_eq!(of(&mark(None, "2026-12-02")), said(None, "2026-11-24"), "newer than its file");
        assert_eq!(of(&mark(None, "soon")), said(None, "2026-11-24"));
    }
}
