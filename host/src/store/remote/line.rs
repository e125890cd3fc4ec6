//! One connection to the server: made, proven to work, and asked.

use std::io;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError, ServerErrorKind, Value};
use sluice_abi::{Algorithm, Mode, Take};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time;

use super::command::{self, Call, Names, Script, Which};
use super::endpoint::{Endpoint, Place};
use super::failure::{self, Failure};
use super::secure::Secure;

/// For all steps of making a connection but the last, which shows that it is fast enough.
const PATIENCE: Duration = Duration::from_secs(2);

/// Operations that wait to be written; beyond it they wait for room, and that is bounded by their timeout.
const QUEUE: usize = 1024;

/// What a connection is made with.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    pub(super) endpoint: Endpoint,
    pub(super) tls: Option<Secure>,
    pub(super) names: Names,
    pub(super) timeout: Duration,
}

/// A connection that works.
pub(super) struct Line {
    connection: MultiplexedConnection,
    driver: AbortHandle,
    take: Script,
    add: Script,
    pub(super) since: Instant,
    pub(super) number: u64,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What to ask.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    Command(&'a Cmd),
    Script(&'a Call),
}

impl Line {
    /// Ends it at once: whoever waits for an answer gets an error.
    pub(super) fn cut(&self) {
        self.driver.abort();
    }

    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Value, RedisError> {
        match question {
            Question::Command(command) => send(&self.connection, command).await,
            Question::Script(call) => {
                let script = match call.which {
                    Which::Take => &self.take,
                    Which::Add => &self.add,
                };
                match send(&self.connection, &call.command(script, false)).await {
                    Err(error) if error.kind() == ServerErrorKind::NoScript.into() => {
                        send(&self.connection, &call.command(script, true)).await
                    }
                    answer => answer,
                }
            }
        }
    }
}

async fn send(connection: &MultiplexedConnection, command: &Cmd) -> Result<Value, RedisError> {
    connection.clone().send_packed_command(command).await?.extract_error()
}

impl Dial {
    /// Makes a connection. Its driver runs on the runtime `on`, and what it returns ends with it.
    pub(super) async fn connect(&self, on: &Handle, number: u64) -> Result<(Line, JoinHandle<()>), String> {
        let late = |_| format!("no connection within {PATIENCE:?}");
        let (connection, driver) = time::timeout(PATIENCE, self.open(on)).await.map_err(late)??;
        // Aborts the driver also if one of the next steps fails.
        let mut line = Line {
            connection,
            driver: driver.abort_handle(),
            take: Script { code: command::TAKE, digest: String::new() },
            add: Script { code: command::ADD, digest: String::new() },
            since: Instant::now(),
            number,
        };
        let late = |_| format!("connected, but not ready within {PATIENCE:?}");
        time::timeout(PATIENCE, self.prove(&mut line)).await.map_err(late)??;
        let slow = |_| format!("connected, but slower than the timeout of {:?}", self.timeout);
        let ping = redis::cmd("PING");
        time::timeout(self.timeout, send(&line.connection, &ping)).await.map_err(slow)?.map_err(words)?;
        Ok((line, driver))
    }

    async fn open(&self, on: &Handle) -> Result<(MultiplexedConnection, JoinHandle<()>), String> {
        let failed = |error: io::Error| format!("no connection: {error}");
        match &self.endpoint.place {
            Place::Socket(path) => speak(on, UnixStream::connect(path).await.map_err(failed)?).await,
            Place::Tcp { host, port, tls: secure } => {
                let stream = TcpStream::connect((&**host, *port)).await.map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                if !secure {
                    return speak(on, stream).await;
                }
                let tls = self.tls.as_ref().ok_or("TLS is not configured")?;
                speak(on, tls.handshake(host, stream).await.map_err(|error| error.to_string())?).await
            }
        }
    }

    /// Logs in, loads the scripts, and does once whatever will be asked later: permissions, memory and
    /// replicas that refuse are met here and not by a request.
    async fn prove(&self, line: &mut Line) -> Result<(), String> {
        let connection = line.connection.clone();
        let tell = async |command: Cmd| send(&connection, &command).await.map_err(words);
        if let Some(password) = &self.endpoint.password {
            let mut auth = redis::cmd("AUTH");
            auth.arg(self.endpoint.user.as_deref()).arg(password);
            tell(auth).await?;
        }
        if self.endpoint.database != 0 {
            let mut select = redis::cmd("SELECT");
            select.arg(self.endpoint.database);
            tell(select).await?;
        }
        tell(redis::cmd("PING")).await?;
        for script in [&mut line.take, &mut line.add] {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script.code);
            script.digest = match tell(load).await? {
                Value::BulkString(digest) => String::from_utf8_lossy(&digest).into_owned(),
                Value::SimpleString(digest) => digest,
                _ => return Err("SCRIPT LOAD did not answer with a digest".into()),
            };
        }
        self.rehearse(line).await
    }

    async fn rehearse(&self, line: &Line) -> Result<(), String> {
        let named = |error| format!("a name of our own: {error}");
        let take = |algorithm, mode| Take {
            key: b"probe".to_vec(),
            algorithm,
            quota: 1,
            window_ms: 1000,
            cost: 1,
            mode,
            // One that is refused: it holds nothing yet.
            holder: if mode == Mode::Try { b"other" } else { b"probe" }.to_vec(),
        };
        let all = [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::Concurrency];
        for mode in [Mode::Force, Mode::Try, Mode::GiveBack] {
            let mut takes = all.map(|algorithm| take(algorithm, mode)).to_vec();
            takes.push(Take { holder: Vec::new(), ..take(Algorithm::Concurrency, mode) });
            // No plugin has an empty name.
            let named = takes.iter().map(|take| self.names.limit("", take)).collect::<Result<Vec<_>, _>>();
            let call = command::take(None, &named.map_err(|error| format!("a name of our own: {error}"))?);
            line.ask(Question::Script(&call)).await.map_err(words)?;
        }
        let key = self.names.value("", b"probe").map_err(named)?;
        let second = Some(Duration::from_secs(1));
        for _ in 0..2 {
            line.ask(Question::Script(&command::add(key.clone(), 1, second))).await.map_err(words)?;
        }
        for command in [command::set(&key, b"1", second), command::get(&key), command::delete(&key)] {
            line.ask(Question::Command(&command)).await.map_err(words)?;
        }
        Ok(())
    }
}

/// Begins the protocol on a stream.
async fn speak<S>(on: &Handle, stream: S) -> Result<(MultiplexedConnection, JoinHandle<()>), String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // What has to be said first is said by `prove`, which reads the answers to the letter.
    let nothing = RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(QUEUE);
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&nothing, stream, config).await.map_err(words)?;
    Ok((connection, on.spawn(driver)))
}

fn words(error: RedisError) -> String {
    match failure::read(&error) {
        Failure::Connection(reason) | Failure::Operation(reason) => reason,
    }
}
