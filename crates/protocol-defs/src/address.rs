//! Addresses: how a cell is named by its fully qualified cell name, the FQCN.
//!
//! ```text
//!  server                               the server
//!  ├── server.<job id>                  its process for one job
//!  ├── site-1                           a site
//!  │   ├── site-1.<job id>              its process for one job
//!  │   │   └── ….client_api_trainer_1   a training process that the job launched
//!  │   └── site-1.-client_api_<id>      a training process that attached itself
//!  ├── relay-1
//!  │   └── relay-1.site-2               a site behind a relay
//!  └── _admin_<uuid>                    a session of an administrator
//! ```
//!
//! An FQCN is a path of segments: none empty, none twice, blanks around the whole stripped. The first segment tells the
//! family; everything whose first segment is `server` lives on the server.

use crate::table::wire_table;

wire_table! {
    /// How an FQCN is put together.
    names AddressSyntax(str) in "address.syntax", from "nvflare.fuel.f3.cellnet.fqcn:FQCN";

    /// Stands between two segments.
    SEPARATOR = ".";
    /// Regular expression that the whole FQCN must match; before release 2.9 the tilde was not allowed.
    VALID_PATTERN = "^[A-Za-z0-9_.~-]*$";
}

wire_table! {
    /// Segments with a fixed meaning; no site, relay or job may be called so.
    names ReservedSegment(str) in "address.reserved";

    /// First segment of the server and of all that runs on it. The root of the tree.
    ROOT_SERVER = "server", from "nvflare.fuel.f3.cellnet.fqcn:FQCN.ROOT_SERVER";
}

wire_table! {
    /// Beginnings of segments with a fixed meaning.
    names ReservedPrefix(str) in "address.prefix";

    /// An administrator's session: followed by a version 4 UUID, as a family of its own. Accepted only on a listener
    /// whose URL says `admin_listener=true`, and there under any certificate.
    ADMIN = "_admin_", from "nvflare.fuel.utils.admin_name_utils:_NAME_PREFIX";
    /// A training process that attaches itself below a site: followed by the attach id. It proves itself with the
    /// certificate of its parent.
    CLIENT_API_ATTACH_LEAF = "-client_api_", from "nvflare.fuel.f3.cellnet.fqcn:CLIENT_API_ATTACH_LEAF_PREFIX";
    /// A training process that a job launched: followed by an underscore and the number of the launch, from 1.
    CLIENT_API_TRAINER_LEAF = "client_api_trainer",
        from "nvflare.app_common.executors.client_api.external_process_backend:_TRAINER_LEAF_PREFIX";
    /// An agent of the legacy protocol below its site: followed by the agent id. The dash sorts it before the job.
    LEGACY_AGENT_LEAF = "-", from "literal:nvflare.client.ipc.defs";
}

wire_table! {
    /// What stands between the parts within one segment.
    names SegmentSyntax(str) in "address.segment";

    /// Between `client_api_trainer` and the number of the launch.
    TRAINER_SEQ_SEPARATOR = "_", from "literal:nvflare.app_common.executors.client_api.external_process_backend";
    /// Regular expression that an attach id must match: a training process and the job that expects it know it.
    ATTACH_ID_PATTERN = "^[A-Za-z0-9_-]{1,64}$", from "literal:nvflare.client.cell.attach";
}
