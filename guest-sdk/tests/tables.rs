//! The operators of tables, told as stories on the real engine.

use serde::{Deserialize, Serialize};
use weir::testing::Driver;
use weir::{Context, Topology};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Product {
    name: String,
    maker: Option<String>,
    pieces: i64,
}

fn send(driver: &mut Driver, id: i64, product: Option<(&str, Option<&str>, i64)>) {
    let product = product.map(|(name, maker, pieces)| Product {
        name: name.to_owned(),
        maker: maker.map(str::to_owned),
        pieces,
    });
    driver.topic("products").send(id, product);
}

/// The rows of a topic as "key value", a tombstone as "key -".
fn lines<K: weir::Data + ToString>(driver: &mut Driver, topic: &str) -> Vec<String> {
    let rows = driver.topic::<K, Option<String>>(topic).read();
    rows.into_iter()
        .map(|(key, value)| format!("{} {}", key.to_string(), value.unwrap_or("-".to_owned())))
        .collect()
}

#[test]
fn a_product_that_changes_its_maker_moves_from_group_to_group() {
    let mut driver = Driver::new(|t: &mut Topology| {
        let products = t.table::<i64, Product>("products");
        let made = products.filter(|product| product.pieces > 0);
        let by_maker = made.group_by(|row| {
            let maker = row.value.maker.clone()?;
            Some((maker, row.value.pieces))
        });
        by_maker
            .reduce(
                "pieces",
                |sum, pieces| sum + pieces,
                |sum, pieces| sum - pieces,
            )
            .map_values(i64::to_string)
            .changes()
            .to("pieces-by-maker");
    });
    send(&mut driver, 1, Some(("tea", Some("ada"), 5)));
    send(&mut driver, 2, Some(("mate", Some("ada"), 2)));
    send(&mut driver, 1, Some(("tea", Some("bob"), 5)));
    send(&mut driver, 2, Some(("mate", Some("ada"), 0)));
    driver.lose_state();
    send(&mut driver, 1, Some(("tea", None, 5)));
    send(&mut driver, 1, None);
    assert_eq!(
        lines::<String>(&mut driver, "pieces-by-maker"),
        ["ada 5", "ada 7", "ada 2", "bob 5", "ada 0", "bob 0"]
    );
}

#[test]
fn a_joined_table_is_kept_for_processors_only_where_it_was_given_a_store() {
    let mut driver = Driver::new(|t: &mut Topology| {
        let products = t.table::<i64, Product>("products");
        let prices = t.table::<i64, i64>("prices");
        let worth = products
            .outer_join(&prices, |product, price| {
                product.map_or(0, |product| product.pieces) * price.copied().unwrap_or(1)
            })
            .stored_as("worth");
        t.stream::<i64, String>("asked")
            .process(
                "ask",
                worth.store(),
                |ctx: &mut Context<'_, i64, String>, row, worth| {
                    let worth = ctx.get(worth, row.key).unwrap_or(0);
                    ctx.forward(row.key, &format!("{} {worth}", row.value));
                },
            )
            .to("told");
    });
    driver.topic("prices").send(1_i64, 3_i64);
    send(&mut driver, 1, Some(("tea", None, 5)));
    driver.topic("asked").send(1_i64, "tea".to_owned());
    assert_eq!(lines::<i64>(&mut driver, "told"), ["1 tea 15"]);
}

#[test]
fn every_product_is_told_when_its_maker_moves() {
    let mut driver = Driver::setup()
        .partitions(3)
        .start(|t: &mut Topology| {
            let products = t.table::<i64, Product>("products");
            let makers = t.table::<String, String>("makers");
            products
                .left_foreign_key_join(
                    "from",
                    &makers,
                    |product| product.maker.clone(),
                    |product, town| {
                        let town = town.map_or("nowhere", String::as_str);
                        format!("{} from {town}", product.name)
                    },
                )
                .changes()
                .to("from");
        })
        .expect("a good topology");
    send(&mut driver, 1, Some(("tea", Some("ada"), 5)));
    driver
        .topic("makers")
        .send("ada".to_owned(), "Rome".to_owned());
    driver
        .topic("makers")
        .send("ada".to_owned(), "Oslo".to_owned());
    send(&mut driver, 1, Some(("tea", None, 5)));
    send(&mut driver, 1, None);
    assert_eq!(
        lines::<i64>(&mut driver, "from"),
        [
            "1 tea from nowhere",
            "1 tea from Rome",
            "1 tea from Oslo",
            "1 tea from nowhere",
            "1 -"
        ]
    );
}

#[test]
fn a_table_without_a_store_says_so_when_it_is_asked_for_one() {
    let declared = std::panic::catch_unwind(|| {
        Driver::new(|t: &mut Topology| {
            let low = t.table::<i64, i64>("stock").filter(|pieces| *pieces < 10);
            low.store();
            low.stored_as("low").stored_as("lower");
        })
    });
    let panic = declared.err().expect("these are mistakes");
    let text = panic
        .downcast_ref::<String>()
        .expect("a panic with a message");
    for mistake in [
        "table `stock-table-filter` has no store to read; give it one with `stored_as`",
        "table `stock-table-filter` has a store already; use that one",
    ] {
        assert!(text.contains(mistake), "{text}");
    }
}
