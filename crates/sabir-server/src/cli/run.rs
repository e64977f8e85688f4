use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::config::Config;
use crate::server::{Provider, Reloader};

/// Runs the provider until SIGTERM or SIGINT; SIGHUP reloads the certificate.
pub(super) fn run(config: Config) -> Result<(), Failure> {
    let filter = match std::env::var("SABIRD_LOG") {
        Ok(filter) => filter,
        Err(_) => config.settings.log.filter.clone(),
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(EnvFilter::try_new(filter)?)
        .init();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let (stop, stopped) = watch::channel(false);
            let signals = Signals::listen()?;
            let provider = Provider::bind(config).await?;
            tracing::info!(domain = %provider.shared().domain, address = %provider.local_addr()?, "serving");
            let signals = tokio::spawn(signals.obey(stop, provider.reloader()));
            provider.serve(stopped).await;
            signals.abort();
            tracing::info!("stopped");
            Ok(())
        })
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn obey(mut self, stop: watch::Sender<bool>, reloader: Reloader) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hang_up.recv() => match reloader.reload() {
                    Ok(()) => tracing::info!("certificate reloaded"),
                    Err(error) => tracing::warn!(%error, "certificate not reloaded; the old one stays"),
                },
            }
        }
        tracing::info!("stopping");
        stop.send_replace(true);
        // The sender lives on: its end would mean the same, and a second signal ends the process at once.
        let (mut terminate, mut interrupt) = (self.terminate, self.interrupt);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(1);
    }
}
