//! A value that is created on first use must not be left half-made in a forked child.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

const IN_CHILD: &str = "LIBFAL_TEST_FORKS";

#[test]
fn a_fork_while_another_thread_reads_the_table_leaves_the_child_one_of_its_own() {
    for _ in 0..10 {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program
            .args([
                "--exact",
                "forked::forks_in_a_fresh_process",
                "--test-threads=1",
            ])
            .env(IN_CHILD, "1");
        let output = program.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

#[test]
#[allow(unsafe_code)]
fn forks_in_a_fresh_process() {
    if std::env::var_os(IN_CHILD).is_none() {
        return;
    }
    static BEGINS: AtomicBool = AtomicBool::new(false);
    let reader = std::thread::spawn(|| {
        BEGINS.store(true, Ordering::SeqCst);
        fal::platform::operations().len()
    });
    while !BEGINS.load(Ordering::SeqCst) {
        std::hint::spin_loop();
    }
    // Forks in the middle of the creation.
    std::thread::sleep(std::time::Duration::from_micros(300));
    // SAFETY: the child only calls the library, which supports forked processes, and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: both take a number. The alarm ends a child that hangs.
        unsafe {
            libc::alarm(20);
            libc::_exit(i32::from(fal::platform::operations().is_empty()));
        }
    }
    let mut status = -1;
    // SAFETY: `status` is writable while the call runs.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child's wait status");
    assert_eq!(reader.join().unwrap(), 82);
}
