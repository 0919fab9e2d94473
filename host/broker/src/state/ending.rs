//! The end of a transaction, as one change: markers, offsets, and the transaction's own record.

use super::{Effects, State, save_offset};
use crate::log::head::marker;
use crate::txn::Ending;

impl State {
    /// Carries out the end of a transaction.
    pub(crate) fn finish(&mut self, ending: Ending, now: i64, effects: &mut Effects) {
        let Ending {
            id,
            producer,
            epoch,
            committed,
            partitions,
            groups,
        } = ending;
        let batch = marker(producer, epoch, committed, now);
        for (topic, partition) in partitions {
            // A topic that was deleted meanwhile needs no marker.
            let place = (topic.as_str(), partition);
            let Ok(at) = self.append(place, &batch, None, now, effects) else {
                continue;
            };
            if let Ok(place) = self.partition(&topic, partition, i64::MAX) {
                place.log.end_transaction(producer, committed, at);
                place.watchers.wake(true);
            }
        }
        for name in groups {
            let Some(group) = self.groups.get_mut(&name) else {
                continue;
            };
            for (partition, offset) in group.offsets.settle(producer, committed) {
                save_offset(&name, &partition, &offset, &mut effects.changes);
            }
        }
        self.save_transaction(&id, effects);
    }
}
