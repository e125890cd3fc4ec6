//! How many bytes of bodies that are held whole there may be, over all workers. Bodies that are being read go before new ones: those begin only
//! while a quarter is free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bodies of up to so many bytes are not counted: as much is held of one that passes.
const SMALL: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    used: AtomicUsize,
}

impl Room {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, used: AtomicUsize::new(0) })
    }

    /// Bytes that are held now.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize, most: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= most;
        if !fits {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }
}

/// The part of the room that one body takes.
#[derive(Default)]
pub(super) struct Part {
    room: Option<Arc<Room>>,
    bytes: usize,
}

impl Part {
    pub(super) fn of(room: Option<&Arc<Room>>) -> Self {
        Self { room: room.cloned(), bytes: 0 }
    }

    /// The body has so many bytes by now. Whether there is room for them.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let Some(room) = &self.room else { return true };
        if bytes <= SMALL {
            return true;
        }
        let most = if self.bytes == 0 { room.most / 4 * 3 } else { room.most };
        let fits = room.take(bytes - self.bytes, most);
        if fits {
            self.bytes = bytes;
        }
        fits
    }

    /// The body, which keeps its part for as long as anybody has it.
    pub(super) fn keep(self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 { bytes } else { Bytes::from_owner(Kept { bytes, _part: self }) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

struct Kept {
    bytes: Bytes,
    _part: Part,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: usize = 1 << 10;

    #[test]
    fn what_is_read_goes_before_what_is_new_and_is_given_back() {
        let room = Room::new(100 * K);
        let mut first = Part::of(Some(&room));
        assert!(first.grow(10 * K) && room.used() == 0, "small ones are not counted");
        assert!(first.grow(70 * K) && room.used() == 70 * K);
        let mut second = Part::of(Some(&room));
        assert!(!second.grow(17 * K), "less than a quarter would be free");
        assert!(first.grow(100 * K), "but for one that has begun");
        assert!(!first.grow(101 * K));
        let bytes = first.keep(Bytes::from(vec![7; 100 * K]));
        let tail = bytes.slice(5..);
        drop(bytes);
        assert_eq!((room.used(), tail[0]), (100 * K, 7), "somebody has it");
        drop(tail);
        assert_eq!(room.used(), 0);
        assert!(second.grow(17 * K));
        drop(second);
        assert_eq!(room.used(), 0);
        assert!(Part::default().grow(usize::MAX), "without a bound");
    }
}
