//! A bounded memory of answers: the same query is asked again by the next person, the same passages are judged again
//! for the next page. Keys are hashes of the texts, so a long text costs no more room than a short one; the model needs
//! no part in the key, as every model has a cache of its own.

use std::{
    num::NonZeroUsize,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use lru::LruCache;

/// What an entry costs beside its value: key, links and table.
const ENTRY_BYTES: usize = 64;

/// Hash of the texts that an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 16]);

/// Least recently used answers are dropped first. Shared by the clones of a handle.
pub(crate) struct Cache<V> {
    /// `None` where caching is switched off.
    entries: Option<Mutex<LruCache<Key, V>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Key {
    /// Hash of an instruction (none differs from an empty one) and texts, each with its length before it.
    pub(crate) fn of(instruction: Option<&str>, texts: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[u8::from(instruction.is_some())]);
        for text in instruction.iter().chain(texts) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        Self(key)
    }
}

impl<V: Clone> Cache<V> {
    /// Room for as many entries as fit `bytes`, `value_bytes` each; 0 bytes switch it off.
    pub(crate) fn new(bytes: usize, value_bytes: usize) -> Self {
        let capacity = NonZeroUsize::new(bytes / (ENTRY_BYTES + value_bytes));
        let entries = capacity.map(|capacity| Mutex::new(LruCache::new(capacity)));
        Self { entries, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<V> {
        let found = self.lock().and_then(|mut entries| entries.get(key).cloned());
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
        found
    }

    pub(crate) fn put(&self, key: Key, value: V) {
        if let Some(mut entries) = self.lock() {
            entries.put(key, value);
        }
    }

    /// Hits, misses, entries.
    pub(crate) fn counts(&self) -> (u64, u64, usize) {
        let entries = self.lock().map_or(0, |entries| entries.len());
        (self.hits.load(Relaxed), self.misses.load(Relaxed), entries)
    }

    fn lock(&self) -> Option<MutexGuard<'_, LruCache<Key, V>>> {
        // Nothing that holds the lock can leave an entry half written.
        Some(self.entries.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_texts_apart() {
        let keys = [
            Key::of(None, &["ab", "c"]),
            Key::of(None, &["a", "bc"]),
            Key::of(Some("ab"), &["c"]),
            Key::of(Some(""), &["ab", "c"]),
            Key::of(None, &["ab", "c", ""]),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|b| a != b), "{i}");
        }
        assert_eq!(Key::of(Some("x"), &["y"]), Key::of(Some("x"), &["y"]));
    }

    #[test]
    fn the_oldest_entry_goes_first_and_nothing_grows() {
        let cache = Cache::new(3 * (ENTRY_BYTES + 4), 4);
        let key = |n: u32| Key::of(None, &[&n.to_string()]);
        (0..3).for_each(|n| cache.put(key(n), n));
        assert_eq!(cache.get(&key(0)), Some(0));
        cache.put(key(3), 3);
        assert_eq!(cache.get(&key(1)), None);
        assert_eq!(cache.get(&key(0)), Some(0));
        (4..1000).for_each(|n| cache.put(key(n), n));
        assert_eq!(cache.counts(), (2, 1, 3));
    }

    #[test]
    fn no_room_means_no_cache() {
        let cache = Cache::new(0, 4);
        cache.put(Key::of(None, &["a"]), 1);
        assert_eq!(cache.get(&Key::of(None, &["a"])), None);
        assert_eq!(cache.counts(), (0, 1, 0));
    }
}
