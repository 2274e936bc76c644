//! Starts a program in its own job. The program inherits three handles and no other.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString, c_void};
use std::fs::File;
use std::io::{self, PipeReader};
use std::mem::size_of_val;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::JobObjects::{
    CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DeleteProcThreadAttributeList,
    EXTENDED_STARTUPINFO_PRESENT, GetExitCodeProcess, InitializeProcThreadAttributeList,
    LPPROC_THREAD_ATTRIBUTE_LIST, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
    PROC_THREAD_ATTRIBUTE_JOB_LIST, PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    TerminateProcess, UpdateProcThreadAttribute, WaitForSingleObject,
};
use zeroize::Zeroizing;

use super::search::Line;
use crate::credentials::command::invocation::KeyCommand;
use crate::credentials::command::process::state::State;

/// A running program.
pub(in super::super) struct Child {
    process: OwnedHandle,
    pub(in super::super) stdout: Option<PipeReader>,
    pub(in super::super) stderr: Option<PipeReader>,
}

impl Child {
    /// Returns the exit code, or `None` while the program runs.
    pub(in super::super) fn try_wait(&mut self) -> io::Result<Option<u32>> {
        let mut code = 0;
        // SAFETY: the handle is open, and `code` is valid for writes.
        unsafe {
            if WaitForSingleObject(self.process.as_raw_handle(), 0) != WAIT_OBJECT_0 {
                return Ok(None);
            }
            done(GetExitCodeProcess(
                self.process.as_raw_handle(),
                &raw mut code,
            ))?;
        }
        Ok(Some(code))
    }
}

/// The job of a program and of the processes that it starts. The system ends the job with this
/// process at the latest.
pub(in super::super) struct Group {
    job: OwnedHandle,
}

impl Group {
    fn new() -> io::Result<Self> {
        // SAFETY: null pointers are allowed: no name, and the default security.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if job.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is new and has no other owner.
        let job = unsafe { OwnedHandle::from_raw_handle(job) };
        let group = Self { job };
        group.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
        Ok(group)
    }

    fn limit(&self, flags: u32) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        // SAFETY: the handle is open, and the structure has that size.
        done(unsafe {
            let (place, size) = ((&raw const limits).cast(), size_of_val(&limits) as u32);
            SetInformationJobObject(
                self.job.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                place,
                size,
            )
        })
    }

    pub(in super::super) fn state(&mut self, child: &mut Child) -> io::Result<State> {
        Ok(if child.try_wait()?.is_some() {
            State::Exited
        } else {
            State::Running
        })
    }

    /// Lets background processes of the program continue.
    pub(in super::super) fn spare(&self) {
        // On an error the background processes are killed, which does not affect the result.
        let _ = self.limit(0);
    }

    pub(in super::super) fn kill(&self, child: &mut Child) {
        // SAFETY: both handles are open. An error means that no process is left.
        unsafe {
            TerminateJobObject(self.job.as_raw_handle(), 1);
            TerminateProcess(child.process.as_raw_handle(), 1);
        }
    }
}

/// Starts a program in its own job, with the variable `marker` set to 1.
pub(in super::super) fn spawn(command: &KeyCommand, marker: &str) -> io::Result<(Child, Group)> {
    let line = Line::of(command)?;
    let group = Group::new()?;
    let nothing = File::open("NUL")?;
    let ((stdout, out), (stderr, err)) = (io::pipe()?, io::pipe()?);
    let handles = [
        nothing.as_raw_handle(),
        out.as_raw_handle(),
        err.as_raw_handle(),
    ];
    let process = create(
        &line,
        &environment(marker),
        handles,
        group.job.as_raw_handle(),
    )?;
    Ok((
        Child {
            process,
            stdout: Some(stdout),
            stderr: Some(stderr),
        },
        group,
    ))
}

fn create(
    line: &Line,
    environment: &[u16],
    handles: [RawHandle; 3],
    job: HANDLE,
) -> io::Result<OwnedHandle> {
    let file: Vec<u16> = line.file.as_os_str().encode_wide().chain([0]).collect();
    let mut text: Zeroizing<Vec<u16>> = Zeroizing::new(Vec::with_capacity(line.text.len() + 1));
    text.extend(line.text.encode_utf16().chain([0]));
    for handle in handles {
        // SAFETY: the handle is open, and the caller owns it.
        done(unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) })?;
    }
    let jobs = [job];
    let mut attributes = Attributes::new()?;
    attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &handles)?;
    attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, &jobs)?;
    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = size_of_val(&startup) as u32;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    [
        startup.StartupInfo.hStdInput,
        startup.StartupInfo.hStdOutput,
        startup.StartupInfo.hStdError,
    ] = handles;
    startup.lpAttributeList = attributes.list();
    let mut information = PROCESS_INFORMATION::default();
    let flags = CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    // SAFETY: the texts end with a NUL and the environment with two. The lists and their handles
    // outlive the call.
    done(unsafe {
        CreateProcessW(
            file.as_ptr(),
            text.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            flags,
            environment.as_ptr().cast(),
            ptr::null(),
            (&raw const startup.StartupInfo).cast(),
            &raw mut information,
        )
    })?;
    // SAFETY: both handles are new and have no other owner.
    unsafe {
        drop(OwnedHandle::from_raw_handle(information.hThread));
        Ok(OwnedHandle::from_raw_handle(information.hProcess))
    }
}

/// Returns the environment of this process with the marker.
#[allow(
    clippy::disallowed_methods,
    reason = "Windows guards the environment by a lock"
)]
fn environment(marker: &str) -> Vec<u16> {
    let mut variables: BTreeMap<OsString, OsString> = env::vars_os().collect();
    variables.insert(marker.into(), "1".into());
    let mut block = Vec::new();
    for (name, value) in &variables {
        for part in [name.as_os_str(), OsStr::new("="), value.as_os_str()] {
            block.extend(part.encode_wide());
        }
        block.push(0);
    }
    block.extend([0, 0]);
    block
}

/// Extended attributes for the start of a program.
struct Attributes {
    /// Has the alignment of pointers.
    room: Vec<usize>,
}

impl Attributes {
    const COUNT: u32 = 2;

    fn new() -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a list, the function only writes the size.
        unsafe {
            InitializeProcThreadAttributeList(ptr::null_mut(), Self::COUNT, 0, &raw mut size)
        };
        let mut attributes = Self {
            room: vec![0; size.div_ceil(size_of::<usize>()).max(1)],
        };
        // SAFETY: the list has that size.
        let made = unsafe {
            InitializeProcThreadAttributeList(attributes.list(), Self::COUNT, 0, &raw mut size)
        };
        if made == 0 {
            let error = io::Error::last_os_error();
            // A list that was not initialized must not be deleted.
            std::mem::forget(attributes);
            return Err(error);
        }
        Ok(attributes)
    }

    fn list(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.room.as_mut_ptr().cast::<c_void>()
    }

    /// Sets an attribute. The handles have to outlive the list.
    fn set(&mut self, attribute: u32, handles: &[HANDLE]) -> io::Result<()> {
        let size = size_of_val(handles);
        // SAFETY: the list is initialized, and the handles have that size.
        done(unsafe {
            let (which, place) = (attribute as usize, handles.as_ptr().cast());
            UpdateProcThreadAttribute(
                self.list(),
                0,
                which,
                place,
                size,
                ptr::null_mut(),
                ptr::null(),
            )
        })
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the list is initialized.
        unsafe { DeleteProcThreadAttributeList(self.list()) };
    }
}

fn done(result: i32) -> io::Result<()> {
    if result == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    const SLEEPS: &str = "LIBFAL_TEST_SLEEPS";
    const LONG: Duration = Duration::from_secs(60);

    /// The program that the tests below start: this test, in another process.
    #[test]
    fn a_program_that_sleeps() {
        if env::var_os(SLEEPS).is_some() {
            io::stdout().write_all(b"asleep\n").unwrap();
            thread::sleep(LONG);
        }
    }

    /// Starts the program and waits until it runs.
    fn asleep() -> (Child, Group) {
        let program = env::current_exe().unwrap();
        let name = concat!(module_path!(), "::a_program_that_sleeps")
            .split_once("::")
            .unwrap()
            .1;
        let arguments = ["--exact", name, "--nocapture"];
        let command = KeyCommand::Program {
            program: program.to_str().unwrap().to_owned().into(),
            arguments: arguments.map(|word| word.to_owned().into()).to_vec(),
        };
        let (mut child, group) = spawn(&command, SLEEPS).unwrap();
        let (mut said, mut byte) = (Vec::new(), [0]);
        let stdout = child.stdout.as_mut().unwrap();
        while !said.ends_with(b"asleep\n") {
            assert_eq!(
                stdout.read(&mut byte).unwrap(),
                1,
                "{}",
                String::from_utf8_lossy(&said)
            );
            said.extend(byte);
        }
        (child, group)
    }

    fn ends(child: &mut Child) -> bool {
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() && start.elapsed() < LONG / 2 {
            thread::sleep(Duration::from_millis(5));
        }
        child.try_wait().unwrap().is_some()
    }

    #[test]
    fn no_handle_of_the_host_is_inherited() {
        let (mut reader, writer) = io::pipe().unwrap();
        // SAFETY: the handle is open, and this test owns it.
        done(unsafe {
            SetHandleInformation(
                writer.as_raw_handle(),
                HANDLE_FLAG_INHERIT,
                HANDLE_FLAG_INHERIT,
            )
        })
        .unwrap();
        let (mut child, group) = asleep();
        drop(writer);
        // The read ends as soon as no process holds the writing end.
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(reader.read(&mut [0]).unwrap()));
        assert_eq!(end.recv_timeout(LONG / 2), Ok(0));
        assert!(child.try_wait().unwrap().is_none());
        group.kill(&mut child);
        assert!(ends(&mut child));
    }

    /// The system closes the handles of a process when the process ends for any reason.
    #[test]
    fn a_program_ends_with_the_last_handle_of_its_job() {
        let (mut child, group) = asleep();
        drop(group);
        assert!(ends(&mut child));
    }

    #[test]
    fn what_is_spared_goes_on() {
        let (mut child, group) = asleep();
        group.spare();
        drop(group);
        thread::sleep(Duration::from_millis(300));
        assert!(child.try_wait().unwrap().is_none());
        // SAFETY: the handle is open.
        done(unsafe { TerminateProcess(child.process.as_raw_handle(), 1) }).unwrap();
        assert!(ends(&mut child));
    }
}
