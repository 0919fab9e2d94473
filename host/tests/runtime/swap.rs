//! Another version takes over.

use std::sync::Arc;

use weir_host::config::Settings;
use weir_host::runtime::{Deployed, Refusal};
use weir_tests::row::NewRow;
use weir_tests::wait;

use crate::notes::Notes;
use crate::stage::Stage;

#[test]
fn a_version_of_the_same_shape_takes_over_without_a_rebalance() {
    let stage = Stage::set("swap");
    let host = stage.running("a", 2);
    let settings = Settings {
        workers: 2,
        ..Settings::default()
    };
    let (topic, writer) = (stage.topic("in"), stage.client.writer());
    let mut sent = 0;
    let mut send = |count: usize| {
        for _ in 0..count {
            let (key, value) = (format!("k{}", sent % 7), sent.to_string());
            writer.send(&topic, &NewRow::new(key.as_str(), value.as_str()));
            writer.flush();
            sent += 1;
        }
    };
    send(50);
    let deployed = host
        .deploy_program("swap", Notes::new("swap", "v2:"), &settings)
        .unwrap();
    assert_eq!(deployed, Deployed::Swapped);
    send(50);
    let rows = stage.read("out", 100);
    assert_eq!(rows.len(), 100, "each row once");
    let new = rows
        .iter()
        .filter(|row| row.value_text().starts_with("v2:"))
        .count();
    assert!((50..100).contains(&new), "{new} rows by the new version");
    assert_eq!(
        (0..7)
            .map(|key| stage.count(&format!("k{key}")))
            .sum::<u64>(),
        100
    );
    let again = host
        .deploy_program("swap", Notes::new("swap", "v2:"), &settings)
        .unwrap();
    assert_eq!(again, Deployed::Unchanged);
    host.stop();
}

#[test]
fn a_version_of_another_shape_is_refused_with_the_difference_and_the_old_one_goes_on() {
    let stage = Stage::set("shape");
    let host = stage.running("a", 1);
    let other = Notes {
        name: "shape".to_owned(),
        mark: "v2:",
        extra: true,
    };
    let refusal = host
        .deploy_program("shape", Arc::new(other), &Settings::default())
        .unwrap_err();
    assert!(matches!(&refusal, Refusal::Shape { differences, .. } if differences.len() == 1));
    assert!(refusal.to_string().contains("node `extra`"), "{refusal}");
    stage.send(&[("x", "1")]);
    let rows = stage.read("out", 1);
    assert_eq!(rows[0].value_text(), "v1:1");
    wait::until("it still runs", || {
        host.statuses()["shape"].is_running().then_some(())
    });
    host.stop();
}
