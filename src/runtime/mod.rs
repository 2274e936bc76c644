//! The global runtime: made on first use, one per process, fork-aware, stoppable.
//!
//! No lock is taken on the way to a running instance, and a fork is noticed before anything of the
//! parent's is touched: a lock that another thread held at the fork would never be released.
//! What is kept for the whole process, and what a forked child does about it:
//!
//! - `CURRENT`: an atomic pointer; the parent's instance is seen to be the parent's, left alone and
//!   never freed.
//! - `LIVES`, with the lock of starts and shutdowns: the child has its own.
//! - `CONFIG`: an atomic pointer; the child inherits what was configured.
//! - `GENERATION`: a counter; the child counts on from the parent's number, so no number comes
//!   twice in its line.
//! - `BUSY`, `GUEST`: the forking thread's own, and true of the child's only thread as well.

pub(crate) mod blocking;
pub(crate) mod fork;
pub(crate) mod host_functions;
pub(crate) mod per_runtime;
mod threads;

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use once_cell::race::OnceBox;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::threads::{Threads, left_until};
use crate::error::{Code, Error, Result};
use crate::runtime::blocking::Helpers;
use crate::runtime::fork::PerProcess;
use crate::runtime::host_functions::Host;
use crate::system::module::{self, Reference};
use crate::system::signals;
