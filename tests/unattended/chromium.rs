//! A real browser that runs scripts but presses nothing, on every link of every mail, and another site's page that sends our forms by
//! script: neither changes anything.

use std::process::Command;

use crate::app::Engine;
use crate::approval_world::{self, SERVED, everything};
use crate::browser::{FLAGS, installed};
use crate::database::assert_same;
use crate::visitor::{Visitor, links};
use crate::world::World;

/// What is on the page after its scripts had their time.
fn open(world: &World, address: &str) -> String {
    let mut command = Command::new(installed());
    command.args(FLAGS).arg(format!("--user-data-dir={}", world.app.path("browser").display()));
    command.args(["--virtual-time-budget=10000", "--dump-dom", address]);
    let finished = crate::process::run(&mut command);
    assert!(finished.status.success(), "{}", finished.stderr);
    finished.stdout_text()
}

#[test]
fn a_browser_that_presses_nothing_changes_nothing() {
    let world = approval_world::world(Engine::Sqlite);
    world.submit_with_proof("CL-1", "50000.00");
    let serving = world.serve_claims(SERVED);
    world.until_asked("CL-1", "channel_manager");
    let before = everything(&world.books);
    let mails = world.mail.journal();
    let mut all: Vec<String> = mails.iter().flat_map(links).collect();
    all.sort();
    all.dedup();
    let page = format!("{}/approvals/CL-1?from=", world.url());
    assert!(!all.is_empty() && all.iter().all(|link| link.starts_with(&page)), "{all:?}");
    for link in &all {
        let page = open(&world, link);
        assert!(page.contains("Your e-mail address") && page.contains("method=\"post\""), "{page}");
    }
    // Another site's page that sends what ours would.
    let digest = world.digest("CL-1");
    let forms = [
        ("decision", format!("<input name=decision value=approve><input name=digest value='{digest}'>")),
        ("code", "<input name=email value=jo@example.com>".into()),
    ];
    for (route, fields) in &forms {
        let html =
            format!("<form method=post action='{}/approvals/CL-1/{route}'>{fields}</form><script>document.forms[0].submit()</script>", world.url());
        let file = world.app.path(&format!("{route}.html"));
        std::fs::write(&file, html).expect("a file can be written");
        let page = open(&world, &format!("file://{}", file.display()));
        assert!(page.contains("This form was sent from another site"), "{page}");
    }
    assert_same(&before, &everything(&world.books), "a browser");
    let metrics = Visitor::new(&world, "nobody").get("/metrics").text;
    for (route, _) in forms {
        assert!(
            metrics.lines().any(|line| line.contains(&format!("/{route}\"")) && line.contains("status=\"403\"") && line.ends_with(" 1")),
            "{metrics}"
        );
    }
    serving.stop();
}
