//! Hosts come and go.

use std::time::Duration;

use weir_host::http::Gateway;
use weir_host::runtime::{Host, StartError};
use weir_tests::wait;

use crate::stage::{Stage, ask, told};

#[test]
fn a_host_that_comes_back_goes_on_where_it_stopped() {
    let stage = Stage::set("again");
    let host = stage.running("a", 1);
    stage.send(&[("x", "1"), ("x", "2")]);
    stage.read("counts", 2);
    host.stop();
    drop(host);
    stage.send(&[("x", "3")]);
    let host = stage.running("a", 1);
    let rows = stage.read("out", 3);
    assert_eq!(rows.len(), 3, "nothing twice");
    stage.read("counts", 3);
    assert_eq!(stage.count("x"), 3);
    host.stop();
}

#[test]
fn state_that_is_gone_is_restored_from_the_changelogs() {
    let stage = Stage::set("restored");
    let host = stage.running("a", 1);
    stage.send(&[("x", "1"), ("x", "2"), ("y", "1")]);
    stage.read("counts", 3);
    host.stop();
    drop(host);
    std::fs::remove_dir_all(stage.state("a").join("services")).unwrap();
    stage.send(&[("x", "3")]);
    let host = stage.running("a", 1);
    stage.read("counts", 4);
    assert_eq!((stage.count("x"), stage.count("y")), (3, 1));
    host.stop();
}

#[test]
fn two_hosts_share_the_tasks_and_each_row_is_counted_once() {
    let stage = Stage::set("two");
    let first = stage.running("a", 1);
    stage.send(&[("x", "1"), ("y", "1"), ("z", "1"), ("w", "1")]);
    stage.read("counts", 4);
    let second = stage.host("b");
    let settings = weir_host::config::Settings::default();
    second
        .deploy_program("two", crate::notes::Notes::new("two", "v1:"), &settings)
        .unwrap();
    wait::until("the second host has half of the tasks", || {
        let tasks = |host: &Host| host.tasks().get("two").map_or(0, Vec::len);
        (tasks(&first) == 4 && tasks(&second) == 4).then_some(())
    });
    stage.send(&[("x", "2"), ("y", "2"), ("z", "2"), ("w", "2")]);
    stage.read("counts", 8);
    assert!(["x", "y", "z", "w"].iter().all(|key| stage.count(key) == 2));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for number in 0..8 {
            let id = format!("n{number}");
            let within = Duration::from_secs(20);
            let at_first = ask(&first, "POST", "/notes/{id}", &id, "x", within).await;
            let at_second = ask(&second, "POST", "/notes/{id}", &id, "x", within).await;
            let told = [told(&at_first), told(&at_second)];
            let here = told.iter().filter(|told| *told == "201 ").count();
            let there = told
                .iter()
                .filter(|told| told.contains("Elsewhere"))
                .count();
            assert_eq!((here, there), (1, 1), "{told:?}");
        }
    });
    second.stop();
    first.stop();
}

#[test]
fn a_state_folder_in_use_is_refused() {
    let stage = Stage::bare("in-use", "127.0.0.1:1");
    let host = stage.host("a");
    let Err(error) = Host::start(stage.options("a")) else {
        panic!("two hosts in one folder")
    };
    assert!(matches!(error, StartError::InUse { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("is used by another weir process"),
        "{error}"
    );
    host.stop();
}

#[test]
fn brokers_that_are_lost_are_waited_for_and_nothing_is_lost_with_them() {
    let mut broker = weir_tests::Broker::durable();
    let stage = Stage::bare("lost", &broker.bootstrap());
    for topic in crate::notes::Notes::topics("lost") {
        stage.client.create_topic(&topic, 4, &[]);
    }
    let host = stage.running("a", 1);
    wait::until("it is ready", || host.readiness().ready.then_some(()));
    stage.send(&[("x", "1"), ("y", "1")]);
    stage.read("counts", 2);

    broker.kill9();
    wait::until("readiness tells of it", || {
        (!host.readiness().ready).then_some(())
    });
    let report = host.readiness().report;
    assert!(report[0].1.contains("brokers do not answer"), "{report:?}");

    broker.start_again();
    stage.send(&[("x", "2"), ("y", "2")]);
    wait::until("it is ready again", || host.readiness().ready.then_some(()));
    let rows = stage.read("out", 4);
    assert_eq!(rows.len(), 4, "nothing twice");
    stage.read("counts", 4);
    assert_eq!((stage.count("x"), stage.count("y")), (2, 2));
    host.stop();
}
