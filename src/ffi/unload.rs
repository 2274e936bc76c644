//! Lets the shared library be unloaded while threads that called it are still running.
//!
//! The libraries that libfal uses (std, tokio, arc-swap) have thread-locals with destructors, also
//! on the host's threads. glibc does not unload a library while a thread has to run a destructor
//! that was registered with `__cxa_thread_atexit_impl`. A destructor of a pthread key does not
//! prevent unloading, so it would run code that is gone. Therefore build.rs makes the linker
//! redirect these functions to this file, in the shared library only: all destructors are run by
//! pthread keys, and unloading deletes the library's keys. Each thread that is still running then
//! leaks a few hundred bytes.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use libc::pthread_key_t;

use crate::runtime;
use crate::system::module;

type Destructor = unsafe extern "C" fn(*mut c_void);

/// A pthread key of the library, and the destructor of its values.
struct Slot {
    /// The key plus one; 0 if there is none.
    key: AtomicU32,
    run: AtomicPtr<c_void>,
}

const SLOTS: usize = 8;
/// The key is being created.
const BEING_MADE: u32 = u32::MAX;

static KEYS: [Slot; SLOTS] = [const {
    Slot {
        key: AtomicU32::new(0),
        run: AtomicPtr::new(ptr::null_mut()),
    }
}; SLOTS];
/// One function per slot: pthreads passes only the value to a destructor.
static ENDS: [Destructor; SLOTS] = [
    end::<0>, end::<1>, end::<2>, end::<3>, end::<4>, end::<5>, end::<6>, end::<7>,
];
/// How many threads are running destructors.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// The key, plus one, of each thread's list of [`Owed`].
static OWED: AtomicU32 = AtomicU32::new(0);

/// A destructor that a thread has to run, before those below it.
struct Owed {
    run: Destructor,
    object: *mut c_void,
    below: *mut Owed,
}

/// Replaces `__cxa_thread_atexit_impl`: `run` is called with `object` when this thread ends.
extern "C" fn register(run: Destructor, object: *mut c_void, _library: *mut c_void) -> c_int {
    let Some(key) = owed() else {
        return libc::EAGAIN;
    };
    // SAFETY: the key exists until the library is unloaded; its value is NULL or an `Owed` of this
    // thread.
    unsafe {
        let below = libc::pthread_getspecific(key).cast();
        let owed = Box::into_raw(Box::new(Owed { run, object, below }));
        libc::pthread_setspecific(key, owed.cast_const().cast())
    }
}

fn owed() -> Option<pthread_key_t> {
    loop {
        if let Some(key) = OWED.load(Ordering::Acquire).checked_sub(1) {
            return Some(key);
        }
        let mut fresh = 0;
        if make_key(&mut fresh, Some(pay)) != 0 {
            return None;
        }
        if OWED
            .compare_exchange(0, fresh + 1, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            delete_key(fresh);
        }
    }
}

/// Runs the destructors of a thread, the last registered one first.
unsafe extern "C" fn pay(owed: *mut c_void) {
    let mut owed: *mut Owed = owed.cast();
    while !owed.is_null() {
        // SAFETY: created by `register` on this thread, and removed from the list here.
        let top = unsafe { Box::from_raw(owed) };
        owed = top.below;
        // SAFETY: the destructor was registered for this object, which lives as long as the thread.
        unsafe { (top.run)(top.object) };
    }
}

/// Replaces `pthread_key_create`.
extern "C" fn make_key(key: *mut pthread_key_t, run: Option<Destructor>) -> c_int {
    // SAFETY: the C library's function of this name has this type.
    let create: Option<extern "C" fn(*mut pthread_key_t, Option<Destructor>) -> c_int> =
        unsafe { transmute(real(c"pthread_key_create")) };
    let Some(create) = create else {
        return libc::ENOSYS;
    };
    let Some(run) = run else {
        return create(key, None);
    };
    let free = |slot: &&Slot| {
        slot.key
            .compare_exchange(0, BEING_MADE, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    };
    let Some((slot, end)) = KEYS.iter().zip(ENDS).find(|(slot, _)| free(slot)) else {
        return libc::EAGAIN;
    };
    slot.run.store(run as *mut c_void, Ordering::Release);
    let made = create(key, Some(end));
    // SAFETY: the caller passed a place for the key, which `create` wrote on success.
    let value = (made == 0).then(|| unsafe { *key } + 1);
    slot.key.store(value.unwrap_or(0), Ordering::Release);
    made
}

/// Replaces `pthread_key_delete`.
extern "C" fn delete_key(key: pthread_key_t) -> c_int {
    // SAFETY: the C library's function of this name has this type.
    let delete: Option<extern "C" fn(pthread_key_t) -> c_int> =
        unsafe { transmute(real(c"pthread_key_delete")) };
    for slot in &KEYS {
        let _ = slot
            .key
            .compare_exchange(key + 1, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
    delete.map_or(libc::ENOSYS, |delete| delete(key))
}

/// A function of the C library, not its replacement.
fn real(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a C string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// The destructor of the key in this slot.
unsafe extern "C" fn end<const SLOT: usize>(value: *mut c_void) {
    RUNNING.fetch_add(1, Ordering::AcqRel);
    let run = KEYS[SLOT].run.load(Ordering::Acquire);
    // SAFETY: `run` is NULL or the destructor that was passed with the key.
    if let Some(run) = unsafe { transmute::<*mut c_void, Option<Destructor>>(run) } {
        // SAFETY: the value belongs to this key, and pthreads has removed it from the thread.
        unsafe { run(value) };
    }
    RUNNING.fetch_sub(1, Ordering::AcqRel);
}

/// Runs when the library is unloaded or the process exits.
extern "C" fn unload() {
    // The process exits while threads of the library run, which may still use the keys. Nothing holds the library in a program
    // that it is linked into, where a destructor may still shut it down.
    if module::is_held() || !runtime::has_ended() {
        return;
    }
    runtime::free();
    let own = OWED.swap(0, Ordering::AcqRel).checked_sub(1);
    // SAFETY: the key was created by this library. Its value is this thread's list, which only this
    // function can reach once the key is deleted.
    let own = own.map_or(ptr::null_mut(), |key| unsafe {
        libc::pthread_getspecific(key)
    });
    for slot in &KEYS {
        if let Some(key) = slot.key.load(Ordering::Acquire).checked_sub(1) {
            delete_key(key);
        }
    }
    // SAFETY: as above.
    unsafe { pay(own) };
    // Ending threads may be running code that is about to be unmapped.
    for _ in 0..1000 {
        if RUNNING.load(Ordering::Acquire) == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_UNLOAD: extern "C" fn() = unload;

// The symbols to which the linker redirects. In assembly, because Rust would export them.
macro_rules! wrapped {
    ($jump:literal: $($name:literal => $function:ident,)+) => {$(
        std::arch::global_asm!(
            ".pushsection .text.fal_unload,\"ax\",%progbits",
            concat!(".globl __wrap_", $name),
            concat!(".hidden __wrap_", $name),
            concat!(".type __wrap_", $name, ",%function"),
            concat!("__wrap_", $name, ":"),
            concat!($jump, " {function}"),
            ".popsection",
            function = sym $function,
        );
    )+};
    ($jump:literal) => {
        wrapped!($jump:
            "__cxa_thread_atexit_impl" => register,
            "pthread_key_create" => make_key,
            "pthread_key_delete" => delete_key,
        );
    };
}

#[cfg(target_arch = "x86_64")]
wrapped!("jmp");
#[cfg(target_arch = "aarch64")]
wrapped!("b");
