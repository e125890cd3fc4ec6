//! Descriptor sets, read straight from their bytes (`google/protobuf/descriptor.proto`).

mod features;
mod types;

use std::collections::{BTreeMap, HashMap, HashSet};

use thiserror::Error;

use crate::pool::{EnumId, MessageId, Method, Pool, Service, TypeId};
use crate::{Fields, Known, Value};

use features::Features;

/// The well-known types, `google.rpc.Status` with the details there are, and `google.api.HttpBody`.
const KNOWN: &[u8] = include_bytes!("data/known.binpb");

/// A descriptor set that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SetError {
    /// The bytes are none.
    #[error("it is no descriptor set: {0}")]
    Syntax(#[from] crate::Error),
    /// A type is referred to that is not there.
    #[error("type `{0}` is missing: has the set been made with `--include_imports`?")]
    MissingType(String),
    /// Something in it makes no sense.
    #[error("{0}")]
    Nonsense(String),
}

/// What a descriptor says, where names have no type yet.
pub(crate) struct Found<'a> {
    /// With the message that it stands in before it.
    name: String,
    bytes: &'a [u8],
    features: Features,
    comment: String,
    /// Of the message's fields.
    field_comments: HashMap<u32, String>,
}

/// A walk through the files of a set.
#[derive(Default)]
struct Walk<'a> {
    messages: Vec<Found<'a>>,
    enums: Vec<Found<'a>>,
    services: Vec<(Found<'a>, HashMap<u32, String>)>,
    /// Fields that stand elsewhere than in their message, with the scope of their names.
    extensions: Vec<(String, &'a [u8], Features)>,
    files: HashSet<&'a str>,
    names: HashMap<Box<str>, TypeId>,
}

/// Comments of a file by the path of what they are about.
type Comments<'a> = BTreeMap<Vec<u32>, &'a str>;

const MESSAGE: u32 = 4;
const ENUM: u32 = 5;
const SERVICE: u32 = 6;
const EXTENSION: u32 = 7;

impl Pool {
    /// Reads a `FileDescriptorSet`. Types that it lacks of the well-known ones are there all the same.
    pub fn new(set: &[u8]) -> Result<Self, SetError> {
        Self::load(set, false)
    }

    /// As [`new`](Self::new), with the comments that a set has if it was made with `--include_source_info`.
    pub fn with_comments(set: &[u8]) -> Result<Self, SetError> {
        Self::load(set, true)
    }

    fn load(set: &[u8], comments: bool) -> Result<Self, SetError> {
        let mut walk = Walk::default();
        for bytes in [set, KNOWN] {
            for field in Fields::new(bytes) {
                if let (1, Value::Bytes(file)) = field? {
                    walk.file(file, comments)?;
                }
            }
        }
        let Walk { messages, enums, services, extensions, names, .. } = walk;
        let mut pool = Self { names, ..Self::default() };
        pool.enums = enums.iter().map(types::enumeration).collect::<Result<_, _>>()?;
        let mut extended: HashMap<MessageId, Vec<_>> = HashMap::new();
        for (scope, bytes, features) in &extensions {
            if let Some((extendee, field)) = pool.extension(scope, bytes, *features)? {
                extended.entry(extendee).or_default().push(field);
            }
        }
        let is_entry: Vec<_> = messages.iter().map(types::is_map_entry).collect::<Result<_, _>>()?;
        for (place, found) in (0..).zip(&messages) {
            let more = extended.remove(&MessageId(place)).unwrap_or_default();
            let message = pool.read_message(found, more, &is_entry)?;
            pool.messages.push(message);
        }
        pool.services = services
            .iter()
            .map(|(found, comments)| pool.service(found, comments))
            .collect::<Result<_, _>>()?;
        Ok(pool)
    }

    /// The type that a descriptor names.
    pub(crate) fn resolve(&self, name: &str) -> Result<TypeId, SetError> {
        let full = name.strip_prefix('.').unwrap_or(name);
        self.names.get(full).copied().ok_or_else(|| SetError::MissingType(full.to_owned()))
    }

    fn resolve_message(&self, name: &str) -> Result<MessageId, SetError> {
        match self.resolve(name)? {
            TypeId::Message(id) => Ok(id),
            TypeId::Enum(_) => {
                Err(SetError::Nonsense(format!("`{name}` is an enum where a message is wanted")))
            }
        }
    }

    fn service(&self, found: &Found<'_>, comments: &HashMap<u32, String>) -> Result<Service, SetError> {
        let mut methods = Vec::new();
        for field in Fields::new(found.bytes) {
            if let (2, Value::Bytes(method)) = field? {
                let place = u32::try_from(methods.len()).unwrap_or(u32::MAX);
                let comment = comments.get(&place).map(String::as_str).unwrap_or_default();
                methods.push(self.method(method, comment)?);
            }
        }
        let (name, comment) = (found.name.as_str().into(), found.comment.as_str().into());
        Ok(Service { name, methods: methods.into(), comment })
    }

    fn method(&self, bytes: &[u8], comment: &str) -> Result<Method, SetError> {
        let (mut name, mut input, mut output) = ("", "", "");
        let (mut client_streaming, mut server_streaming) = (false, false);
        let mut options = Vec::new();
        for field in Fields::new(bytes) {
            match field? {
                (1, value) => name = value.text().unwrap_or_default(),
                (2, value) => input = value.text().unwrap_or_default(),
                (3, value) => output = value.text().unwrap_or_default(),
                (4, Value::Bytes(bytes)) => options.extend_from_slice(bytes),
                (5, Value::Varint(value)) => client_streaming = value != 0,
                (6, Value::Varint(value)) => server_streaming = value != 0,
                _ => {}
            }
        }
        Ok(Method {
            name: name.into(),
            input: self.resolve_message(input)?,
            output: self.resolve_message(output)?,
            client_streaming,
            server_streaming,
            options: options.into(),
            comment: comment.into(),
        })
    }
}

impl<'a> Walk<'a> {
    fn file(&mut self, file: &'a [u8], with_comments: bool) -> Result<(), SetError> {
        let (mut name, mut package, mut edition, mut syntax) = ("", "", 0, "");
        let (mut options, mut source) = (&b""[..], &b""[..]);
        for field in Fields::new(file) {
            match field? {
                (1, value) => name = value.text().unwrap_or_default(),
                (2, value) => package = value.text().unwrap_or_default(),
                (8, Value::Bytes(bytes)) => options = bytes,
                (9, Value::Bytes(bytes)) => source = bytes,
                (12, value) => syntax = value.text().unwrap_or_default(),
                (14, Value::Varint(value)) => edition = value,
                _ => {}
            }
        }
        if !self.files.insert(name) {
            return Ok(());
        }
        let features = Features::of_file(syntax, edition).changed(options, features::IN_FILE)?;
        let comments = if with_comments { read_comments(source)? } else { Comments::new() };
        let mut places = [0_u32; 8];
        for field in Fields::new(file) {
            let (number, Value::Bytes(bytes)) = field? else { continue };
            let Some(place) =
                places.get_mut(number as usize).filter(|_| (MESSAGE..=EXTENSION).contains(&number))
            else {
                continue;
            };
            let path = [number, *place];
            *place += 1;
            match number {
                MESSAGE => self.message(package, bytes, features, &path, &comments)?,
                ENUM => self.enumeration(package, bytes, features, comment(&comments, &path))?,
                SERVICE => {
                    let name = scoped(package, name_of(bytes)?);
                    // The library's own have no services.
                    let found = Found::new(name, bytes, features, comment(&comments, &path));
                    self.services.push((found, comments_within(&comments, &path, 2)));
                }
                _ => self.extensions.push((package.to_owned(), bytes, features)),
            }
        }
        Ok(())
    }

    /// A message and what stands within it.
    fn message(
        &mut self,
        scope: &str,
        bytes: &'a [u8],
        outer: Features,
        path: &[u32],
        comments: &Comments<'_>,
    ) -> Result<(), SetError> {
        if path.len() > 2 * crate::MAX_DEPTH {
            return Err(SetError::Nonsense("messages are declared within each other too deep".to_owned()));
        }
        let name = scoped(scope, name_of(bytes)?);
        let mut features = outer;
        let (mut nested, mut enums) = (0, 0);
        for field in Fields::new(bytes) {
            if let (7, Value::Bytes(options)) = field? {
                features = features.changed(options, features::IN_MESSAGE)?;
            }
        }
        let id = MessageId(u32::try_from(self.messages.len()).unwrap_or(u32::MAX));
        if self.register(&name, TypeId::Message(id)) {
            let mut found = Found::new(name.clone(), bytes, features, comment(comments, path));
            found.field_comments = comments_within(comments, path, 2);
            self.messages.push(found);
        } else {
            return Ok(());
        }
        for field in Fields::new(bytes) {
            match field? {
                (number @ 3, Value::Bytes(inner)) => {
                    let path = [path, &[number, nested]].concat();
                    nested += 1;
                    self.message(&name, inner, features, &path, comments)?;
                }
                (number @ 4, Value::Bytes(inner)) => {
                    let path = [path, &[number, enums]].concat();
                    enums += 1;
                    self.enumeration(&name, inner, features, comment(comments, &path))?;
                }
                (6, Value::Bytes(extension)) => self.extensions.push((name.clone(), extension, features)),
                _ => {}
            }
        }
        Ok(())
    }

    fn enumeration(
        &mut self,
        scope: &str,
        bytes: &'a [u8],
        features: Features,
        comment: String,
    ) -> Result<(), SetError> {
        let name = scoped(scope, name_of(bytes)?);
        let id = EnumId(u32::try_from(self.enums.len()).unwrap_or(u32::MAX));
        if self.register(&name, TypeId::Enum(id)) {
            self.enums.push(Found::new(name, bytes, features, comment));
        }
        Ok(())
    }

    /// Whether a name is new. The set's own definition of a well-known type comes before the library's.
    fn register(&mut self, name: &str, id: TypeId) -> bool {
        let is_new = !self.names.contains_key(name);
        if is_new {
            self.names.insert(name.into(), id);
        }
        is_new
    }
}

impl<'a> Found<'a> {
    fn new(name: String, bytes: &'a [u8], features: Features, comment: String) -> Self {
        Self { name, bytes, features, comment, field_comments: HashMap::new() }
    }

    fn known(&self) -> Known {
        Known::of(&self.name)
    }
}

fn scoped(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

fn name_of(bytes: &[u8]) -> Result<&str, SetError> {
    for field in Fields::new(bytes) {
        if let (1, value) = field? {
            return Ok(value.text().unwrap_or_default());
        }
    }
    Err(SetError::Nonsense("something has no name".to_owned()))
}

fn read_comments(source: &[u8]) -> Result<Comments<'_>, SetError> {
    let mut comments = Comments::new();
    for field in Fields::new(source) {
        let (1, Value::Bytes(location)) = field? else { continue };
        let (mut path, mut leading, mut trailing) = (Vec::new(), "", "");
        for field in Fields::new(location) {
            match field? {
                (1, Value::Bytes(packed)) => {
                    let mut numbers = Fields::new(packed);
                    while !numbers.is_empty() {
                        path.push(u32::try_from(numbers.varint()?).unwrap_or(u32::MAX));
                    }
                }
                (3, value) => leading = value.text().unwrap_or_default(),
                (4, value) => trailing = value.text().unwrap_or_default(),
                _ => {}
            }
        }
        let text = if leading.trim().is_empty() { trailing } else { leading };
        if !text.trim().is_empty() {
            comments.insert(path, text);
        }
    }
    Ok(comments)
}

/// A comment without the space that each of its lines begins with.
fn comment(comments: &Comments<'_>, path: &[u32]) -> String {
    let text = comments.get(path).copied().unwrap_or_default();
    let lines: Vec<_> = text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

/// The comments of the members of one kind, by their place.
fn comments_within(comments: &Comments<'_>, path: &[u32], kind: u32) -> HashMap<u32, String> {
    // What stands within the members comes between them.
    let (first, behind) = ([path, &[kind]].concat(), [path, &[kind + 1]].concat());
    let members = comments.range(first..behind).filter_map(|(key, _)| match key.get(path.len()..)? {
        [_, place] => Some((*place, comment(comments, key))),
        _ => None,
    });
    members.collect()
}
