//! Groups, as administrators see them.

use kafka_protocol::messages::delete_groups_response::{
    DeletableGroupResult, DeleteGroupsResponse,
};
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use kafka_protocol::messages::{DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use crate::code::{Code, number};
use crate::group::{Group, Phase};
use crate::state::{Effects, State, Stopped, text};
use crate::storage::{Table, layout};

/// Nobody asked which operations are allowed: there are no rights here.
const NOT_ASKED: i32 = i32::MIN;

pub(super) fn describe(
    call: &Call<'_>,
    request: DescribeGroupsRequest,
) -> Result<DescribeGroupsResponse, Stopped> {
    let groups = call.shared.look(|state| {
        let groups = request.groups.into_iter().map(|id| {
            let group = state.groups.get(id.as_str());
            let answer = DescribedGroup::default().with_group_id(id);
            let answer = answer.with_authorized_operations(NOT_ASKED);
            match group {
                None => answer.with_group_state(StrBytes::from_static_str("Dead")),
                Some(group) => described(answer, group, call.version),
            }
        });
        groups.collect()
    });
    Ok(DescribeGroupsResponse::default().with_groups(groups))
}

fn described(answer: DescribedGroup, group: &Group, version: i16) -> DescribedGroup {
    let is_stable = group.phase() == Phase::Stable;
    let protocol = if is_stable {
        group.protocol()
    } else {
        StrBytes::default()
    };
    let members = group.members().iter().map(|(id, member)| {
        DescribedGroupMember::default()
            .with_member_id(id.clone())
            .with_group_instance_id(member.instance.clone().filter(|_| version >= 4))
            .with_client_id(member.client.clone())
            .with_client_host(member.host.clone())
            .with_member_metadata(member.subscription(&protocol))
            .with_member_assignment(if is_stable {
                member.assignment.clone()
            } else {
                bytes::Bytes::new()
            })
    });
    answer
        .with_group_state(StrBytes::from_static_str(group.phase().name()))
        .with_protocol_type(group.protocol_type().clone())
        .with_members(members.collect())
        .with_protocol_data(protocol)
}

pub(super) fn list(
    call: &Call<'_>,
    request: ListGroupsRequest,
) -> Result<ListGroupsResponse, Stopped> {
    let is_asked = |wanted: &[StrBytes], name: &str| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let groups = call.shared.look(|state| {
        let groups = state.groups.iter().filter(|(_, group)| {
            is_asked(&request.states_filter, group.phase().name())
                && is_asked(&request.types_filter, "classic")
        });
        let groups = groups.map(|(id, group)| {
            let listed = ListedGroup::default()
                .with_group_id(text(id).into())
                .with_protocol_type(group.protocol_type().clone());
            let state = StrBytes::from_static_str(group.phase().name());
            match call.version {
                ..4 => listed,
                4 => listed.with_group_state(state),
                _ => listed
                    .with_group_state(state)
                    .with_group_type(StrBytes::from_static_str("classic")),
            }
        });
        groups.collect()
    });
    Ok(ListGroupsResponse::default().with_groups(groups))
}

pub(super) fn delete(
    call: &Call<'_>,
    request: DeleteGroupsRequest,
) -> Result<DeleteGroupsResponse, Stopped> {
    call.shared.change(|state, effects| {
        let results = request.groups_names.into_iter().map(|id| {
            let result = delete_group(state, &id, effects);
            DeletableGroupResult::default()
                .with_group_id(id)
                .with_error_code(number(&result))
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    })
}

fn delete_group(state: &mut State, id: &str, effects: &mut Effects) -> Result<(), Code> {
    let group = state.groups.get(id).ok_or(Code::GroupIdNotFound)?;
    if group.phase() != Phase::Empty {
        return Err(Code::NonEmptyGroup);
    }
    for partition in group.offsets.partitions() {
        effects
            .changes
            .delete(Table::Records, layout::offset_key(id, partition));
    }
    state.groups.remove(id);
    effects
        .changes
        .delete(Table::Records, layout::group_key(id));
    Ok(())
}
