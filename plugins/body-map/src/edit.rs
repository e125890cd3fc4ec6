//! Changes to documents: at pointers, and at nodes that a path has selected.

use std::borrow::Cow;

use crate::json::{Json, MAX_DEPTH, Pointer, child_mut, index};
use crate::path::{MAX_VISITS, TooMuch};

/// Why an operation does not go on.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    /// The document is not what the operation counts on.
    Mismatch(String),
    /// It would take more than it may.
    TooComplex(String),
}

impl Stop {
    pub(crate) fn missing(what: &dyn std::fmt::Display) -> Self {
        Self::Mismatch(format!("there is nothing at `{what}`"))
    }
}

impl From<TooMuch> for Stop {
    fn from(_: TooMuch) -> Self {
        Self::TooComplex(format!("a path would look at more than {MAX_VISITS} values"))
    }
}

pub(crate) type Result<T> = std::result::Result<T, Stop>;

/// Refuses what would nest too deeply `levels` below the root.
pub(crate) fn fits(levels: usize, value: &Json<'_>) -> Result<()> {
    if levels + value.depth() > MAX_DEPTH {
        return Err(Stop::TooComplex(format!("more than {MAX_DEPTH} arrays and objects within one another")));
    }
    Ok(())
}

/// Refuses what would make a document cost more than it may.
pub(crate) fn affordable(cost: usize, budget: usize) -> Result<()> {
    if cost > budget {
        return Err(Stop::TooComplex("more values than there is memory for".to_owned()));
    }
    Ok(())
}

/// Copies a value that comes to stand beside what there is.
pub(crate) fn copied<'a>(root: &Json<'a>, value: &Json<'a>, budget: usize) -> Result<Json<'a>> {
    affordable(root.cost() + value.cost(), budget)?;
    Ok(value.clone())
}

fn parent<'v, 'a, 'p>(root: &'v mut Json<'a>, at: &'p Pointer) -> Result<(&'v mut Json<'a>, &'p str)> {
    let (last, parents) = at.tokens().split_last().ok_or_else(|| Stop::missing(at))?;
    let mut value = root;
    for token in parents {
        value = child_mut(value, token).ok_or_else(|| Stop::missing(at))?;
    }
    Ok((value, last))
}

/// `add` of RFC 6902 section 4.1.
pub(crate) fn add<'a>(root: &mut Json<'a>, at: &'a Pointer, value: Json<'a>) -> Result<()> {
    fits(at.tokens().len(), &value)?;
    if at.tokens().is_empty() {
        *root = value;
        return Ok(());
    }
    let (parent, token) = parent(root, at)?;
    match parent {
        Json::Object(members) => match members.iter_mut().find(|(name, _)| name == token) {
            Some((_, old)) => *old = value,
            None => members.push((Cow::Borrowed(token), value)),
        },
        Json::Array(items) => {
            let place = if token == "-" { Some(items.len()) } else { index(token) };
            match place.filter(|place| *place <= items.len()) {
                Some(place) => items.insert(place, value),
                None => return Err(Stop::Mismatch(format!("there is no place for `{at}` in its array"))),
            }
        }
        other => return Err(holds_nothing(other, at)),
    }
    Ok(())
}

fn holds_nothing(value: &Json<'_>, at: &Pointer) -> Stop {
    Stop::Mismatch(format!("what should hold `{at}` is {}", value.kind()))
}

/// `remove` of RFC 6902 section 4.2: what was there.
pub(crate) fn remove<'a>(root: &mut Json<'a>, at: &Pointer) -> Result<Json<'a>> {
    let missing = || Stop::missing(at);
    let (parent, token) = parent(root, at)?;
    match parent {
        Json::Object(members) => {
            let place = members.iter().position(|(name, _)| name == token).ok_or_else(missing)?;
            Ok(members.remove(place).1)
        }
        Json::Array(items) => {
            let place = index(token).filter(|place| *place < items.len()).ok_or_else(missing)?;
            Ok(items.remove(place))
        }
        _ => Err(missing()),
    }
}

/// `replace` of RFC 6902 section 4.3.
pub(crate) fn replace<'a>(root: &mut Json<'a>, at: &Pointer, value: Json<'a>) -> Result<()> {
    fits(at.tokens().len(), &value)?;
    let mut target = root;
    for token in at.tokens() {
        target = child_mut(target, token).ok_or_else(|| Stop::missing(at))?;
    }
    *target = value;
    Ok(())
}

/// Gives a place this value, and makes objects of parents that are not there. An array takes one more item at its
/// end, as `-` or by number.
pub(crate) fn put<'a>(root: &mut Json<'a>, at: &'a Pointer, value: Json<'a>) -> Result<()> {
    fits(at.tokens().len(), &value)?;
    let mut target = root;
    for token in at.tokens() {
        target = slot(target, token, at)?;
    }
    *target = value;
    Ok(())
}

fn slot<'v, 'a>(parent: &'v mut Json<'a>, token: &'a str, at: &Pointer) -> Result<&'v mut Json<'a>> {
    match parent {
        Json::Object(members) => {
            let known = members.iter().position(|(name, _)| name == token);
            let place = known.unwrap_or_else(|| {
                members.push((Cow::Borrowed(token), Json::Object(Vec::new())));
                members.len() - 1
            });
            Ok(&mut members[place].1)
        }
        Json::Array(items) => {
            let place = if token == "-" { Some(items.len()) } else { index(token) };
            if place == Some(items.len()) {
                items.push(Json::Object(Vec::new()));
            }
            let found = place.and_then(|place| items.get_mut(place));
            found.ok_or_else(|| Stop::Mismatch(format!("there is no place for `{at}` in its array")))
        }
        other => Err(holds_nothing(other, at)),
    }
}

fn address(node: &Json<'_>) -> usize {
    std::ptr::from_ref(node).addr()
}

/// The way to a node of this document: the position of the child at every level.
pub(crate) fn place_of(root: &Json<'_>, node: &Json<'_>) -> Option<Vec<usize>> {
    fn walk(value: &Json<'_>, wanted: usize, place: &mut Vec<usize>) -> bool {
        if address(value) == wanted {
            return true;
        }
        value.children().enumerate().any(|(at, child)| {
            place.push(at);
            let found = walk(child, wanted, place);
            if !found {
                place.pop();
            }
            found
        })
    }
    let mut place = Vec::new();
    walk(root, address(node), &mut place).then_some(place)
}

/// Takes out the value at a place; none if there is no such place, or it is the root.
pub(crate) fn take<'a>(root: &mut Json<'a>, place: &[usize]) -> Option<Json<'a>> {
    let (last, parents) = place.split_last()?;
    let mut value = root;
    for at in parents {
        value = match value {
            Json::Array(items) => items.get_mut(*at)?,
            Json::Object(members) => &mut members.get_mut(*at)?.1,
            _ => return None,
        };
    }
    match value {
        Json::Array(items) if *last < items.len() => Some(items.remove(*last)),
        Json::Object(members) if *last < members.len() => Some(members.remove(*last).1),
        _ => None,
    }
}

/// For every value of a document in its order, parents first, whether it is chosen.
pub(crate) struct Marks(std::vec::IntoIter<bool>);

impl Marks {
    pub(crate) fn new(root: &Json<'_>, chosen: &[&Json<'_>]) -> Self {
        fn walk(value: &Json<'_>, chosen: &[usize], marks: &mut Vec<bool>) {
            marks.push(chosen.binary_search(&address(value)).is_ok());
            value.children().for_each(|child| walk(child, chosen, marks));
        }
        let mut chosen: Vec<usize> = chosen.iter().map(|node| address(node)).collect();
        chosen.sort_unstable();
        let mut marks = Vec::new();
        walk(root, &chosen, &mut marks);
        let mut marks = marks.into_iter();
        // The root itself is neither removed nor renamed.
        marks.next();
        Self(marks)
    }

    fn next(&mut self) -> bool {
        self.0.next().unwrap_or(false)
    }

    /// Passes over the values within one that is gone.
    fn skip_inside(&mut self, value: &Json<'_>) {
        for _ in 1..value.size() {
            self.0.next();
        }
    }
}

/// Removes the values that are marked.
pub(crate) fn prune(value: &mut Json<'_>, marks: &mut Marks) {
    fn stays(value: &mut Json<'_>, marks: &mut Marks) -> bool {
        let goes = marks.next();
        if goes {
            marks.skip_inside(value);
        } else {
            prune(value, marks);
        }
        !goes
    }
    match value {
        Json::Array(items) => items.retain_mut(|item| stays(item, marks)),
        Json::Object(members) => members.retain_mut(|(_, value)| stays(value, marks)),
        _ => {}
    }
}

/// Gives the members that are marked another name, in their places. What had that name before is removed.
pub(crate) fn rename<'a>(value: &mut Json<'a>, to: &'a str, marks: &mut Marks) -> Result<()> {
    match value {
        Json::Array(items) => {
            for item in items {
                if marks.next() {
                    return Err(Stop::Mismatch("an item of an array has no name".to_owned()));
                }
                rename(item, to, marks)?;
            }
        }
        Json::Object(members) => {
            let mut renamed = None;
            for (at, (_, value)) in members.iter_mut().enumerate() {
                if marks.next() && renamed.replace(at).is_some() {
                    return Err(Stop::Mismatch(format!(
                        "several members of one object would be called `{to}`"
                    )));
                }
                rename(value, to, marks)?;
            }
            if let Some(renamed) = renamed {
                members[renamed].0 = Cow::Borrowed(to);
                let mut at = 0..;
                members.retain(|(name, _)| at.next() == Some(renamed) || name != to);
            }
        }
        _ => {}
    }
    Ok(())
}
