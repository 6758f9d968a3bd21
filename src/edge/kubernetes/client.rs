//! The one client of the API server, with its bounds.

use std::time::Duration;

use kube::client::ClientBuilder;
use kube::{Client, Config};
use tower::limit::RateLimitLayer;

/// Bound of a connection attempt to the API server.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Bound of a read: longer than a watch can be silent, so that it only ends what would hang for good.
const READ_DEADLINE: Duration = Duration::from_secs(75);
/// Requests to the API server in a second, at most. The watcher resumes a watch that ended in order at once, and some proxies end
/// each one at once.
const MOST_REQUESTS: u64 = 20;
/// What the client library says where no namespace was given.
const NO_NAMESPACE: &str = "default";

/// The API server cannot be found, or does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Neither a kubeconfig nor a service account's files.
    #[error("cannot find the Kubernetes API: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The configuration names something that cannot be used.
    #[error("cannot use the Kubernetes API: {0}")]
    Client(#[from] kube::Error),
}

/// A client by `KUBECONFIG`, `~/.kube/config` or the pod's service account.
///
/// # Errors
/// See [`ApiError`]; nothing is contacted yet.
pub async fn client() -> Result<Client, ApiError> {
    let mut config = Config::infer().await?;
    config.connect_timeout = Some(CONNECT_DEADLINE);
    // One back-off is enough, and it is the one of the loop that watches.
    config.default_retry = false;
    config.read_timeout = Some(READ_DEADLINE);
    config.reset_reader_on_write = true;
    if config.cluster_url.scheme_str() == Some("http") {
        // Without TLS no certificate is checked; the library would read all authorities of the machine, and fail where there are
        // none.
        config.root_cert = Some(Vec::new());
    }
    let limit = RateLimitLayer::new(MOST_REQUESTS, Duration::from_secs(1));
    Ok(ClientBuilder::try_from(config)?.with_layer(&limit).build())
}

/// The namespace that the service account or the kubeconfig says; `None` where neither does.
pub(super) fn own_namespace(client: &Client) -> Option<String> {
    Some(client.default_namespace()).filter(|said| *said != NO_NAMESPACE).map(ToOwned::to_owned)
}

/// An error with its causes, as far as its own text does not have them.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
