//! What a host lends to libfal with a callback.

use std::ffi::c_void;

use super::boundary::User;
use super::options::fal_release_callback;
use crate::runtime;

/// Something of the host that libfal uses until it calls `release`.
pub(super) struct Lease {
    user: User,
    release: fal_release_callback,
}

impl Lease {
    pub(super) fn new(release: fal_release_callback, user: *mut c_void) -> Self {
        Lease {
            user: User::new(user),
            release,
        }
    }

    pub(super) fn user(&self) -> *mut c_void {
        self.user.get()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the host passed this callback for this argument; it is called once.
            runtime::in_callback(|| unsafe { release(self.user()) });
        }
    }
}
