//! The host's own log, off by default. No global logger is touched.

use std::fmt;
use std::sync::Arc;

use crate::runtime;
use crate::secrets::Secrets;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
#[non_exhaustive]
pub enum Level {
    /// Something failed and the caller will see the error.
    Error = 1,
    /// Something went wrong and was mended, such as by a retry.
    Warn = 2,
    /// Where the key came from.
    Info = 3,
    /// Each request and answer, without bodies.
    Debug = 4,
}

/// The function that receives lines of at most the chosen level, on any thread. It must not wait for libfal.
type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Log {
    sink: Option<(Level, Sink)>,
}

impl Log {
    pub(crate) fn new(most: Level, sink: Sink) -> Self {
        Log { sink: Some((most, sink)) }
    }

    /// Writes a line, without the secrets of the operation that it is about.
    pub(crate) fn write(&self, level: Level, secrets: &Secrets, line: fmt::Arguments<'_>) {
        if let Some((most, sink)) = &self.sink
            && level <= *most
        {
            let mut line = line.to_string();
            secrets.hide(&mut line);
            runtime::in_callback(|| sink(level, &line));
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.sink.as_ref().map(|(level, _)| level)).finish()
    }
}
