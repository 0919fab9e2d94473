//! All transactional ids, and the producer ids given out.

use std::collections::HashMap;

use super::{Ending, Phase, Transaction};
use crate::code::Code;
use crate::group::offsets::Partition;

/// Epochs end here; then the id gets a new producer id.
const LAST_EPOCH: i16 = i16::MAX - 2;

/// Who comes with a producer id and an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) producer: i64,
    pub(crate) epoch: i16,
}

/// The coordinator of transactions.
#[derive(Debug, Default)]
pub(crate) struct Coordinator {
    transactions: HashMap<String, Transaction>,
    ids: HashMap<i64, String>,
    next_producer: i64,
}

impl Coordinator {
    /// A producer id that nobody has had.
    pub(crate) fn new_producer(&mut self) -> i64 {
        self.next_producer += 1;
        self.next_producer
    }

    /// The last producer id that was given out.
    pub(crate) fn last_producer(&self) -> i64 {
        self.next_producer
    }

    /// Goes on after a producer id that was given out in an earlier life.
    pub(crate) fn resume_after(&mut self, producer: i64) {
        self.next_producer = self.next_producer.max(producer);
    }

    /// Takes in a transaction of an earlier life.
    pub(crate) fn restore(&mut self, id: String, transaction: Transaction) {
        self.ids.insert(transaction.producer, id.clone());
        self.transactions.insert(id, transaction);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.transactions.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Transaction)> {
        self.transactions.iter()
    }

    /// The transaction of `id`, if `holder` is its producer.
    pub(crate) fn held(&mut self, id: &str, holder: Holder) -> Result<&mut Transaction, Code> {
        let transaction = self.transactions.get_mut(id);
        let transaction = transaction.ok_or(Code::InvalidProducerIdMapping)?;
        if transaction.producer != holder.producer {
            return Err(Code::InvalidProducerIdMapping);
        }
        if transaction.epoch != holder.epoch {
            return Err(Code::ProducerFenced);
        }
        Ok(transaction)
    }

    /// Whether `holder` may write a transactional batch to a partition.
    pub(crate) fn may_write(&mut self, holder: Holder, partition: &Partition) -> Result<(), Code> {
        let id = self
            .ids
            .get(&holder.producer)
            .ok_or(Code::InvalidProducerIdMapping)?
            .clone();
        match self.held(&id, holder) {
            Ok(transaction) => transaction.writes_to(partition),
            Err(Code::ProducerFenced) => Err(Code::InvalidProducerEpoch),
            Err(code) => Err(code),
        }
    }

    /// A producer takes `id`: it gets the next epoch, whoever had it before is fenced, and what was
    /// left open is aborted. `known` is what a producer says that has had the id and lost its way.
    pub(crate) fn init(
        &mut self,
        id: &str,
        timeout_ms: i32,
        known: Option<Holder>,
        now: i64,
    ) -> Result<(Holder, Option<Ending>), Code> {
        if let (Some(transaction), Some(known)) = (self.transactions.get(id), known)
            && (transaction.producer, transaction.epoch) != (known.producer, known.epoch)
        {
            return Err(Code::ProducerFenced);
        }
        let is_new = !self.transactions.contains_key(id);
        let ending = self
            .transactions
            .get_mut(id)
            .and_then(|transaction| transaction.expel(id));
        let is_worn = self
            .transactions
            .get(id)
            .is_some_and(|known| known.epoch >= LAST_EPOCH);
        let fresh = (is_new || is_worn).then(|| self.new_producer());
        let transaction = self.transactions.entry(id.to_owned()).or_default();
        match fresh {
            None => transaction.epoch += 1,
            Some(producer) => {
                self.ids.remove(&transaction.producer);
                self.ids.insert(producer, id.to_owned());
                transaction.producer = producer;
                transaction.epoch = 0;
            }
        }
        transaction.phase = Phase::Empty;
        transaction.timeout_ms = timeout_ms;
        transaction.touched = now;
        let holder = Holder {
            producer: transaction.producer,
            epoch: transaction.epoch,
        };
        Ok((holder, ending))
    }

    /// Aborts the transactions that are open for longer than their producers allowed.
    pub(crate) fn expel_late(&mut self, now: i64) -> Vec<Ending> {
        let late = self.transactions.iter_mut().filter(|(_, transaction)| {
            now.saturating_sub(transaction.started) > i64::from(transaction.timeout_ms)
        });
        late.filter_map(|(id, transaction)| transaction.expel(id))
            .collect()
    }

    /// Until `until` the id counts as busy with the end of its last transaction.
    pub(crate) fn keep_busy(&mut self, id: &str, until: i64) {
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.busy_until = until;
        }
    }

    /// Takes out what belongs to a topic; returns the ids whose transactions changed.
    pub(crate) fn forget_topic(&mut self, topic: &str) -> Vec<String> {
        let mut changed = Vec::new();
        for (id, transaction) in &mut self.transactions {
            let before = (transaction.partitions.len(), transaction.offsets.len());
            transaction.partitions.retain(|(name, _)| name != topic);
            transaction
                .offsets
                .retain(|(_, (name, _)), _| name != topic);
            if before != (transaction.partitions.len(), transaction.offsets.len()) {
                changed.push(id.clone());
            }
        }
        changed
    }

    /// Forgets the ids that nobody has used since `before`; returns them.
    pub(crate) fn expire(&mut self, before: i64) -> Vec<String> {
        let is_gone = |transaction: &Transaction| {
            transaction.phase != Phase::Ongoing && transaction.touched < before
        };
        let gone: Vec<String> = self
            .transactions
            .iter()
            .filter(|(_, transaction)| is_gone(transaction))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &gone {
            if let Some(transaction) = self.transactions.remove(id) {
                self.ids.remove(&transaction.producer);
            }
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn orders() -> Partition {
        ("orders".to_owned(), 0)
    }

    fn with_open_transaction() -> (Coordinator, Holder) {
        let mut coordinator = Coordinator::default();
        let (holder, _) = coordinator.init("t", 1000, None, 0).unwrap();
        coordinator
            .held("t", holder)
            .unwrap()
            .add_partitions([orders()], 10)
            .unwrap();
        (coordinator, holder)
    }

    #[test]
    fn a_second_producer_fences_the_first_and_aborts_what_it_left() {
        let (mut coordinator, first) = with_open_transaction();
        coordinator.may_write(first, &orders()).unwrap();
        let (second, ending) = coordinator.init("t", 1000, None, 20).unwrap();
        let ending = ending.unwrap();
        assert!(!ending.committed && ending.partitions.contains(&orders()));
        assert!(
            ending.epoch > first.epoch,
            "the marker itself shuts the zombie out"
        );
        assert!(second.producer == first.producer && second.epoch > ending.epoch);
        assert_eq!(
            coordinator.may_write(first, &orders()),
            Err(Code::InvalidProducerEpoch)
        );
        assert_eq!(
            coordinator.held("t", first).err(),
            Some(Code::ProducerFenced)
        );
    }

    #[test]
    fn an_end_may_be_asked_for_again_but_not_for_its_contrary() {
        let (mut coordinator, holder) = with_open_transaction();
        let held = coordinator.held("t", holder).unwrap();
        assert!(held.end("t", true).unwrap().is_some());
        assert_eq!(held.end("t", true), Ok(None));
        assert_eq!(held.end("t", false), Err(Code::InvalidTxnState));
        let (holder, _) = coordinator.init("t", 1000, None, 0).unwrap();
        let held = coordinator.held("t", holder).unwrap();
        assert_eq!(
            held.end("t", false),
            Err(Code::InvalidTxnState),
            "none has begun"
        );
    }

    #[test]
    fn a_transaction_past_its_time_is_aborted_and_its_producer_fenced() {
        let (mut coordinator, holder) = with_open_transaction();
        assert!(coordinator.expel_late(1010).is_empty());
        assert_eq!(coordinator.expel_late(1011).len(), 1);
        assert_eq!(
            coordinator.held("t", holder).err(),
            Some(Code::ProducerFenced)
        );
    }

    #[test]
    fn a_producer_that_lost_its_way_keeps_its_id_only_if_nobody_took_it() {
        let (mut coordinator, first) = with_open_transaction();
        let (second, _) = coordinator.init("t", 1000, Some(first), 0).unwrap();
        assert_eq!(
            coordinator.init("t", 1000, Some(first), 0),
            Err(Code::ProducerFenced)
        );
        assert!(coordinator.init("t", 1000, Some(second), 0).is_ok());
    }

    #[test]
    fn worn_epochs_get_a_new_producer_id() {
        let mut coordinator = Coordinator::default();
        let worn = Transaction {
            producer: 7,
            epoch: LAST_EPOCH,
            ..Transaction::default()
        };
        coordinator.restore("t".to_owned(), worn);
        coordinator.resume_after(7);
        let (holder, _) = coordinator.init("t", 1000, None, 0).unwrap();
        assert_eq!(
            holder,
            Holder {
                producer: 8,
                epoch: 0
            }
        );
    }
}
