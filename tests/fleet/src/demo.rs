//! The demonstration: a fleet through a story, with what the agents did about each turn of it.

mod screen;
mod story;
mod table;

use std::io;
use std::path::Path;

use proxysql_fleet::rig::{Rig, Settings};
use screen::Screen;
use story::Story;

/// Tells the story; whether every step of it converged.
pub(crate) async fn run(agent: &Path, plain: bool) -> bool {
    match tell(agent, plain).await {
        Ok(converged) => converged,
        Err(error) => {
            eprintln!("the demonstration broke off: {error}");
            false
        }
    }
}

async fn tell(agent: &Path, plain: bool) -> io::Result<bool> {
    // The way down is short: nobody here has clients to lose.
    let settings = Settings::new(&std::path::absolute(agent)?)
        .env("AGENT_SHUTDOWN_PROPAGATION_DELAY", "0")
        .env("AGENT_SHUTDOWN_DRAIN_TIMEOUT", "1")
        .env("AGENT_SHUTDOWN_SHUTDOWN_TIMEOUT", "3");
    let rig = Rig::start(settings).await?;
    let mut story = Story::new(rig, Screen::new(plain));
    story.tell().await
}
