//! The HTTP API of the order system, above all what it says to bad requests.

use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::http;
use weir_tests::orders::{Ecosystem, order};

/// One ecosystem for all questions here: it takes longer to start than to ask.
#[test]
fn bad_requests_are_answered_with_what_is_wrong() {
    let shop = Ecosystem::start();
    shop.stock("JUMPERS", 100);
    shop.settle("inventory", "warehouse-inventory");
    malformed_bodies(&shop);
    the_same_id(&shop);
    wrong_methods_and_paths(&shop);
    a_body_over_the_limit(&shop);
    ids_and_times(&shop);
    shipping(&shop);
    a_missing_id_is_made(&shop);
}

fn malformed_bodies(shop: &Ecosystem) {
    let url = shop.hosts[0].url("/v1/orders");
    let response = http::send("POST", &url, Some("{\"id\": "))
        .expect("an answer")
        .expect(400);
    assert!(
        errors(&response.json()).contains("JSON"),
        "{}",
        response.body
    );

    let two = json!({
        "id": "x", "customerId": 1, "product": "SOCKS", "quantity": 1, "price": 1.0,
        "state": "VALIDATED",
    });
    let response = shop.hosts[0].post("/v1/orders", &two).expect(400).json();
    let errors = errors(&response);
    assert!(
        errors.contains("SOCKS") && errors.contains("JUMPERS"),
        "{errors}"
    );
    assert!(
        errors.contains("state"),
        "both mistakes are named: {errors}"
    );
}

fn the_same_id(shop: &Ecosystem) {
    let first = order("same", 7, "JUMPERS", 1, 1.0);
    shop.post(&first);
    shop.post(&first);
    let mut other = first;
    other["quantity"] = json!(2);
    let response = shop.hosts[0].post("/v1/orders", &other).expect(409);
    assert!(
        errors(&response.json()).contains("same"),
        "{}",
        response.body
    );
}

fn wrong_methods_and_paths(shop: &Ecosystem) {
    let url = shop.hosts[0].url("/v1/orders");
    let response = http::send("DELETE", &url, None)
        .expect("an answer")
        .expect(405);
    assert_eq!(response.header("allow"), Some("POST"));
    shop.hosts[0].get("/v2/orders").expect(404);
}

fn a_body_over_the_limit(shop: &Ecosystem) {
    let url = shop.hosts[0].url("/v1/orders");
    let huge = "x".repeat(2 << 20);
    // The server may close the connection before it has read everything.
    if let Ok(response) = http::send("POST", &url, Some(&huge)) {
        response.expect(413);
    }
    shop.post(&order("after-the-huge-one", 7, "JUMPERS", 1, 1.0));
}

fn ids_and_times(shop: &Ecosystem) {
    shop.hosts[0]
        .get("/v1/orders/unknown?timeout=0")
        .expect(404);
    shop.hosts[0]
        .get("/v1/orders/unknown?timeout=50")
        .expect(504);
    shop.hosts[0]
        .get("/v1/orders/unknown?timeout=soon")
        .expect(400);
    shop.hosts[0]
        .get("/v1/orders/unknown?timeout=60001")
        .expect(400);
}

fn shipping(shop: &Ecosystem) {
    shop.post(&order("parcel", 7, "JUMPERS", 1, 1.0));
    assert_eq!(shop.decision("parcel"), "VALIDATED");
    let shipped = shop.hosts[0]
        .post("/v1/orders/parcel/ship", &json!({}))
        .expect(200)
        .json();
    assert_eq!(shipped["state"], "SHIPPED");
    shop.post(&order("failed", 7, "STOCKINGS", 1, 1.0));
    assert_eq!(shop.decision("failed"), "FAILED");
    shop.hosts[0]
        .post("/v1/orders/failed/ship", &json!({}))
        .expect(409);
    shop.hosts[0]
        .post("/v1/orders/nothing/ship", &json!({}))
        .expect(404);
}

fn a_missing_id_is_made(shop: &Ecosystem) {
    let nameless = json!({"customerId": 9, "product": "JUMPERS", "quantity": 1, "price": 1.0});
    let response = shop.hosts[0].post("/v1/orders", &nameless).expect(201);
    let location = response.header("location").expect("a location").to_owned();
    let order = shop.hosts[0].get(&location).expect(200).json();
    assert_eq!(
        format!("/v1/orders/{}", order["id"].as_str().unwrap_or("?")),
        location
    );
}

fn errors(body: &Value) -> String {
    body["errors"]
        .as_array()
        .map(|all| format!("{all:?}"))
        .unwrap_or_default()
}

#[test]
fn the_host_says_how_it_is() {
    let mut shop = Ecosystem::start();
    let host = &mut shop.hosts[0];
    assert_eq!(host.get("/healthz").expect(200).body.trim(), "alive");
    let ready = host.get("/readyz").expect(200).body;
    assert!(ready.contains("orders"), "{ready}");
    let metrics = host.get("/metrics").expect(200).body;
    assert!(metrics.contains("weir_"), "{metrics}");
    let status = host.terminate(Duration::from_secs(20));
    assert!(status.success(), "SIGTERM drains and exits 0: {status}");
}
