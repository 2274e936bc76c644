//! The files of a ZIP archive.

use std::io::{Cursor, Read};

use bytes::Bytes;
use zip::ZipArchive;

/// The largest unpacked size of an archive in bytes: 64 MiB, as for a request.
const LARGEST: u64 = 64 << 20;

/// The paths and contents of the files; `None` if the bytes are not an archive, a path leads out of
/// the target, or the archive is too large.
pub(super) fn unzipped(bytes: &Bytes) -> Option<Vec<(String, Bytes)>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes.clone())).ok()?;
    let (mut files, mut left) = (Vec::new(), LARGEST);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).ok()?;
        let path = entry.enclosed_name()?;
        if entry.is_dir() {
            continue;
        }
        let names: Option<Vec<&str>> = path
            .components()
            .map(|part| part.as_os_str().to_str())
            .collect();
        let mut content = Vec::new();
        // Reads one byte more than allowed, to detect a larger file.
        entry.take(left + 1).read_to_end(&mut content).ok()?;
        left = left.checked_sub(content.len() as u64)?;
        files.push((names?.join("/"), content.into()));
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Bytes {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner().into()
    }

    #[test]
    fn files_keep_their_paths() {
        let files = unzipped(&archive(&[("a.txt", b"A"), ("b/c.txt", b"CC")])).unwrap();
        assert_eq!(
            files,
            [
                ("a.txt".into(), Bytes::from("A")),
                ("b/c.txt".into(), Bytes::from("CC"))
            ]
        );
    }

    #[test]
    fn nothing_leaves_its_directory_or_grows_without_end() {
        assert!(unzipped(&archive(&[("../up.txt", b"")])).is_none());
        assert!(unzipped(&Bytes::from("no archive")).is_none());
        assert!(unzipped(&archive(&[("bomb", &vec![0; (LARGEST + 1) as usize])])).is_none());
    }
}
