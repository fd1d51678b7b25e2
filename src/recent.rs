//! What was made of something lately, so that it is not made again.

/// What was made of the last so many different things, the one that was asked for last first.
#[derive(Debug, Clone)]
pub(crate) struct Recent<K, V, const MOST: usize>(Vec<(K, V)>);

impl<K, V, const MOST: usize> Recent<K, V, MOST> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// What was made of the thing that is meant.
    pub(crate) fn get(&mut self, is_meant: impl Fn(&K, &V) -> bool) -> Option<&V> {
        let at = self.0.iter().position(|(of, made)| is_meant(of, made))?;
        self.0[..=at].rotate_right(1);
        self.0.first().map(|(_, made)| made)
    }

    /// Remembers what was made of a thing, in the place of what was not asked for the longest.
    pub(crate) fn put(&mut self, of: K, made: V) {
        self.0.truncate(MOST - 1);
        self.0.insert(0, (of, made));
    }

    /// How much is remembered.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K, V, const MOST: usize> Default for Recent<K, V, MOST> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_what_is_not_goes() {
        let mut recent = Recent::<u8, u8, 3>::new();
        (1..=3).for_each(|of| recent.put(of, 10 * of));
        assert_eq!(recent.get(|of, _| *of == 1), Some(&10));
        recent.put(4, 40);
        let known = (1..=4).map(|meant| recent.get(|of, _| *of == meant).copied()).collect::<Vec<_>>();
        assert_eq!((known, recent.len()), (vec![Some(10), None, Some(30), Some(40)], 3));
    }
}
