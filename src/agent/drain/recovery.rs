//! What an agent does first: see to a drain that an earlier life of it has begun and not ended.

use std::time::Duration;

use tracing::{error, info, warn};

use super::super::round::RoundError;
use super::super::tracked_admin::TrackedAdmin;
use super::super::{IsLeaving, Proxysql};
use super::undo::{UndoError, is_unfinished, undo};

/// Bound of opening the listener again: it waits for a PAUSE that may be under way.
const UNDO: Duration = Duration::from_secs(30);

/// Whether a drain has to be undone that did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) enum Recovery {
    /// That is to be found out, and to be done.
    Pending,
    /// There is none, or it was.
    Done,
}

/// What was found of an earlier life of this agent.
pub(in crate::agent) enum Found {
    /// No drain that had not ended.
    Nothing,
    /// One, and this node serves as before.
    Undone,
    /// One, and it is to go on: the pod is being deleted, or the node would not serve again.
    GoesOn,
}

/// Sees to a drain that an earlier life of this agent has begun and not ended: it would leave `ProxySQL` paused for good.
pub(in crate::agent) async fn recover<P: Proxysql + Send + Sync>(
    recovery: &mut Recovery,
    line: &mut TrackedAdmin<P>,
    is_leaving: &IsLeaving,
) -> Result<Found, RoundError> {
    if *recovery == Recovery::Done {
        return Ok(Found::Nothing);
    }
    if !is_unfinished(line).await? {
        *recovery = Recovery::Done;
        return Ok(Found::Nothing);
    }
    if is_leaving().await {
        info!("found an unfinished drain; continuing it because the pod is being deleted");
        *recovery = Recovery::Done;
        return Ok(Found::GoesOn);
    }
    warn!("found an unfinished drain; undoing it so that this node serves clients again");
    let undone = undo(UNDO, line).await;
    if let Err(deaf @ UndoError::Deaf { .. }) = undone {
        error!(reason = %deaf, "this node can no longer serve all clients; draining it so that ProxySQL is restarted");
        *recovery = Recovery::Done;
        return Ok(Found::GoesOn);
    }
    undone.map_err(|error| RoundError::Undo(error.to_string()))?;
    *recovery = Recovery::Done;
    info!("drain undone; this node serves clients again");
    Ok(Found::Undone)
}
