//! An origin that answers with what it received, on nothing but `std`: the sample upstream of `cargo xtask run`,
//! and the origin of most tests and benchmarks.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Starts the server; it runs until the process ends.
pub(crate) fn start(address: &str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(&stream));
        }
    });
    Ok(address)
}

/// A request as it came in.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// The request line's parts: method, target, version.
    pub(crate) line: Vec<String>,
    /// Headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// Trailers of a chunked body.
    pub(crate) trailers: Vec<(String, String)>,
}

impl Received {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// As JSON: `{"method", "path", "headers": {..}, "trailers": {..}, "body"}`. Repeated headers are joined by `, `.
    pub(crate) fn to_json(&self) -> String {
        let part = |index: usize| string(self.line.get(index).map_or("", String::as_str));
        format!(
            "{{\"method\": {}, \"path\": {}, \"headers\": {}, \"trailers\": {}, \"body\": {}}}\n",
            part(0),
            part(1),
            object(&self.headers),
            object(&self.trailers),
            string(&String::from_utf8_lossy(&self.body)),
        )
    }
}

fn serve(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        answer(stream, &request)?;
        if close {
            break;
        }
    }
    Ok(())
}

fn answer(mut stream: &TcpStream, request: &Received) -> io::Result<()> {
    let document = request.to_json();
    let mut response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        document.len()
    );
    // Lets a request choose a header of its own response; the tests' guests misbehave on such marks.
    if let Some(mark) = request.header("x-misbehave") {
        let _ = write!(response, "x-misbehave: {mark}\r\n");
    }
    response.push_str("\r\n");
    if request.line.first().is_none_or(|method| method != "HEAD") {
        response.push_str(&document);
    }
    stream.write_all(response.as_bytes())
}

/// Reads one request to its end; none if the client is gone.
pub(crate) fn read(reader: &mut impl io::BufRead) -> io::Result<Option<Received>> {
    let mut request = Received::default();
    let Some(first) = line(reader)? else { return Ok(None) };
    request.line = first.split(' ').map(str::to_owned).collect();
    request.headers = fields(reader)?;
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        return Err(io::Error::other("the gateway answers Expect itself"));
    }
    if request.header("transfer-encoding").is_some() {
        while let Some(size) = chunk_size(reader)? {
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk)?;
            request.body.append(&mut chunk);
            line(reader)?;
        }
        request.trailers = fields(reader)?;
    } else if let Some(length) = request.header("content-length") {
        let length = length.parse().map_err(io::Error::other)?;
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn line(reader: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = reader.take(64 * 1024).read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The size of the next chunk; none after the last.
fn chunk_size(reader: &mut impl io::BufRead) -> io::Result<Option<usize>> {
    let size_line = line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let digits = size_line.split(';').next().unwrap_or_default().trim();
    let size = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
    Ok((size > 0).then_some(size))
}

fn fields(reader: &mut impl io::BufRead) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    while let Some(field) = line(reader)? {
        let Some((name, value)) = field.split_once(':') else { break };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(fields)
}

fn object(fields: &[(String, String)]) -> String {
    let mut merged: Vec<(&str, String)> = Vec::new();
    for (name, value) in fields {
        match merged.iter_mut().find(|(present, _)| present == name) {
            Some((_, values)) => {
                values.push_str(", ");
                values.push_str(value);
            }
            None => merged.push((name, value.clone())),
        }
    }
    let members: Vec<_> =
        merged.iter().map(|(name, value)| format!("{}: {}", string(name), string(value))).collect();
    format!("{{{}}}", members.join(", "))
}

fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
