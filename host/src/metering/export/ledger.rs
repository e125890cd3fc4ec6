//! The ledger as exports see it: read over a connection of their own, cursors moved by the one who writes.

use std::fmt;
use std::sync::Arc;

use sluice_metering::event::Event;
use sluice_metering::ledger::{self, Cursor, Error, Reader, Settings};
use tokio::sync::{mpsc, oneshot};

use super::source::{Lag, Source, SourceError, Term};
use crate::metering::{Message, Metering};

/// Questions that may wait. There are as many as there are sinks, twice.
const WAITING: usize = 64;

/// The ledger as exports see it. What it is asked, [`LedgerSource::serve`] answers.
pub(crate) struct LedgerSource {
    metering: Arc<Metering>,
    questions: mpsc::Sender<Question>,
}

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Where questions come from.
pub(crate) struct Questions(mpsc::Receiver<Question>);

enum Question {
    Claim(String, Reply<Option<Term>>),
    Events(Cursor, usize, Reply<(Vec<ledger::Exported>, Cursor)>),
    Cursor(String, Reply<(Cursor, String)>),
    Lag(String, Reply<ledger::Lag>),
    LetGo,
}

impl LedgerSource {
    /// With what it will be asked.
    pub(crate) fn new(metering: Arc<Metering>) -> (Self, Questions) {
        let (questions, queue) = mpsc::channel(WAITING);
        (Self { metering, questions }, Questions(queue))
    }

    /// Answers what is asked, over a connection that is made when it is first needed and anew after it failed.
    pub(crate) async fn serve(mut questions: Questions, settings: Settings) {
        let mut desk = Desk { settings, reader: None, opened: 0 };
        while let Some(question) = questions.0.recv().await {
            match question {
                Question::LetGo => desk.reader = None,
                Question::Claim(sink, reply) => {
                    let claim =
                        async |reader: &mut Reader, term| Ok(reader.claim(&sink).await?.then_some(term));
                    desk.answer(reply, claim).await;
                }
                Question::Events(after, limit, reply) => {
                    desk.answer(reply, async |reader, _| reader.events(after, limit).await).await;
                }
                Question::Cursor(sink, reply) => {
                    desk.answer(reply, async |reader, _| reader.cursor(&sink).await).await;
                }
                Question::Lag(sink, reply) => {
                    desk.answer(reply, async |reader, _| reader.lag(&sink).await).await;
                }
            }
        }
    }

    /// Lets go of the connection, and with it of every sink that it serves.
    pub(crate) async fn let_go(&self) {
        let _ = self.questions.send(Question::LetGo).await;
    }

    async fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Question) -> Result<T, SourceError> {
        let (reply, answer) = oneshot::channel();
        let _ = self.questions.send(question(reply)).await;
        match answer.await {
            Ok(answer) => answer.map_err(|error| SourceError(error.to_string())),
            Err(_) => Err(SourceError("what reads the ledger has ended".to_owned())),
        }
    }
}

/// Where questions are answered.
struct Desk {
    settings: Settings,
    /// The connection, which holds the sinks that are claimed: they are lost with it.
    reader: Option<Reader>,
    /// Connections so far.
    opened: u64,
}

impl Desk {
    /// A connection that fails is not used again.
    async fn answer<T>(
        &mut self,
        reply: Reply<T>,
        question: impl AsyncFnOnce(&mut Reader, Term) -> Result<T, Error>,
    ) {
        let answer = async {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => {
                    self.opened += 1;
                    self.reader.insert(Reader::open(&self.settings).await?)
                }
            };
            question(reader, Term(self.opened)).await
        };
        let answer = answer.await;
        if answer.is_err() {
            self.reader = None;
        }
        let _ = reply.send(answer);
    }
}

impl Source for LedgerSource {
    type Cursor = Cursor;

    async fn claim(&self, sink: &str) -> Result<Option<Term>, SourceError> {
        self.ask(|reply| Question::Claim(sink.to_owned(), reply)).await
    }

    async fn events(&self, after: &Cursor, limit: usize) -> Result<(Vec<Event>, Cursor), SourceError> {
        let (exported, next) = self.ask(|reply| Question::Events(*after, limit, reply)).await?;
        Ok((exported.into_iter().map(|exported| exported.event).collect(), next))
    }

    async fn cursor(&self, sink: &str) -> Result<(Cursor, String), SourceError> {
        self.ask(|reply| Question::Cursor(sink.to_owned(), reply)).await
    }

    async fn advance(
        &self,
        sink: &str,
        from: (&Cursor, &str),
        to: (&Cursor, &str),
    ) -> Result<bool, SourceError> {
        let (reply, done) = oneshot::channel();
        let owned = |(at, note): (&Cursor, &str)| (*at, note.to_owned());
        let (sink, from, to) = (sink.to_owned(), owned(from), owned(to));
        self.metering.send(Message::Advance { sink, from, to, reply });
        match done.await {
            Ok(done) => done.map_err(SourceError),
            Err(_) => Err(SourceError("the ledger's thread has ended".to_owned())),
        }
    }

    async fn lag(&self, sink: &str) -> Result<Lag, SourceError> {
        let lag = self.ask(|reply| Question::Lag(sink.to_owned(), reply)).await?;
        Ok(Lag { events: lag.events, oldest: lag.oldest })
    }
}

impl fmt::Debug for LedgerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerSource")
    }
}
