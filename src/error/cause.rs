//! The operating system's code among the causes of an error.

use std::error::Error;
use std::io;

/// Returns the operating system's code of an error or of its causes.
pub(super) fn code_of(error: &(dyn Error + 'static)) -> Option<i32> {
    let Some(failed) = error.downcast_ref::<io::Error>() else {
        return code_of(error.source()?);
    };
    let code = failed.raw_os_error();
    // The source of an error that contains another is the source of that one.
    code.or_else(|| code_of(failed.get_ref()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_at_any_depth() {
        let system = || io::Error::from_raw_os_error(2);
        assert_eq!(code_of(&system()), Some(2));
        assert_eq!(
            code_of(&io::Error::other(io::Error::other(system()))),
            Some(2)
        );
        assert_eq!(code_of(&io::Error::from(io::ErrorKind::NotFound)), None);
        assert_eq!(code_of(&std::fmt::Error), None);
        let error = crate::Error::invalid("x").with_source(io::Error::other(system()));
        assert_eq!(code_of(&error), Some(2));
    }
}
