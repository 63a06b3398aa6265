use super::*;

fn member(number: u128) -> MemberId {
    MemberId(Uuid::from_u128(number))
}

pub(super) fn command(number: u128, status: Option<MemberStatus>) -> ClientCommand {
    ClientCommand::ChangeResponsible(ChangeResponsible { responsible: member(number), status })
}

fn changed(old: u128, new: u128) -> ClientEvent {
    let responsible = Change::new(member(old), member(new));
    ClientEvent::ResponsibleChanged(ResponsibleChanged { responsible })
}

#[test]
fn o7_another_active_member_can_answer_for_it() {
    let active = Some(MemberStatus::Active);
    assert_eq!(event(given(&[]), 1, command(8, active)), changed(7, 8));
    let handed_over = [(1, changed(7, 8))];
    assert_eq!(registration(&handed_over).responsible, member(8));
    assert_eq!(registration(&handed_over).updated_at, after(1));
    assert_eq!(decided(given(&handed_over), 2, command(8, active)), Ok(Vec::new()), "it does already");
    assert_eq!(event(given(&handed_over), 2, command(7, active)), changed(8, 7));
}

#[test]
fn o7_nobody_answers_for_it_who_cannot_act() {
    let refused = |status| wrong(given(&[]), 1, command(8, status));
    assert_eq!(refused(Some(MemberStatus::Inactive)), at("/member_id", Rule::NotActive));
    assert_eq!(refused(None), at("/member_id", Rule::Unknown));
    let same = wrong(given(&[]), 1, command(7, Some(MemberStatus::Inactive)));
    assert_eq!(same, at("/member_id", Rule::NotActive), "whoever does already is no exception");
}
