//! Which directory this is: a name in a file of its own, so that a directory is known on whatever machine and under whatever path it
//! is found, and another machine's of the same path is not taken for it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use data_encoding::HEXLOWER;

/// The file with the name. Readers of usage pass over what begins with a dot.
const MARK: &str = ".sluice-directory";

/// Of a name, in bytes of random.
const LENGTH: usize = 16;

/// A directory's name, if it has one.
pub(super) fn read(directory: &Path) -> io::Result<Option<String>> {
    let text = match fs::read_to_string(directory.join(MARK)) {
        Ok(text) => text,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidData => {
                return Ok(None);
            }
            _ => return Err(error),
        },
    };
    let name = text.trim_end();
    let is_name = name.len() == 2 * LENGTH && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(is_name.then(|| name.to_owned()))
}

/// A directory's name. The directory is made if it is missing, and so is the name.
pub(super) fn make(directory: &Path) -> io::Result<String> {
    if let Some(name) = read(directory)? {
        return Ok(name);
    }
    fs::create_dir_all(directory)?;
    let mut random = [0; LENGTH];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let name = HEXLOWER.encode(&random);
    // Whole or not at all, whenever the power fails.
    let draft = directory.join(format!("{MARK}.new"));
    let mut file = File::create(&draft)?;
    file.write_all(format!("{name}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, directory.join(MARK))?;
    File::open(directory)?.sync_all()?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_its_name_and_each_has_another() {
        let above = tempfile::tempdir().unwrap();
        let (a, b) = (above.path().join("x/a"), above.path().join("b"));
        assert_eq!(read(&a).unwrap(), None);
        let name = make(&a).unwrap();
        assert_eq!((read(&a).unwrap(), make(&a).unwrap()), (Some(name.clone()), name.clone()));
        assert_ne!(make(&b).unwrap(), name);
        fs::rename(&a, above.path().join("c")).unwrap();
        assert_eq!(make(&above.path().join("c")).unwrap(), name);
        for nonsense in [&b""[..], b"abc\n", b"\xff\xfe"] {
            fs::write(b.join(MARK), nonsense).unwrap();
            assert_eq!(read(&b).unwrap(), None);
        }
        assert_ne!(make(&b).unwrap(), name);
    }
}
