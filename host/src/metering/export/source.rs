//! Where events come from, and where it is kept how far each sink has had them: the ledger, as exports see it.

use jiff::Timestamp;
use sluice_metering::event::Event;

/// Why the ledger did not answer, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SourceError(pub(crate) String);

/// What a sink has not had yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    pub(crate) events: u64,
    /// When the exchange of the oldest of them was admitted.
    pub(crate) oldest: Option<Timestamp>,
}

/// While it is the same, nobody else has run the sink, and the ledger is the same: what was read of it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term(pub(crate) u64);

/// The ledger. None of these calls is given up half way.
pub(crate) trait Source: Send + Sync + 'static {
    /// A place in the ledger's order of events. Equal ones have the same events behind them.
    type Cursor: Clone + PartialEq + Send + Sync;

    /// Whether this gateway is the one that runs this sink. Gateways that share a ledger share its cursors, so only one of them may,
    /// until it is gone. Asked before every batch; the cursor is read anew when it is another term than before.
    fn claim(&self, sink: &str) -> impl Future<Output = Result<Option<Term>, SourceError>> + Send;

    /// Events after a place, in order, and the place behind the last of them. Fewer than `limit`, which is a thousand at most, say that
    /// there are no more for now.
    fn events(
        &self,
        after: &Self::Cursor,
        limit: usize,
    ) -> impl Future<Output = Result<(Vec<Event>, Self::Cursor), SourceError>> + Send;

    /// How far a sink has had them, and its own note; for a new sink the place before the first event, and an empty note.
    fn cursor(&self, sink: &str) -> impl Future<Output = Result<(Self::Cursor, String), SourceError>> + Send;

    /// Keeps how far a sink has had them, and its own note, both or neither; `to` can be where it was. False, and nothing is kept, if
    /// what the ledger has is neither `from` nor `to`: another gateway has moved it, or it is another ledger.
    fn advance(
        &self,
        sink: &str,
        from: (&Self::Cursor, &str),
        to: (&Self::Cursor, &str),
    ) -> impl Future<Output = Result<bool, SourceError>> + Send;

    /// What a sink has not had yet. Asked for every second to every ten, beside all other calls.
    fn lag(&self, sink: &str) -> impl Future<Output = Result<Lag, SourceError>> + Send;
}
