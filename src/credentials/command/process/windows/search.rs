//! Finds the file of a program, and builds its command line.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;
use zeroize::Zeroizing;

use crate::credentials::command::invocation::KeyCommand;

/// The file name extensions of programs if `PATHEXT` is not set.
const ENDINGS: &str = ".COM;.EXE;.BAT;.CMD";

/// A file and its command line.
pub(super) struct Line {
    pub(super) file: PathBuf,
    pub(super) text: Zeroizing<String>,
}

impl Line {
    pub(super) fn of(command: &KeyCommand) -> io::Result<Self> {
        match command {
            // With /S, cmd.exe removes this pair of quotes and leaves the text unchanged.
            KeyCommand::Shell(text) => Self::of_shell(&format!("/D /S /C \"{}\"", text.as_str())),
            KeyCommand::Program { program, arguments } => {
                let file = find(program).ok_or(ErrorKind::NotFound)?;
                let words = arguments.iter().map(|argument| argument.as_str());
                if is_batch(&file) {
                    Self::of_batch(&file, words)
                } else {
                    Ok(Self::of_program(file, words))
                }
            }
        }
    }

    fn of_program<'a>(file: PathBuf, arguments: impl Iterator<Item = &'a str>) -> Self {
        let mut text = Zeroizing::new(format!("\"{}\"", file.display()));
        for argument in arguments {
            text.push(' ');
            quote(&mut text, argument);
        }
        Self { file, text }
    }

    /// Builds the command line of a batch file. cmd.exe runs the file and parses its arguments. It
    /// has no way to quote the characters that this function refuses.
    fn of_batch<'a>(file: &'a Path, arguments: impl Iterator<Item = &'a str>) -> io::Result<Self> {
        let path = file.to_str().ok_or(ErrorKind::InvalidInput)?;
        let mut text = Zeroizing::new(String::new());
        for word in std::iter::once(path).chain(arguments) {
            if word.contains(['"', '%', '\r', '\n']) {
                return Err(ErrorKind::InvalidInput.into());
            }
            let end = if word.ends_with('\\') { "\\" } else { "" };
            if !text.is_empty() {
                text.push(' ');
            }
            for part in ["\"", word, end, "\""] {
                text.push_str(part);
            }
        }
        Self::of_shell(&format!("/D /E:ON /V:OFF /S /C \"{}\"", text.as_str()))
    }

    fn of_shell(arguments: &str) -> io::Result<Self> {
        // An absolute path, so that a cmd.exe in the folder of the host is not started.
        let file = system_folder().ok_or(ErrorKind::NotFound)?.join("cmd.exe");
        let text = Zeroizing::new(format!("\"{}\" {arguments}", file.display()));
        Ok(Self { file, text })
    }
}

/// Quotes an argument for the usual parsers of command lines: a backslash is special only before a
/// quote.
fn quote(line: &mut String, argument: &str) {
    line.push('"');
    let mut backslashes = 0;
    for c in argument.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                (0..=backslashes).for_each(|_| line.push('\\'));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(c);
    }
    (0..backslashes).for_each(|_| line.push('\\'));
    line.push('"');
}

/// Finds the file of a program. Searches the current folder and the folder of the host only if the
/// program is a path to them.
#[allow(
    clippy::disallowed_methods,
    reason = "Windows guards the environment by a lock"
)]
fn find(program: &str) -> Option<PathBuf> {
    let path = Path::new(program);
    if program.contains(['/', '\\', ':']) {
        return with_ending(path).and_then(|file| std::path::absolute(file).ok());
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .chain(system_folder());
    folders.find_map(|folder| with_ending(&folder.join(path)))
}

#[allow(
    clippy::disallowed_methods,
    reason = "Windows guards the environment by a lock"
)]
fn with_ending(path: &Path) -> Option<PathBuf> {
    if path.extension().is_some() && path.is_file() {
        return Some(path.to_owned());
    }
    let endings = env::var("PATHEXT").unwrap_or_else(|_| ENDINGS.to_owned());
    let whole = endings
        .split(';')
        .filter(|ending| ending.starts_with('.'))
        .map(|ending| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending.to_ascii_lowercase());
            PathBuf::from(name)
        });
    let mut candidates = whole.chain([path.to_owned()]);
    candidates.find(|file| file.is_file())
}

fn is_batch(file: &Path) -> bool {
    file.extension().is_some_and(|ending| {
        ending.eq_ignore_ascii_case("bat") || ending.eq_ignore_ascii_case("cmd")
    })
}

fn system_folder() -> Option<PathBuf> {
    let mut units = [0_u16; 260];
    // SAFETY: the buffer is valid for writes of its size.
    let length = unsafe { GetSystemDirectoryW(units.as_mut_ptr(), units.len() as u32) };
    let folder = units
        .get(..usize::try_from(length).ok()?)
        .filter(|folder| !folder.is_empty())?;
    Some(PathBuf::from(OsString::from_wide(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_arrive_as_they_are() {
        let line = |arguments: &[&str]| {
            Line::of_program(PathBuf::from("C:\\a b\\p.exe"), arguments.iter().copied())
                .text
                .to_string()
        };
        assert_eq!(line(&[]), "\"C:\\a b\\p.exe\"");
        assert_eq!(
            line(&["a", "b c", ""]),
            "\"C:\\a b\\p.exe\" \"a\" \"b c\" \"\""
        );
        assert_eq!(
            line(&["a\\", "b\\\"c", "d\"", "e\\f"]),
            "\"C:\\a b\\p.exe\" \"a\\\\\" \"b\\\\\\\"c\" \"d\\\"\" \"e\\f\""
        );
    }

    #[test]
    fn a_batch_file_gets_nothing_that_its_shell_would_act_upon() {
        let line =
            |argument: &str| Line::of_batch(Path::new("C:\\t\\g.cmd"), [argument].into_iter());
        let text = line("a&b|c").unwrap().text.to_string();
        assert!(
            text.ends_with(" /D /E:ON /V:OFF /S /C \"\"C:\\t\\g.cmd\" \"a&b|c\"\""),
            "{text}"
        );
        for bad in ["%PATH%", "a\"b", "a\nb", "a\rb"] {
            assert_eq!(
                line(bad).err().map(|error| error.kind()),
                Some(ErrorKind::InvalidInput),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_name_is_looked_for_with_every_ending() {
        let file = find("cmd").unwrap();
        assert!(
            file.is_absolute()
                && file
                    .to_string_lossy()
                    .to_ascii_lowercase()
                    .ends_with("cmd.exe"),
            "{file:?}"
        );
        assert_eq!(find("no-such-program-of-libfal"), None);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tool.cmd"), "").unwrap();
        let found = find(&format!("{}\\tool", folder.path().display())).unwrap();
        assert!(is_batch(&found), "{found:?}");
    }
}
