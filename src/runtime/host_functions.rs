//! Calls of functions of the host's.

/// Calls a function of the host's and waits for what it gives. Whoever stops waiting before it was
/// called has it not called at all.
pub(crate) async fn call<T: Send + 'static>(
    kind: Kind,
    function: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let instance = runtime::living()?;
    let uncalled = || match instance.closing().is_cancelled() {
        true => runtime::shut_down(),
        false => Error::new(
            Code::Io,
            "no thread could be started for a function of the program",
        ),
    };
    let place = runtime::place(&instance.host().pool(kind).share).await?;
    let (give, given) = oneshot::channel();
    let posted = instance.host().post(kind, move || {
        // Given back when the function is done, whether or not anybody still waits for it.
        let _place = place;
        if !give.is_closed() {
            let _ = give.send(function());
        }
    });
    posted.map_err(|_| uncalled())?;
    // What a panic says may be a part of what was worked on.
    given
        .await
        .map_err(|_| Error::new(Code::Panic, "a function of the program panicked"))
}

/// A value of the host's, whose end may run the host's code.
pub(crate) struct Kept<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Kept(Some(value))
    }

    /// The value, which is there until this is dropped.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    pub(crate) fn take(mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T: Send + 'static> Drop for Kept<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take()
            && runtime::carries_calls()
            && let Ok(instance) = runtime::living()
        {
            // Where no thread can be made, it ends here.
            drop(instance.host().post(Kind::Releases, move || drop(value)));
        }
    }
}

impl<T: AsRef<[u8]> + Send + 'static> AsRef<[u8]> for Kept<T> {
    fn as_ref(&self) -> &[u8] {
        self.get().map(T::as_ref).unwrap_or_default()
    }
}
