//! The journals of every release are kept, and the code of today replays them: what is in flight when a service is updated goes on.
//!
//! A journal is never changed. `TRIBUTARY_KEEP_JOURNALS=1 cargo test --test processes replay` adds those of the release at hand that are not there yet.

use std::path::{Path, PathBuf};
use std::time::Duration;

use durable::host::run_until_idle;
use durable::kit::{Theatre, World, journal, replay};
use durable::{Clock as _, Engine, Options, RunId, runs};

/// Longer than any of these runs takes by its own clock.
const TO_THE_END: Duration = Duration::from_hours(24 * 30);

pub(crate) async fn all_replay<T: Theatre>(name: &str, stage: &T) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/journals");
    let today = kept.join(env!("CARGO_PKG_VERSION")).join(format!("{name}.json"));
    if std::env::var_os("TRIBUTARY_KEEP_JOURNALS").is_some() && !today.exists() {
        keep(stage, &today).await;
    }
    let journals = releases(&kept).into_iter().map(|release| release.join(format!("{name}.json"))).filter(|file| file.exists());
    let mut count = 0;
    for file in journals {
        let text = std::fs::read_to_string(&file).expect("a journal can be read");
        let world = stage.fresh().await.expect("a world");
        replay(world.database(), world.registry(), &text).await.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // A step that the journal does not have under this name is one that today's code asks for and can't find.
        let renamed = text.replacen("\"name\": \"", "\"name\": \"formerly ", 1);
        let world = stage.fresh().await.expect("a world");
        assert!(replay(world.database(), world.registry(), &renamed).await.is_err(), "{}: a renamed step replays", file.display());
        count += 1;
    }
    assert!(count > 0 && today.exists(), "{} is not kept; see the head of this file", today.display());
}

fn releases(kept: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(kept).expect("journals are kept").map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}

async fn keep<T: Theatre>(stage: &T, file: &Path) {
    let world = stage.fresh().await.expect("a world");
    let run = played(&world).await;
    let text = journal(world.database(), &run).await.expect("a journal");
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory can be made");
    std::fs::write(file, text + "\n").expect("a journal can be written");
}

/// Plays a run to its end: whoever is waited for speaks before the clock moves.
async fn played<W: World>(world: &W) -> RunId {
    let clock = world.clock();
    let options = Options { clock: clock.clone(), ..Options::new("play") };
    let engine = Engine::open(world.database().clone(), world.registry(), options).await.expect("an engine opens");
    let run = world.start().await.expect("a run starts");
    let end = clock.now().plus(TO_THE_END);
    loop {
        run_until_idle(&engine, 4).await.expect("runs are driven");
        let view = runs::show(world.database().read(), &run).await.expect("the run is shown");
        if world.outside(&view).await.expect("people speak") {
            continue;
        }
        match engine.next_due().await.expect("the database answers") {
            Some(due) if due <= end => clock.set(due),
            Some(_) | None => return run,
        }
    }
}
