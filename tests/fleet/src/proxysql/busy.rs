//! Scripted clients in traffic: hundreds of them for the price of a timer each.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::clients::{Arrival, ClientState};
use super::host::Life;

/// What a busy client does, again and again until its session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// How long a statement runs.
    pub statement: Duration,
    /// How long it rests after each statement.
    pub rest: Duration,
    /// How many statements there are between BEGIN and COMMIT; none of these for 0.
    pub transaction: u32,
    /// How long it rests after a COMMIT, in place of `rest`.
    pub between: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            statement: Duration::from_millis(1),
            rest: Duration::from_millis(20),
            transaction: 0,
            between: Duration::from_millis(20),
        }
    }
}

/// Until the session ends.
pub(crate) async fn run(life: Arc<Life>, id: u32, rhythm: Rhythm) {
    let mut number = 0;
    loop {
        let step = number % u64::from(rhythm.transaction + 2);
        let (sql, open) = match step {
            _ if rhythm.transaction == 0 => (format!("INSERT INTO t VALUES ('{id}-{number}')"), false),
            0 => ("BEGIN".to_owned(), true),
            _ if step == u64::from(rhythm.transaction) + 1 => ("COMMIT".to_owned(), false),
            _ => (format!("INSERT INTO t VALUES ('{id}-{number}')"), true),
        };
        number += 1;
        if life.clients().arrives(id, &sql) == Arrival::Gone {
            return;
        }
        sleep(rhythm.statement).await;
        let state = if open { ClientState::InTransaction } else { ClientState::Idle };
        {
            let mut clients = life.clients();
            clients.answers(id, &state, open, false);
            clients.answered(id, state);
        }
        life.turn.notify_one();
        sleep(if rhythm.transaction > 0 && !open { rhythm.between } else { rhythm.rest }).await;
    }
}
