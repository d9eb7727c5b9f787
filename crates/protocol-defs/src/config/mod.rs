//! Configuration: the names in the files, URLs and environments that processes of different make share.
//!
//! A provisioned kit is a folder per participant. Its start-up part is written once and signed for; its local part
//! belongs to the site:
//!
//! ```text
//!  <kit>/startup/  fed_client.json or fed_server.json or fed_relay.json or fed_admin.json      who to dial, as whom
//!                  rootCA.pem, client.crt, client.key (server.crt, server.key)                 certificates
//!  <kit>/local/    comm_config.json                                                            listeners, tuning
//!                  relay__resources.json                                                       the relay in front
//! ```
//!
//! A process takes a [`Setting`] from its command line, else from `comm_config.json`, else from the environment, as
//! [`Environment::PREFIX`] and the name in capitals, else it is the [`SettingDefaults`]. What it dials is a URL: a [`Scheme`], host, port, and query
//! pairs that become [`DriverParam`]s. How it protects the connection is a [`ConnectionSecurity`].
//!
//! A site's process starts the process of a job with [`JobOption`]s, [`JobVariable`]s and, for what is secret, [`JobEnvironment`].

mod defaults;
mod job;
mod security;
mod settings;
mod url;

pub use defaults::{SettingDefaultTexts, SettingDefaults};
pub use job::{JobEnvironment, JobModule, JobOption, JobVariable};
pub use security::{
    ClientKitKey, ConnPropKey, ConnectionSecurity, CredentialKey, KitFile, KitFolder, KitKey, RelayKitKey, ServerKitKey,
};
pub use settings::{CommConfigFile, CommConfigKey, Environment, Setting};
pub use url::{
    DriverNumber, DriverParam, GrpcField, GrpcName, Scheme, SecureScheme, SharedFileName, SharedFileNumber,
    SharedFileParam, UrlSyntax, WebSocketName,
};
