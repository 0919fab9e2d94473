//! Topics that weir makes for itself do not grow for ever.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use weir_tests::orders::{Ecosystem, install, order};
use weir_tests::{Weir, wait};

const TOPIC: &str = "inventory-orders-by-product-repartition";
const ORDERS: usize = 50;

/// Once nothing was ever deleted from them.
#[test]
fn a_repartition_topic_holds_only_what_was_not_read() {
    let mut shop = Ecosystem::prepare();
    shop.stock("JUMPERS", 1_000_000);
    let host = Weir::host("host", &shop.broker.bootstrap())
        .args(["--components", "components", "--config", "weir.toml"])
        .file("weir.toml", "[defaults]\npurge_interval = \"200ms\"\n");
    install(&host.folder().join("components"), &["inventory"]);
    shop.hosts.push(host.start());
    shop.settle("inventory", "warehouse-inventory");

    let write = |shop: &Ecosystem, from: usize| {
        for number in from..from + ORDERS {
            let id = format!("o{number}");
            shop.produce_order(&order(&id, number as i64, "JUMPERS", 1, 1.0));
        }
        shop.flush();
        let answers = shop.answers("INVENTORY_CHECK", from + ORDERS);
        assert_eq!(answers.len(), from + ORDERS, "each is answered, and once");
    };
    write(&shop, 0);
    all_that_was_read_is_deleted(&shop);
    shop.hosts[0].kill9();
    shop.hosts[0].start_again();
    shop.hosts[0].wait_until_ready();
    write(&shop, ORDERS);
    all_that_was_read_is_deleted(&shop);
}

fn all_that_was_read_is_deleted(shop: &Ecosystem) {
    let consumer: BaseConsumer = shop.client.config().create().expect("a consumer");
    let first = |partition: usize| {
        let bounds = consumer.fetch_watermarks(TOPIC, partition as i32, Duration::from_secs(10));
        bounds.expect("its bounds").0
    };
    wait::until("what was read is deleted", || {
        // In this order: what is deleted later was committed before.
        let first: Vec<i64> = (0..4).map(first).collect();
        let committed = shop.client.committed("inventory", TOPIC);
        let committed: Vec<i64> = committed.iter().map(|at| at.unwrap_or(0)).collect();
        let pairs = first.iter().zip(&committed);
        assert!(
            pairs.clone().all(|(first, committed)| first <= committed),
            "deleted {first:?} before {committed:?} was committed"
        );
        (committed.iter().any(|at| *at > 0) && first == committed).then_some(())
    });
}
