//! Making a connection: where the server is, TLS, the session's settings, and the lock that says who we are.

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, NoTls, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config};

use super::{Postgres, failure};
use crate::ledger::secure::{Secure, Stream};
use crate::ledger::value::Value;
use crate::ledger::{Durability, Error, Settings};

/// The oldest server: `xid8` came with it.
const OLDEST: i64 = 130_000;

/// Between two looks whether an earlier session of ours has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// How long an earlier session of ours may take to end.
const PATIENCE: Duration = Duration::from_secs(4);

/// How to reach the server.
pub(in crate::ledger) struct Dial {
    config: Config,
    connector: Option<Arc<dyn Secure>>,
    durability: Durability,
    lease: Duration,
    patience: Duration,
}

/// A session of ours, which may outlive its connection.
#[derive(Clone, Debug)]
pub(in crate::ledger) struct Session {
    process: i64,
    since: String,
}

impl Dial {
    pub(in crate::ledger) fn new(
        url: &str,
        connector: Option<Arc<dyn Secure>>,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let mut config = parse(url)?;
        config.application_name(format!("sluice {}", settings.gateway));
        if config.get_ssl_mode() == SslMode::Require && connector.is_none() {
            return Err(Error::Refused("the URL wants TLS, which is not configured".into()));
        }
        Ok(Self {
            config,
            connector,
            durability: settings.durability,
            lease: settings.lease,
            patience: settings.patience(),
        })
    }

    /// As the one writer of this gateway.
    pub(in crate::ledger) async fn connect_as(
        &self,
        gateway: &str,
        before: Option<&Session>,
    ) -> Result<(Postgres, Session), Error> {
        let mut postgres = self.connect(true).await?;
        let session = postgres
            .query(
                "SELECT pg_backend_pid(), backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()",
                &[],
            )
            .await?;
        let session = session.first().ok_or_else(|| Error::Corrupt("a session that is not there".into()))?;
        let session = Session { process: session.int(0)?, since: session.text(1)?.to_owned() };
        let start = Instant::now();
        let patience = PATIENCE.min(self.lease);
        loop {
            let locked = postgres
                .query(
                    "SELECT pg_try_advisory_lock(hashtextextended('sluice gateway ' || $1, 0))",
                    &[Value::from(gateway)],
                )
                .await?;
            if locked.first().map_or(Ok(0), |row| row.int(0))? != 0 {
                return Ok((postgres, session));
            }
            if start.elapsed() > patience {
                return Err(Error::Taken(format!("somebody is connected as `{gateway}`")));
            }
            if let Some(before) = before {
                // It has not noticed that its connection is gone, and may even be about to commit.
                let ours = [Value::Int(before.process), Value::from(&*before.since)];
                postgres
                    .query(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE pid = CAST($1 AS bigint) AND backend_start::text = $2",
                        &ours,
                    )
                    .await?;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// For reading or for writing, with the session's settings.
    pub(in crate::ledger) async fn connect(&self, is_writer: bool) -> Result<Postgres, Error> {
        let mut last = Error::Refused("the URL names no host".into());
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let ports = self.config.get_ports();
            let port = *ports.get(index).or(ports.first()).unwrap_or(&5432);
            let patience = self.config.get_connect_timeout().copied().unwrap_or(self.patience / 2);
            let attempt = tokio::time::timeout(patience, self.speak(host, port, is_writer));
            match attempt.await {
                Ok(Ok(postgres)) => return Ok(postgres),
                Ok(Err(error)) => last = error,
                Err(_) => last = Error::Away(format!("no connection within {patience:?}")),
            }
        }
        Err(last)
    }

    async fn speak(&self, host: &Host, port: u16, is_writer: bool) -> Result<Postgres, Error> {
        let failed = |error: io::Error| Error::Away(format!("no connection: {error}"));
        let (client, driver) = match host {
            Host::Unix(directory) => {
                let path = directory.join(format!(".s.PGSQL.{port}"));
                let stream = UnixStream::connect(&path).await.map_err(failed)?;
                self.plain(stream).await?
            }
            // `host=/run/postgresql`, written as a URL's parameter.
            Host::Tcp(host) if host.starts_with('/') => {
                let path = Path::new(host).join(format!(".s.PGSQL.{port}"));
                self.plain(UnixStream::connect(&path).await.map_err(failed)?).await?
            }
            Host::Tcp(host) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                match &self.connector {
                    Some(connector) if self.config.get_ssl_mode() != SslMode::Disable => {
                        let shake = Shake { connector: Arc::clone(connector), host: host.to_owned() };
                        let connected = self.config.connect_raw(stream, shake).await;
                        let (client, connection) = connected.map_err(|error| refused(&error))?;
                        (client, spawn(connection))
                    }
                    _ => self.plain(stream).await?,
                }
            }
        };
        let mut postgres = Postgres::new(client, driver);
        self.settle_in(&mut postgres, is_writer).await?;
        Ok(postgres)
    }

    async fn plain<S>(&self, stream: S) -> Result<(Client, tokio::task::AbortHandle), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut config = self.config.clone();
        config.ssl_mode(SslMode::Disable);
        let (client, connection) =
            config.connect_raw(stream, NoTls).await.map_err(|error| refused(&error))?;
        Ok((client, spawn(connection)))
    }

    async fn settle_in(&self, postgres: &mut Postgres, is_writer: bool) -> Result<(), Error> {
        let server = postgres
            .ask(
                "SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery(), \
                 to_regnamespace('sluice') IS NULL, current_setting('synchronous_commit')",
                &[],
            )
            .await?;
        let server = server.first().ok_or_else(|| Error::Corrupt("no answer about the server".into()))?;
        if server.int(0)? < OLDEST {
            return Err(Error::Refused("the server is older than PostgreSQL 13".into()));
        }
        if is_writer && server.int(1)? != 0 {
            return Err(Error::Away("the server is a replica".into()));
        }
        let (lease, patience) = (self.lease.as_millis().max(1), self.patience.as_millis());
        // Whoever is frozen in a transaction must not hold its locks for longer than its lease.
        let mut settings = format!(
            "SET statement_timeout = {patience}; SET idle_in_transaction_session_timeout = {lease}; \
             SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3; \
             SET tcp_user_timeout = 30000; SET timezone = 'UTC'; SET search_path = sluice;"
        );
        if is_writer {
            if server.int(2)? != 0 {
                // Another gateway may do so at the same moment.
                let made = postgres.script("CREATE SCHEMA IF NOT EXISTS sluice").await;
                if let Err(failure) = made
                    && failure.error != Error::Busy
                {
                    return Err(failure.error);
                }
            }
            match (self.durability, server.text(3)?) {
                (Durability::Group, _) => settings.push_str("SET synchronous_commit = off;"),
                (Durability::Sync, "off") => settings.push_str("SET synchronous_commit = on;"),
                // What waits for replicas is stricter still.
                (Durability::Sync, _) => {}
            }
            // All it does is look up by keys; statistics of a table that was empty a moment ago must not say otherwise.
            settings
                .push_str("SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;");
        } else {
            settings.push_str("SET default_transaction_read_only = on;");
        }
        postgres.script(&settings).await.map_err(Error::from)
    }
}

fn spawn<S, T>(connection: tokio_postgres::Connection<S, T>) -> tokio::task::AbortHandle
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Its end is seen by whoever asks next.
    tokio::spawn(async move { drop(connection.await) }).abort_handle()
}

/// While a connection is made, an error is the server's refusal or its absence.
fn refused(error: &tokio_postgres::Error) -> Error {
    failure::read(error).error
}

/// Reads a URL. What it says of a wrong one never repeats it: it has a password.
fn parse(url: &str) -> Result<Config, Error> {
    let wrong = |what: &str| Error::Refused(format!("the ledger's URL is wrong: {what}"));
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(wrong("write `postgres://user:password@host/database?sslmode=require`"));
    }
    // Certificates are always verified, so that these are no different.
    let url =
        url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let config = Config::from_str(&url).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        wrong(&source.unwrap_or_else(|| "it cannot be read".into()))
    })?;
    if config.get_hosts().is_empty() {
        return Err(wrong("the host is missing"));
    }
    Ok(config)
}

/// A handshake that knows its host.
struct Shake {
    connector: Arc<dyn Secure>,
    host: String,
}

impl TlsConnect<TcpStream> for Shake {
    type Stream = Tls;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Tls>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        let handshake = self.connector.handshake(&self.host, stream);
        Box::pin(async move { Ok(Tls(handshake.await?)) })
    }
}

/// A secure stream. It says nothing of its certificate, so that SCRAM is not bound to it.
struct Tls(Stream);

impl TlsStream for Tls {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Tls {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dial")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_verified_whatever_the_mode_is_called() {
        for (mode, expected) in [
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::Require),
            ("verify-full", SslMode::Require),
        ] {
            let config = parse(&format!("postgres://me:secret@db/usage?sslmode={mode}")).unwrap();
            assert_eq!(config.get_ssl_mode(), expected, "{mode}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_the_password() {
        for url in [
            "mysql://me:hunter2@db/usage",
            "postgres://me:hunter2@db:port/usage",
            "postgres://me:hunter2@/usage",
            "postgres://me:hunter2@db/usage?sslmode=maybe",
            "postgres://me:hunter2@db/usage?hunter2=1",
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains("URL") && !error.contains("me:hunter2"), "{url}: {error}");
        }
    }
}
