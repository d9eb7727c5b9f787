//! How connections are protected, and what a provisioned kit calls its files and their members.

use crate::table::wire_table;

wire_table! {
    /// Protection of a connection; the value of `connection_security` in kits and resources.
    ///
    /// It concerns the connection only: identity challenge, registration and tokens are the same in all three.
    names ConnectionSecurity(str) in "config.connection_security", from "nvflare.apis.fl_constant:ConnectionSecurity";

    /// No TLS.
    CLEAR = "clear";
    /// TLS in which only the listening side shows a certificate.
    TLS = "tls";
    /// TLS in which both sides show certificates, and the name in a peer's must fit its FQCN. The default.
    MTLS = "mtls";
}

wire_table! {
    /// Folders of a kit and of a job's workspace.
    names KitFolder(str) in "config.kit_folder";

    /// Written by provisioning, not to be changed.
    STARTUP = "startup", from "nvflare.apis.fl_constant:WorkspaceConstants.STARTUP_FOLDER_NAME";
    /// The site's own.
    LOCAL = "local", from "nvflare.apis.fl_constant:WorkspaceConstants.SITE_FOLDER_NAME";
    /// Code that a job or site brings.
    CUSTOM = "custom", from "nvflare.apis.fl_constant:WorkspaceConstants.CUSTOM_FOLDER_NAME";
    /// Begins the name of the folder of an application in a job's workspace; the site name follows.
    APP_PREFIX = "app_", from "nvflare.apis.fl_constant:WorkspaceConstants.APP_PREFIX";
}

wire_table! {
    /// Files of a kit and of a job's workspace.
    names KitFile(str) in "config.kit_file";

    /// Root certificate of the project, PEM.
    ROOT_CERT = "rootCA.pem", from "nvflare.fuel.f3.drivers.net_utils:SSL_ROOT_CERT";
    /// Optional root certificate of a proxy in front of the server, PEM.
    CUSTOM_ROOT_CERT = "customRootCA.pem", from "nvflare.fuel.f3.drivers.net_utils:CUSTOM_ROOT_CERT";
    /// Certificate of the server, or of a relay or site to listen with, PEM; may be a chain.
    SERVER_CERT = "server.crt", from "nvflare.fuel.f3.drivers.net_utils:SSL_SERVER_CERT";
    /// Its private key, PEM.
    SERVER_PRIVATE_KEY = "server.key", from "nvflare.fuel.f3.drivers.net_utils:SSL_SERVER_PRIVATE_KEY";
    /// Certificate of everyone but the server, PEM.
    CLIENT_CERT = "client.crt", from "nvflare.fuel.f3.drivers.net_utils:SSL_CLIENT_CERT";
    /// Its private key, PEM.
    CLIENT_PRIVATE_KEY = "client.key", from "nvflare.fuel.f3.drivers.net_utils:SSL_CLIENT_PRIVATE_KEY";
    /// Start-up file of a server.
    SERVER_STARTUP_CONFIG = "fed_server.json", from "nvflare.apis.fl_constant:WorkspaceConstants.SERVER_STARTUP_CONFIG";
    /// Start-up file of a site.
    CLIENT_STARTUP_CONFIG = "fed_client.json", from "nvflare.apis.fl_constant:WorkspaceConstants.CLIENT_STARTUP_CONFIG";
    /// Start-up file of an administrator.
    ADMIN_STARTUP_CONFIG = "fed_admin.json", from "nvflare.apis.fl_constant:WorkspaceConstants.ADMIN_STARTUP_CONFIG";
    /// Start-up file of a relay.
    RELAY_STARTUP_CONFIG = "fed_relay.json", from "nvflare.lighter.constants:ProvFileName.FED_RELAY_JSON";
    /// In the local folder of a site behind a relay: the relay, under `relay_config`.
    RELAY_RESOURCES = "relay__resources.json", from "nvflare.lighter.constants:ProvFileName.RELAY_RESOURCES_JSON";
    /// In the local folder: components and settings of the site.
    RESOURCES_CONFIG = "resources.json", from "nvflare.apis.fl_constant:WorkspaceConstants.RESOURCES_CONFIG";
    /// What is read if the former is missing.
    DEFAULT_RESOURCES_CONFIG = "resources.json.default",
        from "nvflare.apis.fl_constant:WorkspaceConstants.DEFAULT_RESOURCES_CONFIG";
    /// Pattern of further resource files, for a site's process and its jobs'.
    RESOURCE_FILE_NAME_PATTERN = "*__resources.json",
        from "nvflare.apis.fl_constant:WorkspaceConstants.RESOURCE_FILE_NAME_PATTERN";
    /// Pattern of resource files for the processes of jobs only.
    JOB_RESOURCE_FILE_NAME_PATTERN = "*__j_resources.json",
        from "nvflare.apis.fl_constant:WorkspaceConstants.JOB_RESOURCE_FILE_NAME_PATTERN";
    /// Pattern of resource files for the site's process only.
    PARENT_RESOURCE_FILE_NAME_PATTERN = "*__p_resources.json",
        from "nvflare.apis.fl_constant:WorkspaceConstants.PARENT_RESOURCE_FILE_NAME_PATTERN";
    /// In the local folder: resources of the processes of jobs.
    JOB_RESOURCES_CONFIG = "job_resources.json",
        from "nvflare.apis.fl_constant:WorkspaceConstants.JOB_RESOURCES_CONFIG";
    /// In the local folder: who may do what.
    AUTHORIZATION_CONFIG = "authorization.json",
        from "nvflare.apis.fl_constant:WorkspaceConstants.AUTHORIZATION_CONFIG";
    /// What is read if the former is missing.
    DEFAULT_AUTHORIZATION_CONFIG = "authorization.json.default",
        from "nvflare.apis.fl_constant:WorkspaceConstants.DEFAULT_AUTHORIZATION_CONFIG";
    /// In the local folder: filters that a site puts on all jobs, and its scopes.
    PRIVACY_CONFIG = "privacy.json", from "nvflare.apis.fl_constant:WorkspaceConstants.PRIVACY_CONFIG";
    /// In a job's workspace: the job's metadata.
    JOB_META_FILE = "meta.json", from "nvflare.apis.fl_constant:WorkspaceConstants.JOB_META_FILE";
    /// In an application: its configuration for the server.
    SERVER_APP_CONFIG = "config_fed_server.json", from "nvflare.apis.fl_constant:WorkspaceConstants.SERVER_APP_CONFIG";
    /// In an application: its configuration for sites.
    CLIENT_APP_CONFIG = "config_fed_client.json", from "nvflare.apis.fl_constant:WorkspaceConstants.CLIENT_APP_CONFIG";
    /// In the kit's folder: tells the start script to start again.
    RESTART_FILE = "restart.fl", from "nvflare.apis.fl_constant:WorkspaceConstants.RESTART_FILE";
    /// In the kit's folder: tells the start script, or the process, to stop.
    SHUTDOWN_FILE = "shutdown.fl", from "nvflare.apis.fl_constant:WorkspaceConstants.SHUTDOWN_FILE";
    /// Who did what.
    AUDIT_LOG = "audit.log", from "nvflare.apis.fl_constant:WorkspaceConstants.AUDIT_LOG";
    /// What a process did.
    LOG_FILE_NAME = "log.txt", from "nvflare.apis.fl_constant:WorkspaceConstants.LOG_FILE_NAME";
    /// The errors among it; this is what a site streams to the server.
    ERROR_LOG_FILE_NAME = "error_log.txt", from "nvflare.apis.fl_constant:WorkspaceConstants.ERROR_LOG_FILE_NAME";
}

wire_table! {
    /// Keys of start-up files of server, site and relay alike.
    names KitKey(str) in "config.kit";

    /// Integer: version of the file's format, 2.
    FORMAT_VERSION = "format_version", from "literal:nvflare.private.fed_json_config";
    /// List of maps: the servers of the project; the first one counts.
    SERVERS = "servers", from "literal:nvflare.private.fed.app.fl_conf";
    /// Text in a server's map: the name of the project.
    NAME = "name", from "literal:nvflare.private.fed.app.deployer.base_client_deployer";
    /// Map in a server's map: where it is.
    SERVICE = "service", from "literal:nvflare.private.fed.app.fl_conf";
    /// Text in `service`: host and port.
    TARGET = "target", from "literal:nvflare.private.fed.app.fl_conf";
    /// Text in `service` and in `connect_to`: the scheme, in its plain spelling.
    SCHEME = "scheme", from "nvflare.apis.fl_constant:ConnPropKey.SCHEME";
    /// Text in a server's map, and of a relay: common name in the certificate.
    IDENTITY = "identity", from "nvflare.apis.fl_constant:ConnPropKey.IDENTITY";
    /// Text: common name in the certificate, if it is not the name of the participant.
    AUTH_IDENTITY = "auth_identity", from "nvflare.apis.fl_constant:ConnPropKey.AUTH_IDENTITY";
    /// Map from FQCN to common name: who stands for whom where the rule by segments does not fit.
    AUTH_IDENTITY_MAP = "auth_identity_map", from "nvflare.apis.fl_constant:ConnPropKey.AUTH_IDENTITY_MAP";
    /// Text: a [`ConnectionSecurity`].
    CONNECTION_SECURITY = "connection_security", from "nvflare.apis.fl_constant:ConnPropKey.CONNECTION_SECURITY";
    /// Bool: whether a job must be signed.
    REQUIRE_SIGNED_JOBS = "require_signed_jobs", from "literal:nvflare.private.fed.utils.fed_utils";
}

wire_table! {
    /// Keys of a server's map in its own start-up file, beside those of [`KitKey`] and [`CredentialKey`].
    names ServerKitKey(str) in "config.server_kit";

    /// Text: host of the listener for administrators, as they know it.
    ADMIN_SERVER = "admin_server", from "literal:nvflare.lighter.impl.static_file";
    /// Integer: its port; the same as the federation's port if there is only one listener.
    ADMIN_PORT = "admin_port", from "literal:nvflare.private.fed.server.fed_server";
    /// Text: host to bind for it, if not that of the federation.
    ADMIN_HOST = "admin_host", from "literal:nvflare.private.fed.server.fed_server";
}

wire_table! {
    /// Keys of a site's start-up file, beside those of [`KitKey`] and [`CredentialKey`]; its timeouts are
    /// [`ClientSetting`](crate::federation::ClientSetting)s.
    names ClientKitKey(str) in "config.client_kit";

    /// Map: the site.
    CLIENT = "client", from "literal:nvflare.private.fed.app.fl_conf";
    /// Text in it: place of the site in a hierarchy of sites, dots between the names.
    FQSN = "fqsn", from "literal:nvflare.private.fed.client.client_engine";
    /// Bool in it: whether no site is below.
    IS_LEAF = "is_leaf", from "literal:nvflare.private.fed.client.client_engine";
}

wire_table! {
    /// Keys of a relay's start-up file, beside its format version.
    names RelayKitKey(str) in "config.relay_kit", from "nvflare.private.fed.app.relay.relay:_ConfigKey";

    /// Text: the project.
    PROJECT_NAME = "project_name";
    /// Text: common name of the server.
    SERVER_IDENTITY = "server_identity";
    /// Text: name of the relay, and the last segment of its FQCN. In `connect_to`: the parent's.
    IDENTITY = "identity";
    /// Text: common name of the relay, if it is not its name. In `connect_to`: the parent's.
    AUTH_IDENTITY = "auth_identity";
    /// Map from FQCN to common name.
    AUTH_IDENTITY_MAP = "auth_identity_map";
    /// Map: the parent, with the keys of [`ConnPropKey`].
    CONNECT_TO = "connect_to";
}

wire_table! {
    /// Keys under which a start-up file names its certificate files, relative to the start-up folder.
    names CredentialKey(str) in "config.credential", from "nvflare.fuel.f3.cellnet.defs:SSLConstants";

    /// The participant's certificate.
    CERT = "ssl_cert";
    /// Its private key.
    PRIVATE_KEY = "ssl_private_key";
    /// The root certificate.
    ROOT_CERT = "ssl_root_cert";
}

wire_table! {
    /// Keys of what is known about a neighbour to dial: in `relay_config`, in `connect_to`, and inside processes.
    names ConnPropKey(str) in "config.conn_prop", from "nvflare.apis.fl_constant:ConnPropKey";

    /// Text: its FQCN.
    FQCN = "fqcn";
    /// Text: its name, which is the common name in its certificate.
    IDENTITY = "identity";
    /// Text: the common name, if it is another.
    AUTH_IDENTITY = "auth_identity";
    /// Map from FQCN to common name.
    AUTH_IDENTITY_MAP = "auth_identity_map";
    /// Text: URL made of the next two.
    URL = "url";
    /// Text: scheme, in its plain spelling.
    SCHEME = "scheme";
    /// Text: host and port.
    ADDRESS = "address";
    /// Text: a [`ConnectionSecurity`].
    CONNECTION_SECURITY = "connection_security";
    /// In a resource file of a site: the relay in front of it.
    RELAY_CONFIG = "relay_config";
    /// Inside a process: the site's own cell.
    CP_CONN_PROPS = "cp_conn_props";
    /// Inside a process: the relay.
    RELAY_CONN_PROPS = "relay_conn_props";
    /// Inside a process: the server.
    ROOT_CONN_PROPS = "root_conn_props";
}
