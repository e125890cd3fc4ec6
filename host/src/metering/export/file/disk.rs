//! What is done to files: appending so that it lasts, and cutting off what does not count.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::metering::export::format::csv;
use crate::metering::export::settings::FileFormat;

/// Cuts a file to what counts, appends to it, and has the disk hold it; how long it is then.
pub(super) fn append(
    directory: &Path,
    name: &str,
    length: u64,
    format: FileFormat,
    piece: &[u8],
) -> io::Result<u64> {
    let path: PathBuf = directory.join(name);
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    let found = file.metadata()?.len();
    if found > length {
        file.set_len(length)?;
    }
    if found < length {
        tracing::error!(file = %path.display(), expected = length, found, "somebody has shortened a file of usage events");
    }
    let length = length.min(found);
    let mut whole = Vec::new();
    if length == 0 && format == FileFormat::Csv {
        whole.extend_from_slice(csv::HEADER.as_bytes());
    }
    // A file that somebody has edited may end within a line.
    if length > 0 && last_byte(&mut file, length)? != b'\n' {
        whole.push(b'\n');
    }
    whole.extend_from_slice(piece);
    file.seek(SeekFrom::Start(length))?;
    file.write_all(&whole)?;
    file.sync_all()?;
    if is_new {
        // A file that is in no directory after the power failed would be lost with all that it holds.
        File::open(directory)?.sync_all()?;
    }
    Ok(length + whole.len() as u64)
}

/// Cuts a file that is longer. One that is missing is none of ours any more.
pub(super) fn cut(directory: &Path, name: &str, length: u64, batch: usize) -> io::Result<()> {
    let path = directory.join(name);
    let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if file.metadata()?.len() <= length {
        return Ok(());
    }
    // A new file has its header before its first batch.
    if lines_after(&mut file, length)? > batch + 1 {
        let copy = unused(directory, name);
        let draft = directory.join(format!("{name}.before-cut"));
        let copied = fs::copy(&path, &draft).and_then(|_| File::open(&draft)?.sync_all());
        if let Err(error) = copied {
            // On a full disk each attempt would leave another half.
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        fs::rename(&draft, &copy)?;
        File::open(directory)?.sync_all()?;
        tracing::error!(
            file = %path.display(), copy = %copy.display(),
            "a file of usage events has more than the ledger knows to be in it, as after the ledger was restored from a backup: \
             it is cut to what the ledger knows, and the copy has all that was there"
        );
    }
    file.set_len(length)?;
    file.sync_all()
}

/// Ends of lines from a place on.
fn lines_after(file: &mut File, place: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(place))?;
    let mut lines = 0;
    for byte in BufReader::new(file).bytes() {
        lines += usize::from(byte? == b'\n');
    }
    Ok(lines)
}

/// A name beside a file's that nothing has yet. Its ending is none that readers of such files look for.
fn unused(directory: &Path, name: &str) -> PathBuf {
    let names = (1_u32..).map(|number| directory.join(format!("{name}.before-cut-{number}")));
    names.into_iter().find(|path| !path.exists()).expect("numbers do not end")
}

fn last_byte(file: &mut File, length: u64) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_fails_leaves_nothing_and_cuts_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (path, file) = (directory.path(), directory.path().join("a.csv"));
        let all = "line\n".repeat(100);
        fs::write(&file, &all).unwrap();
        // Nothing can be copied to where a directory is.
        let draft = path.join("a.csv.before-cut");
        fs::create_dir(&draft).unwrap();
        for _ in 0..3 {
            cut(path, "a.csv", 5, 10).unwrap_err();
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), all);
        assert_eq!(fs::read_dir(path).unwrap().count(), 2);
        fs::remove_dir(&draft).unwrap();
        // What an attempt before has left, if the gateway was killed in it.
        fs::write(&draft, "half").unwrap();
        cut(path, "a.csv", 5, 10).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "line\n");
        assert_eq!(fs::read_to_string(path.join("a.csv.before-cut-1")).unwrap(), all);
        assert_eq!(fs::read_dir(path).unwrap().count(), 2);
    }
}
