//! Unloading unloads, also from threads that live on.
//!
//! What runs below us (the standard library, tokio, arc-swap) has thread-locals with destructors,
//! on the host's threads too. glibc keeps a library in memory as long as a thread has such a
//! destructor of it to run, and does not know of those that pthreads runs by a key, which would
//! then run code that is gone. So build.rs has the linker lead both ways here, in the shared
//! library only: all destructors are run by keys, and when the library is unloaded its keys go.
//! What threads that live on still keep then is a few hundred bytes each, and lost.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use libc::pthread_key_t;

type Destructor = unsafe extern "C" fn(*mut c_void);

/// A key of the library's, and what its values end with.
struct Slot {
    /// Plus one; 0 while there is none.
    key: AtomicU32,
    run: AtomicPtr<c_void>,
}

const SLOTS: usize = 8;
/// Between a key that there is none and one that there is.
const BEING_MADE: u32 = u32::MAX;

static KEYS: [Slot; SLOTS] = [const {
    Slot {
        key: AtomicU32::new(0),
        run: AtomicPtr::new(ptr::null_mut()),
    }
}; SLOTS];
/// pthreads gives a destructor no more than the value.
static ENDS: [Destructor; SLOTS] = [
    end::<0>, end::<1>, end::<2>, end::<3>, end::<4>, end::<5>, end::<6>, end::<7>,
];
/// Threads that run destructors at the moment.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// The key, plus one, under which a thread has its list of [`Owed`].
static OWED: AtomicU32 = AtomicU32::new(0);

/// One destructor that a thread has to run, before those below it.
struct Owed {
    run: Destructor,
    object: *mut c_void,
    below: *mut Owed,
}

/// In the place of `__cxa_thread_atexit_impl`: has `run` called with `object` when this thread
/// ends.
extern "C" fn register(run: Destructor, object: *mut c_void, _library: *mut c_void) -> c_int {
    let Some(key) = owed() else {
        return libc::EAGAIN;
    };
    // SAFETY: the key was made by this library and lives until it is unloaded; its value is NULL or
    // an `Owed` of this thread's.
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

/// Runs the destructors of a thread, from the top down.
unsafe extern "C" fn pay(owed: *mut c_void) {
    let mut owed: *mut Owed = owed.cast();
    while !owed.is_null() {
        // SAFETY: made by `register` on this thread, and taken off the list here.
        let top = unsafe { Box::from_raw(owed) };
        owed = top.below;
        // SAFETY: whoever registered the destructor gave it for this object, which lives as long as
        // the thread.
        unsafe { (top.run)(top.object) };
    }
}

/// In the place of `pthread_key_create`.
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
    // SAFETY: whoever makes a key gives a place for it, which is written to on success.
    let value = (made == 0).then(|| unsafe { *key } + 1);
    slot.key.store(value.unwrap_or(0), Ordering::Release);
    made
}

/// In the place of `pthread_key_delete`.
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

/// A function of the C library's, not ours in its place.
fn real(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// A thread ends that has a value under the key in this slot.
unsafe extern "C" fn end<const SLOT: usize>(value: *mut c_void) {
    RUNNING.fetch_add(1, Ordering::AcqRel);
    let run = KEYS[SLOT].run.load(Ordering::Acquire);
    // SAFETY: what lies there is NULL or the destructor that was given with the key.
    if let Some(run) = unsafe { transmute::<*mut c_void, Option<Destructor>>(run) } {
        // SAFETY: the value is of that key, and pthreads has taken it away from the thread.
        unsafe { run(value) };
    }
    RUNNING.fetch_sub(1, Ordering::AcqRel);
}

/// The library is unloaded, or the process ends.
extern "C" fn unload() {
    let own = OWED.swap(0, Ordering::AcqRel).checked_sub(1);
    // SAFETY: the key was made by this library, and its value is this thread's list, which nobody
    // has once the key is gone.
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
    // A thread that ends at this moment runs code that is about to go.
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

// What the linker puts in the place of each: under a name that Rust would export if it defined it.
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
