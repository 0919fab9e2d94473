//! The metadata of a committed position: the stream times that a task needs to go on where it was.
//!
//! `w1:<task's>:<operator's>,...` in base 36, an operator's as the difference to the task's, `-`
//! for none yet. Operators come in the order of their nodes, only those whose stream time decides
//! anything.

use crate::pass::memory::OperatorState;

const VERSION: &str = "w1";
/// What a broker takes (`offset.metadata.max.bytes`).
const MAX_BYTES: usize = 4096;
const NONE: &str = "-";

/// Stream times as text. Without those of operators where they would be too long for a broker: they
/// are then found again as rows come.
pub(super) fn encode(task: i64, operators: &[OperatorState]) -> String {
    let relative = |time: &i64| match *time {
        i64::MIN => NONE.to_owned(),
        time => base36(i128::from(time) - i128::from(base(task))),
    };
    let times: Vec<String> = operators
        .iter()
        .filter(|state| state.keeps_time())
        .flat_map(|state| &state.stream_times)
        .map(relative)
        .collect();
    let task = if task == i64::MIN {
        NONE.to_owned()
    } else {
        base36(i128::from(task))
    };
    let text = format!("{VERSION}:{task}:{}", times.join(","));
    if text.len() < MAX_BYTES {
        text
    } else {
        format!("{VERSION}:{task}:")
    }
}

/// Raises stream times to those of a text; the task's is answered. `None`: the text is not of
/// [`encode`].
pub(super) fn decode(text: &str, operators: &mut [OperatorState]) -> Option<i64> {
    if text.is_empty() {
        return Some(i64::MIN);
    }
    let (task, times) = text
        .strip_prefix(VERSION)?
        .strip_prefix(':')?
        .split_once(':')?;
    let task = if task == NONE {
        i64::MIN
    } else {
        i64::from_str_radix(task, 36).ok()?
    };
    if times.is_empty() {
        return Some(task);
    }
    let mut keeping = operators
        .iter_mut()
        .filter(|state| state.keeps_time())
        .flat_map(|state| &mut state.stream_times);
    for time in times.split(',') {
        let kept = keeping.next()?;
        if time != NONE {
            let time = base(task).checked_add(i64::from_str_radix(time, 36).ok()?)?;
            *kept = time.max(*kept);
        }
    }
    keeping.next().is_none().then_some(task)
}

fn base(task: i64) -> i64 {
    if task == i64::MIN { 0 } else { task }
}

fn base36(number: i128) -> String {
    let mut digits = Vec::new();
    let mut left = number.unsigned_abs();
    loop {
        let digit = u32::try_from(left % 36).expect("below 36");
        digits.push(char::from_digit(digit, 36).expect("below 36"));
        left /= 36;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 1, 35, 36, -1, -1_764_000_000_000, i64::MAX, i64::MIN] {
            assert_eq!(
                i64::from_str_radix(&base36(i128::from(number)), 36),
                Ok(number)
            );
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        assert_eq!(decode("", &mut []), Some(i64::MIN));
        assert_eq!(decode("w1:a:", &mut []), Some(10));
        assert_eq!(decode("AcMB", &mut []), None);
        assert_eq!(decode("w1:a:b", &mut []), None);
    }
}
