//! Macros that declare the functions of the C ABI. An entry looks like a Rust function; the macro
//! generates the `extern "C"` function, which checks the pointers and catches panics. The body is
//! safe code.
//!
//! These parameters are translated; all others are unchanged:
//!
//! | entry                      | C                                          | body              |
//! |----------------------------|--------------------------------------------|-------------------|
//! | `x: &fal_x`                | `const fal_x *x`                           | `&fal_x`          |
//! | `x: &mut fal_x`            | `fal_x *x`                                 | `&mut fal_x`      |
//! | `x: Option<&fal_x>`        | `const fal_x *x`, which may be NULL        | `Option<&fal_x>`  |
//! | `x: Box<fal_x>`            | `fal_x *x`, which must not be used again   | `Box<fal_x>`      |
//! | `x: text[x_len]`           | `const char *x, size_t x_len`              | `&str`            |
//! | `x: Option<text[x_len]>`   | the same, and x may be NULL                | `Option<&str>`    |
//! | `x: bytes[x_len]`          | `const void *x, size_t x_len`              | `&[u8]`           |
//! | `x: lease[release]`        | `fal_release_callback release, void *x`    | `Lease`           |
//!
//! `tests/rust/header/expand.rs` expands these macros for cbindgen. It relies on the layout: an
//! entry is indented by four spaces, and its body ends with a line that has only a brace.

/// Functions that return a status, and take an error as their last parameter.
///
/// The body may use `?`. With a return type, the function has a parameter `out` for the body's
/// value: `-> fal_x` is an object to free, `-> Shared<fal_x>` one to release, and `-> i64 = 0` a
/// number, 0 on failure.
macro_rules! fallible {
    ($($(#[$doc:meta])* fn $name:ident $parameters:tt
        $(-> $out:ident $(<$shared:ident>)? $(= $zero:tt)?)? $body:block)*) => {
        $(exported! {
            (status $($out $($shared)? $(= $zero)?)?)
            { $(#[$doc])* #[unsafe(no_mangle)] pub unsafe extern "C" fn $name }
            [] [] $parameters $body
        })*
    };
}

/// Pairs of functions: the first one starts an operation, and the one after `wait` starts it and
/// waits for its response. The body's value is the operation; it may use `?`.
macro_rules! operations {
    ($(
        $(#[$start_doc:meta])* fn $start:ident $parameters:tt $body:block
        $(#[$wait_doc:meta])* wait $wait:ident;
    )*) => {$(
        exported! {
            (start) { $(#[$start_doc])* #[unsafe(no_mangle)] pub unsafe extern "C" fn $start }
            [] [] $parameters $body
        }
        exported! {
            (wait) { $(#[$wait_doc])* #[unsafe(no_mangle)] pub unsafe extern "C" fn $wait }
            [] [] $parameters $body
        }
    )*};
}

/// One function of [`fallible`] or [`operations`]. It translates one parameter at a time: the first
/// brackets collect the C parameters, the second ones the statements that check them.
macro_rules! exported {
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: &mut $object:ident $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)* $name: *mut $object,] [$($check)*
            // SAFETY: NULL or live, and used by this thread only, by the header's contract.
            let $name = unsafe { $crate::ffi::boundary::borrow_mut($name, stringify!($name)) }?;
        ] ($($($rest)*)?) $body }
    };
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: &$object:ident $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)* $name: *const $object,] [$($check)*
            // SAFETY: NULL or live, by the header's contract.
            let $name = unsafe { $crate::ffi::boundary::borrow($name, stringify!($name)) }?;
        ] ($($($rest)*)?) $body }
    };
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: Option<&$object:ident> $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)* $name: *const $object,] [$($check)*
            // SAFETY: NULL or live, by the header's contract.
            let $name = unsafe { $name.as_ref() };
        ] ($($($rest)*)?) $body }
    };
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: Box<$object:ident> $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)* $name: *mut $object,] [$($check)*
            // SAFETY: NULL or owned by the caller, who gives it up, by the header's contract.
            let $name = unsafe { $crate::ffi::boundary::take($name, stringify!($name)) }?;
        ] ($($($rest)*)?) $body }
    };
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: text[$len:ident] $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)* $name: *const ::std::ffi::c_char, $len: usize,] [$($check)*
            // SAFETY: NULL or a string of this length, by the header's contract.
            let $name = unsafe { $crate::ffi::boundary::text($name, $len, stringify!($name)) }?;
        ] ($($($rest)*)?) $body }
    };
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: Option<text[$len:ident]> $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)* $name: *const ::std::ffi::c_char, $len: usize,] [$($check)*
            let $name = match $name.is_null() {
                true => None,
                // SAFETY: a string of this length, by the header's contract.
                false => Some(unsafe {
                    $crate::ffi::boundary::text($name, $len, stringify!($name))
                }?),
            };
        ] ($($($rest)*)?) $body }
    };
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: bytes[$len:ident] $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)* $name: *const ::std::ffi::c_void, $len: usize,] [$($check)*
            // SAFETY: readable for this length, by the header's contract.
            let $name = unsafe { $crate::ffi::boundary::bytes($name, $len, stringify!($name)) }?;
        ] ($($($rest)*)?) $body }
    };
    // First of all, so that user is released also if a check fails.
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: lease[$release:ident] $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)*
            $release: $crate::ffi::options::fal_release_callback, $name: *mut ::std::ffi::c_void,
        ] [
            let $name = $crate::ffi::lease::Lease::new($release, $name);
            $($check)*
        ] ($($($rest)*)?) $body }
    };
    ($kind:tt $head:tt [$($c:tt)*] [$($check:tt)*]
        ($name:ident: $type:ty $(, $($rest:tt)*)?) $body:block) => {
        exported! { $kind $head [$($c)* $name: $type,] [$($check)*] ($($($rest)*)?) $body }
    };

    ((status) { $($head:tt)* } [$($c:tt)*] [$($check:tt)*] () $body:block) => {
        $($head)*(
            $($c)*
            err: *mut *mut $crate::ffi::error::fal_error,
        ) -> $crate::ffi::status::fal_status {
            $crate::ffi::outcome::status(err, || {
                $($check)*
                $body
                Ok(())
            })
        }
    };
    ((status $value:ident = $zero:tt) $head:tt $c:tt $check:tt () $body:block) => {
        exported! { $value, $zero, $body, $head $c $check }
    };
    ((status $object:ident) $head:tt $c:tt $check:tt () $body:block) => {
        exported! { *mut $object, ::std::ptr::null_mut(), Box::into_raw(Box::new($body)),
            $head $c $check }
    };
    ((status Shared $object:ident) $head:tt $c:tt $check:tt () $body:block) => {
        exported! { *mut $object, ::std::ptr::null_mut(), $body.give(), $head $c $check }
    };
    ((start) $head:tt $c:tt $check:tt () $body:block) => {
        exported! { *mut $crate::ffi::op::fal_op, ::std::ptr::null_mut(),
            $crate::ffi::op::fal_op::new($body).give(), $head $c $check }
    };
    ((wait) $head:tt $c:tt $check:tt () $body:block) => {
        exported! { *mut $crate::ffi::response::fal_response, ::std::ptr::null_mut(),
            Box::into_raw(Box::new($crate::ffi::response::fal_response::new(
                $crate::operation::Op::finish(|| Ok($body))?
            ))), $head $c $check }
    };
    ($out:ty, $zero:expr, $value:expr, { $($head:tt)* } [$($c:tt)*] [$($check:tt)*]) => {
        $($head)*(
            $($c)*
            out: *mut $out,
            err: *mut *mut $crate::ffi::error::fal_error,
        ) -> $crate::ffi::status::fal_status {
            $crate::ffi::outcome::status(err, || {
                // SAFETY: NULL or writable, by the header's contract.
                let out = unsafe { $crate::ffi::boundary::Out::new(out, $zero, "out") }?;
                $($check)*
                out.set($value);
                Ok(())
            })
        }
    };
}

/// Functions without a status that read one object. `= fallback` is the result for NULL and after a
/// panic.
macro_rules! infallible {
    ($(
        $(#[$doc:meta])*
        fn $name:ident(
            $object:ident: &$type:ident $(, $argument:ident: $argument_type:ty)*
        ) -> $value:ty = $fallback:tt $body:block
    )*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[allow(unused_parens)]
        pub unsafe extern "C" fn $name(
            $object: *const $type $(, $argument: $argument_type)*
        ) -> $value {
            $crate::ffi::boundary::plain($fallback, || {
                // SAFETY: NULL or live, by the header's contract.
                match unsafe { $object.as_ref() } {
                    Some($object) => $body,
                    None => $fallback,
                }
            })
        }
    )*};
}

/// Functions that lend a string, which the object's field `texts` keeps. The body's value is an
/// `Option<String>`; it may use `?`.
macro_rules! strings {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($object:ident: &$type:ident $(, $index:ident: usize)?) $body:block
    )*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            $object: *const $type, $($index: usize,)? len: *mut usize
        ) -> *const ::std::ffi::c_char {
            $crate::ffi::boundary::plain(::std::ptr::null(), || {
                // SAFETY: NULL or writable, by the header's contract.
                unsafe { $crate::ffi::texts::set_len(len, 0) };
                // SAFETY: NULL or live, by the header's contract.
                let Some($object) = (unsafe { $object.as_ref() }) else {
                    return ::std::ptr::null();
                };
                let key = [stringify!($name).to_owned() $(, $index.to_string())?].join(" ");
                let make = || -> Option<String> { $body };
                // SAFETY: NULL or writable, by the header's contract.
                unsafe { $object.texts.get(&key, len, make) }
            })
        }
    )*};
}

/// Functions that free a unique object.
macro_rules! frees {
    ($($(#[$doc:meta])* fn $name:ident($object:ident: *mut $type:ident);)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($object: *mut $type) {
            // SAFETY: NULL or owned by the caller, by the header's contract.
            unsafe { $crate::ffi::boundary::free($object) }
        }
    )*};
}

/// The two functions that count the references to a shared object, and the access to its field
/// `counted`.
macro_rules! counted {
    (
        $(#[$retain_doc:meta])*
        fn $retain:ident($object:ident: *const $type:ident) -> *mut $returned:ident;
        $(#[$release_doc:meta])*
        fn $release:ident($released:ident: *mut $released_type:ident);
    ) => {
        impl AsRef<$crate::ffi::shared::Counted> for $type {
            fn as_ref(&self) -> &$crate::ffi::shared::Counted {
                &self.counted
            }
        }

        $(#[$retain_doc])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $retain($object: *const $type) -> *mut $returned {
            // SAFETY: NULL or live, by the header's contract.
            unsafe { $crate::ffi::shared::retain($object) }
        }

        $(#[$release_doc])*
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $release($released: *mut $released_type) {
            // SAFETY: NULL or live, by the header's contract.
            unsafe { $crate::ffi::shared::release($released) }
        }
    };
}
