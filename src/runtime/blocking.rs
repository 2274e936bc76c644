//! Work that blocks.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Does the work once there is a thread for it. Whoever stops waiting before that has it not done
/// at all.
pub(crate) async fn blocking<T: Send + 'static>(
    kind: Kind,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    blocking_within(None, kind, work).await
}

/// The same within a share of somebody's.
pub(crate) async fn blocking_within<T: Send + 'static>(
    own: Option<&Arc<Semaphore>>,
    kind: Kind,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    // First its own, so that what waits for that keeps nobody from the others.
    let own = match own {
        Some(own) => Some(runtime::place(own).await?),
        None => None,
    };
    let share = runtime::living()?.helpers().shares[kind as usize].clone();
    let place = (own, runtime::place(&share).await?);
    let done = tokio::task::spawn_blocking(move || {
        // Given back when the work is over, whether or not anybody still waits for it.
        let _place = place;
        work()
    });
    done.await
        .map_err(|end| runtime::undone("what may block", &end))
}
