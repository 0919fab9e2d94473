//! A service that some rows break: it traps, never ends, or takes all memory. All other rows come
//! out in upper case.

use weir::Topology;

/// Declares the service.
#[weir::service]
pub fn fragile(t: &mut Topology) {
    t.stream::<String, String>("fragile-in")
        .map_values(|value| risky(value))
        .to("fragile-out");
}

fn risky(value: &str) -> String {
    match value {
        "trap" => panic!("this row is poison"),
        "loop" => forever(),
        "allocate" => everything(),
        _ => value.to_uppercase(),
    }
}

fn forever() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn everything() -> String {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}
