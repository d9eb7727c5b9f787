//! Which client a cell belongs to, and what follows from it.

use crate::address::Fqcn;

/// Whether a message from `origin` to `destination`, sent by the client `client_name`, leaves the client's family for
/// that of another client, and so must cross the server.
///
/// Messages from and to the server never do: they end there. Without a client name in the origin's path nothing proves
/// that the destination belongs to the same client, and the message must.
#[must_use]
pub fn is_cross_family(origin: Fqcn<'_>, destination: Fqcn<'_>, client_name: Option<&str>) -> bool {
    if origin == destination || origin.is_on_server() || destination.is_on_server() {
        return false;
    }
    !family(origin, client_name).is_some_and(|family| destination.is_within(family))
}

/// The family of a cell: its address up to the first segment that is the client's name.
#[must_use]
pub fn family<'a>(cell: Fqcn<'a>, client_name: Option<&str>) -> Option<Fqcn<'a>> {
    let name = client_name.filter(|name| !name.is_empty())?;
    cell.prefixes().find(|prefix| prefix.leaf() == name)
}

/// Whether a reply shows the credential of its sender: only where the server will look at it. A peer client must never
/// see it.
#[must_use]
pub fn reply_shows_credential(
    origin: Fqcn<'_>,
    destination: Fqcn<'_>,
    next: Fqcn<'_>,
    client_name: Option<&str>,
) -> bool {
    let touches_server = origin.is_on_server() || destination.is_on_server() || next.is_on_server();
    touches_server || is_cross_family(origin, destination, client_name)
}

/// Whether a neighbour may hand over a message with this origin: it is the origin, or lies above it, or lies above
/// ourselves, from where anything may come.
///
/// Without this a client with a valid certificate could speak for another one. The reference leaves it to the token.
#[must_use]
pub fn may_speak_for(me: Fqcn<'_>, neighbour: Fqcn<'_>, origin: Fqcn<'_>) -> bool {
    let from_above = neighbour.is_ancestor_of(me) || (neighbour.is_server() && !me.is_server());
    from_above || origin.is_within(neighbour)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn cell(name: &str) -> Fqcn<'_> {
        Fqcn::parse(name).unwrap()
    }

    #[test]
    fn families_are_told_apart_as_by_the_reference() {
        let golden: Value = serde_json::from_str(include_str!("../../testdata/auth_families.json")).unwrap();
        let cases = golden["is_cross_client_family"].as_array().unwrap();
        for case in cases {
            let [origin, destination] = ["origin", "destination"].map(|key| cell(case[key].as_str().unwrap()));
            let crosses = is_cross_family(origin, destination, case["client_name"].as_str());
            assert_eq!(Some(crosses), case["cross_family"].as_bool(), "{case}");
        }
        assert_eq!(cases.len(), 11);
    }

    #[test]
    fn replies_show_the_credential_only_to_the_server() {
        for (origin, destination, next, name, shows) in [
            ("site-1", "server", "server", "site-1", true),
            ("relay-1.site-1", "server.j", "relay-1", "site-1", true),
            ("site-1.j", "site-1", "site-1", "site-1", false),
            ("site-1.j", "site-2.j", "site-2.j", "site-1", true),
            ("site-1.j.t", "site-1.j", "server", "site-1", true),
        ] {
            let said = reply_shows_credential(cell(origin), cell(destination), cell(next), Some(name));
            assert_eq!(said, shows, "{origin} {destination} {next}");
        }
    }

    #[test]
    fn neighbours_speak_for_what_is_below_them_or_from_above() {
        for (me, neighbour, origin, may) in [
            ("server", "site-1", "site-1.j", true),
            ("server", "site-1", "site-2", false),
            ("server", "site-1", "site-1x", false),
            ("server", "server.j", "server.j", true),
            ("server", "server.j", "server", false),
            ("site-1", "server", "site-2.j", true),
            ("site-1.j", "site-1", "site-2.j", true),
            ("relay-1.site-2", "relay-1", "server", true),
            ("relay-1", "relay-1.site-2", "relay-1.site-3", false),
            ("site-1.j", "site-2.j", "site-2.j", true),
            ("site-1.j", "site-2.j", "site-3.j", false),
        ] {
            assert_eq!(may_speak_for(cell(me), cell(neighbour), cell(origin)), may, "{me} {neighbour} {origin}");
        }
    }
}
