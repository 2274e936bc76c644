//! Connections of a program that is recorded to hosts that are none of fal's.

use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper::{StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::recorder::Recorder;
use crate::answer::Answer;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Recorder {
    /// Connects to a host, and passes bytes in both directions from then on, whatever they are.
    pub(crate) async fn connect(self: &Arc<Self>, target: &Uri, upgrade: OnUpgrade) -> Answer {
        let host = target.host().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let connecting = TcpStream::connect((name, target.port_u16().unwrap_or(443)));
        let failed = match tokio::time::timeout(PATIENCE, connecting).await {
            Ok(Ok(socket)) => {
                let shown = self.mask.text(host);
                self.report
                    .passed_on(format!("{shown}, which is not a host of fal"));
                tokio::spawn(join(upgrade, socket));
                return Answer::empty(StatusCode::OK);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".into(),
        };
        let detail = format!("fal-emulator: cannot reach {host}: {failed}");
        Answer::detail(StatusCode::BAD_GATEWAY, self.mask.text(&detail))
    }
}

/// Passes bytes until both ends have ended.
async fn join(upgrade: OnUpgrade, mut socket: TcpStream) {
    // If it fails, bytes wait a little longer.
    let _ = socket.set_nodelay(true);
    if let Ok(client) = upgrade.await {
        // Each end sees that the other one has ended, which is all that there is to say.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut socket).await;
    }
}
