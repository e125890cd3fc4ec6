//! Content types: which protocol they name, and which coding of messages.

/// A protocol that a content type names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `application/grpc`.
    Grpc,
    /// `application/grpc-web`.
    GrpcWeb,
    /// `application/grpc-web-text`: the same in Base64.
    GrpcWebText,
    /// `application/connect+proto`: Connect with streams.
    Connect,
}

/// What a content type names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The protocol.
    pub protocol: Protocol,
    /// How messages are written, in small letters: `proto`, `json`, ... None if it is not said, which is `proto`.
    pub codec: Option<String>,
}

impl Media {
    /// Reads a `Content-Type`, or one member of an `Accept`. None if it is no protocol of these. Parameters are passed over.
    #[must_use]
    pub fn from_content_type(value: &str) -> Option<Self> {
        let essence = value.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        let (base, codec) = match essence.split_once('+') {
            Some((base, codec)) => (base, Some(codec)),
            None => (&*essence, None),
        };
        let protocol = match (base, codec) {
            ("application/grpc", _) => Protocol::Grpc,
            ("application/grpc-web", _) => Protocol::GrpcWeb,
            ("application/grpc-web-text" | "application/grpc-web-text-base64", _) => Protocol::GrpcWebText,
            ("application/connect", Some(_)) => Protocol::Connect,
            _ => return None,
        };
        (codec != Some("")).then(|| Self { protocol, codec: codec.map(str::to_owned) })
    }

    /// How messages are written: what is said, or `proto`.
    #[must_use]
    pub fn codec(&self) -> &str {
        self.codec.as_deref().unwrap_or("proto")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_apart() {
        let read = |value| Media::from_content_type(value).map(|media| (media.protocol, media.codec));
        let proto = || Some("proto".to_owned());
        for (value, media) in [
            ("application/grpc", Some((Protocol::Grpc, None))),
            ("Application/gRPC+Proto", Some((Protocol::Grpc, proto()))),
            ("application/grpc-web", Some((Protocol::GrpcWeb, None))),
            ("application/grpc-web+proto; charset=utf-8", Some((Protocol::GrpcWeb, proto()))),
            ("application/grpc-web-text", Some((Protocol::GrpcWebText, None))),
            ("application/grpc-web-text+proto", Some((Protocol::GrpcWebText, proto()))),
            ("application/grpc-web-text-base64", Some((Protocol::GrpcWebText, None))),
            ("application/connect+json", Some((Protocol::Connect, Some("json".to_owned())))),
            ("application/connect", None),
            ("application/grpc+", None),
            ("application/grpcx", None),
            ("application/grpc-web-texts", None),
            ("application/json", None),
            ("", None),
        ] {
            assert_eq!(read(value), media, "{value}");
        }
    }
}
