//! Members of groups: join, sync, heartbeat, leave.

use std::time::Duration;

use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest,
    SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::Call;
use crate::code::{Code, number};
use crate::group::{Join, Joined, Refused};
use crate::state::shared::moment;
use crate::state::{Stopped, text};

pub(super) async fn join(
    call: &Call<'_>,
    request: JoinGroupRequest,
) -> Result<JoinGroupResponse, Stopped> {
    let result = match checked(call, &request) {
        Err(code) => Err(Refused {
            code,
            member: request.member_id,
        }),
        Ok(join) => {
            let (ticket, answer) = call.shared.wait_to_join();
            call.shared.change(|state, effects| {
                let group = state
                    .groups
                    .entry(request.group_id.to_string())
                    .or_default();
                group.join(join, ticket, moment(), &mut effects.answers);
                state.save_group(&request.group_id, effects);
            })?;
            answer.await.map_err(|_| Stopped)?
        }
    };
    Ok(joined(call.version, result))
}

/// What can be said about a request without looking at its group, but for the group's size.
fn checked(call: &Call<'_>, request: &JoinGroupRequest) -> Result<Join, Code> {
    let settings = &call.shared.settings;
    if request.group_id.is_empty() {
        return Err(Code::InvalidGroupId);
    }
    let duration = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    let session = duration(request.session_timeout_ms);
    if session < settings.min_session || session > settings.max_session {
        return Err(Code::InvalidSessionTimeout);
    }
    let is_full = call.shared.look(|state| {
        let group = state.groups.get(request.group_id.as_str());
        group.is_some_and(|group| {
            group.members().len() >= settings.max_group_size
                && !group.members().contains_key(&request.member_id)
        })
    });
    if is_full {
        return Err(Code::GroupMaxSizeReached);
    }
    let name = request.group_instance_id.as_ref().unwrap_or(&call.client);
    let is_dynamic = request.group_instance_id.is_none();
    let protocols = request.protocols.iter();
    Ok(Join {
        member: request.member_id.clone(),
        new_member: text(&format!("{}-{}", name.as_str(), Uuid::new_v4())),
        instance: request.group_instance_id.clone(),
        client: call.client.clone(),
        host: text(&format!("/{}", call.connection.host.as_str())),
        session,
        rebalance: if call.version >= 1 {
            duration(request.rebalance_timeout_ms)
        } else {
            session
        },
        protocol_type: request.protocol_type.clone(),
        protocols: protocols
            .map(|own| (own.name.clone(), own.metadata.clone()))
            .collect(),
        takes_id_first: call.version >= 4 && is_dynamic,
        can_skip_assignment: call.version >= 9,
        initial_delay: settings.initial_rebalance_delay,
    })
}

fn joined(version: i16, result: Result<Joined, Refused>) -> JoinGroupResponse {
    let answer = JoinGroupResponse::default();
    let joined = match result {
        Ok(joined) => joined,
        Err(refused) => {
            return answer
                .with_error_code(refused.code.code())
                .with_generation_id(-1)
                .with_protocol_name((version < 7).then(StrBytes::default))
                .with_member_id(refused.member);
        }
    };
    let members = joined.members.into_iter().map(|(id, instance, metadata)| {
        JoinGroupResponseMember::default()
            .with_member_id(id)
            .with_group_instance_id(instance.filter(|_| version >= 5))
            .with_metadata(metadata)
    });
    answer
        .with_generation_id(joined.generation)
        .with_protocol_type((version >= 7).then_some(joined.protocol_type))
        .with_protocol_name(Some(joined.protocol))
        .with_leader(joined.leader)
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(joined.member)
        .with_members(members.collect())
}

pub(super) async fn sync(
    call: &Call<'_>,
    request: SyncGroupRequest,
) -> Result<SyncGroupResponse, Stopped> {
    let (ticket, answer) = call.shared.wait_to_sync();
    let assignments = request.assignments.into_iter();
    let assignments = assignments
        .map(|given| (given.member_id, given.assignment))
        .collect();
    let protocol = call.shared.change(|state, effects| {
        let group = state
            .groups
            .entry(request.group_id.to_string())
            .or_default();
        let protocol = (group.protocol_type().clone(), group.protocol());
        let differs = |asked: &Option<StrBytes>, own: &StrBytes| {
            asked.as_ref().is_some_and(|asked| asked != own)
        };
        if !group.members().is_empty()
            && (differs(&request.protocol_type, &protocol.0)
                || differs(&request.protocol_name, &protocol.1))
        {
            effects
                .answers
                .synced(ticket, Err(Code::InconsistentGroupProtocol));
            return protocol;
        }
        let instance = request.group_instance_id.as_ref();
        let who = (&request.member_id, instance, request.generation_id);
        group.sync(who, assignments, ticket, moment(), &mut effects.answers);
        state.save_group(&request.group_id, effects);
        protocol
    })?;
    let result = answer.await.map_err(|_| Stopped)?;
    let answer = SyncGroupResponse::default().with_error_code(number(&result));
    let Ok(assignment) = result else {
        return Ok(answer);
    };
    let (kind, name) = protocol;
    Ok(answer
        .with_protocol_type((call.version >= 5).then_some(kind))
        .with_protocol_name((call.version >= 5).then_some(name))
        .with_assignment(assignment))
}

pub(super) fn heartbeat(
    call: &Call<'_>,
    request: HeartbeatRequest,
) -> Result<HeartbeatResponse, Stopped> {
    let result = call.shared.watch(|state| {
        let group = state
            .groups
            .get_mut(request.group_id.as_str())
            .ok_or(Code::UnknownMemberId)?;
        let instance = request.group_instance_id.as_ref();
        group.heartbeat(
            &request.member_id,
            instance,
            request.generation_id,
            moment(),
        )
    });
    Ok(HeartbeatResponse::default().with_error_code(number(&result)))
}

pub(super) fn leave(
    call: &Call<'_>,
    request: LeaveGroupRequest,
) -> Result<LeaveGroupResponse, Stopped> {
    let leaving: Vec<(StrBytes, Option<StrBytes>)> = if call.version >= 3 {
        let members = request.members.into_iter();
        members
            .map(|member| (member.member_id, member.group_instance_id))
            .collect()
    } else {
        vec![(request.member_id, None)]
    };
    let results = call.shared.change(|state, effects| {
        let mut group = state.groups.get_mut(request.group_id.as_str());
        let results = leaving.into_iter().map(|(member, instance)| {
            let result = match &mut group {
                None => Err(Code::UnknownMemberId),
                Some(group) => {
                    group.leave(&member, instance.as_ref(), moment(), &mut effects.answers)
                }
            };
            (member, instance, number(&result))
        });
        let results = results.collect::<Vec<_>>();
        state.save_group(&request.group_id, effects);
        results
    })?;
    let answer = LeaveGroupResponse::default();
    if call.version < 3 {
        return Ok(answer.with_error_code(results[0].2));
    }
    let members = results.into_iter().map(|(member, instance, code)| {
        MemberResponse::default()
            .with_member_id(member)
            .with_group_instance_id(instance)
            .with_error_code(code)
    });
    Ok(answer.with_members(members.collect()))
}
