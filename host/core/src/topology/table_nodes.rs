//! The compiled nodes of tables: their stores, how they are read by key, and the hops of a
//! foreign-key join.

use crate::store::StoreId;

use super::description::{self, JoinKind, Operator};
use super::repartition::Expansion;
use super::store_names::{subscription_store, unnamed_store};
use super::{Input, NodeId, Operation, StoreKind, View};

impl Expansion<'_> {
    /// The store of a table, if it has one.
    pub(super) fn table_store(
        &self,
        node: &description::Node,
        named: Option<&str>,
    ) -> Option<StoreId> {
        let unnamed = || unnamed_store(&node.name);
        let name = named.map_or_else(unnamed, str::to_owned);
        self.stores
            .iter()
            .any(|store| store.name == name)
            .then(|| self.store(&name))
    }

    /// How a table is read by key.
    pub(super) fn view(&self, table: NodeId) -> View {
        let node = &self.nodes[table.0 as usize];
        if let Some(&store) = node.operation.writes().first() {
            return match self.stores[store.0 as usize].kind {
                StoreKind::KeyValue => View::Keys(store),
                StoreKind::Window(retention) => View::Windows { store, retention },
                StoreKind::Versioned { history_ms } => View::Versions { store, history_ms },
                StoreKind::Session { retention_ms } => View::Sessions {
                    store,
                    retention_ms,
                },
                StoreKind::Buffer => View::Suppressed {
                    buffer: store,
                    of: Box::new(self.view(node.inputs[0].node)),
                },
                StoreKind::Join { .. } => unreachable!("a join of streams is no table"),
            };
        }
        match &node.operation {
            Operation::TableMap { function, .. } => View::Mapped {
                function: *function,
                of: Box::new(self.view(node.inputs[0].node)),
            },
            Operation::TableTableJoin {
                kind,
                function,
                left,
                right,
                ..
            } => View::Joined {
                kind: *kind,
                function: *function,
                left: Box::new(left.clone()),
                right: Box::new(right.clone()),
            },
            _ => unreachable!("a table that is read has a store, or is made of others"),
        }
    }

    /// The hops of a foreign-key join: the left row subscribes at its foreign key's partition, the
    /// answer comes back to its own.
    pub(super) fn foreign_key_join(&mut self, node: &description::Node) -> NodeId {
        let Operator::ForeignKeyJoin {
            kind,
            function,
            foreign_key,
            store,
        } = &node.operator
        else {
            unreachable!("only foreign-key joins come here");
        };
        let name = &node.name;
        let [left, right] = [0, 1].map(|side| self.input(node.inputs[side]));
        let results = self.table_store(node, store.as_deref());
        let subscribe = Operation::Subscribe {
            kind: *kind,
            foreign_key: *foreign_key,
            results: results.filter(|_| *kind == JoinKind::Inner),
        };
        let subscribe = self.push(format!("{name}-subscribe"), vec![left], subscribe, true);
        let subscribe = Input {
            node: subscribe,
            port: 0,
        };
        let asked = self.through_topic(&format!("{name}-subscription"), None, subscribe);
        let subscriptions = Operation::Subscriptions {
            store: self.store(&subscription_store(name)),
            right: self.view(right.node),
        };
        let asked = Input {
            node: asked,
            port: 0,
        };
        let subscriptions = self.push(
            format!("{name}-subscriptions"),
            vec![asked, right],
            subscriptions,
            true,
        );
        let subscriptions = Input {
            node: subscriptions,
            port: 0,
        };
        let answered = self.through_topic(&format!("{name}-answer"), None, subscriptions);
        let join = Operation::ForeignKeyJoin {
            kind: *kind,
            function: *function,
            table: left.node,
            left: self.view(left.node),
            store: results,
        };
        let answered = Input {
            node: answered,
            port: 0,
        };
        self.push(name.clone(), vec![answered], join, false)
    }

    pub(super) fn table_operation(&self, node: &description::Node) -> Operation {
        let named = |store: &Option<String>| store.as_deref().map(|name| self.store(name));
        match &node.operator {
            Operator::TableFilter { function, store } => Operation::TableMap {
                function: *function,
                filters: true,
                store: named(store),
            },
            Operator::TableMapValues { function, store } => Operation::TableMap {
                function: *function,
                filters: false,
                store: named(store),
            },
            Operator::TableGroupBy { function } => Operation::TableGroupBy {
                function: *function,
            },
            Operator::TableAggregate { aggregator, store } => Operation::TableAggregate {
                aggregator: *aggregator,
                store: self.store(store),
            },
            Operator::TableTableJoin {
                kind,
                function,
                store,
            } => {
                let [left, right] =
                    [0, 1].map(|side| self.view(self.made[node.inputs[side].node as usize]));
                Operation::TableTableJoin {
                    kind: *kind,
                    function: *function,
                    left,
                    right,
                    store: named(store),
                }
            }
            _ => unreachable!("only operators of tables come here"),
        }
    }
}
