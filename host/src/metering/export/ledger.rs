//! The ledger as exports see it: read over a connection of their own, cursors moved by the one who writes.

use std::fmt;
use std::sync::Arc;

use sluice_metering::event::Event;
use sluice_metering::ledger::{self, Cursor, Error, Reader, Settings};
use tokio::sync::{mpsc, oneshot};

use super::source::{Lag, Source, SourceError};
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
    Claim(String, Reply<bool>),
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
        let mut reader = None;
        while let Some(question) = questions.0.recv().await {
            let answered = match question {
                Question::LetGo => false,
                Question::Claim(sink, reply) => {
                    answer(&mut reader, &settings, reply, async |reader| reader.claim(&sink).await).await
                }
                Question::Events(after, limit, reply) => {
                    let events = async |reader: &mut Reader| reader.events(after, limit).await;
                    answer(&mut reader, &settings, reply, events).await
                }
                Question::Cursor(sink, reply) => {
                    answer(&mut reader, &settings, reply, async |reader| reader.cursor(&sink).await).await
                }
                Question::Lag(sink, reply) => {
                    answer(&mut reader, &settings, reply, async |reader| reader.lag(&sink).await).await
                }
            };
            if !answered {
                reader = None;
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

/// Whether the connection is well.
async fn answer<T>(
    held: &mut Option<Reader>,
    settings: &Settings,
    reply: Reply<T>,
    question: impl AsyncFnOnce(&mut Reader) -> Result<T, Error>,
) -> bool {
    let answer = async {
        let reader = match held {
            Some(reader) => reader,
            None => held.insert(Reader::open(settings).await?),
        };
        question(reader).await
    };
    let answer = answer.await;
    let is_well = answer.is_ok();
    let _ = reply.send(answer);
    is_well
}

impl Source for LedgerSource {
    type Cursor = Cursor;

    async fn claim(&self, sink: &str) -> Result<bool, SourceError> {
        self.ask(|reply| Question::Claim(sink.to_owned(), reply)).await
    }

    async fn events(&self, after: &Cursor, limit: usize) -> Result<(Vec<Event>, Cursor), SourceError> {
        let (exported, next) = self.ask(|reply| Question::Events(*after, limit, reply)).await?;
        Ok((exported.into_iter().map(|exported| exported.event).collect(), next))
    }

    async fn cursor(&self, sink: &str) -> Result<(Cursor, String), SourceError> {
        self.ask(|reply| Question::Cursor(sink.to_owned(), reply)).await
    }

    async fn advance(&self, sink: &str, to: &Cursor, note: &str) -> Result<(), SourceError> {
        let (reply, done) = oneshot::channel();
        let (sink, state) = (sink.to_owned(), note.to_owned());
        self.metering.send(Message::Advance { sink, to: *to, state, reply });
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
