//! How a site or server starts the process of a job.
//!
//! ```text
//!  NVFLARE_JOB_AUTH_TOKEN=… NVFLARE_JOB_TOKEN_SIGNATURE=… NVFLARE_JOB_SSID=…
//!  python -m nvflare.private.fed.app.client.worker_process -m <workspace> -w <startup> -n <job id> -c <site>
//!         -p <parent URL> --parent_conn_sec clear -g <server:port> -scheme grpc -s fed_client.json
//!         --set secure_train=true …
//! ```

use crate::table::wire_table;

wire_table! {
    /// Secrets of a job's process, in its environment; the process removes them when it has read them.
    names JobEnvironment(str) in "config.job_environment", from "nvflare.apis.job_launcher_spec:JobProcessEnv";

    /// Text: the site's token. The server gives its own jobs one too.
    AUTH_TOKEN = "NVFLARE_JOB_AUTH_TOKEN";
    /// Text, base64: the server's signature of it.
    TOKEN_SIGNATURE = "NVFLARE_JOB_TOKEN_SIGNATURE";
    /// Text: the server's session id.
    SSID = "NVFLARE_JOB_SSID";
}

wire_table! {
    /// Modules of the reference that are run as the process of a job.
    names JobModule(str) in "config.job_module";

    /// At a site.
    CLIENT = "nvflare.private.fed.app.client.worker_process", from "literal:nvflare.private.fed.client.client_executor";
    /// At the server.
    SERVER = "nvflare.private.fed.app.server.runner_process", from "literal:nvflare.private.fed.server.server_engine";
}

wire_table! {
    /// Options on the command line of a job's process; a value given here goes before the environment.
    names JobOption(str) in "config.job_option";

    /// Path of the workspace.
    WORKSPACE = "-m", from "literal:nvflare.private.fed.client.client_executor";
    /// Site: path of the start-up folder.
    STARTUP_DIR = "-w", from "literal:nvflare.private.fed.client.client_executor";
    /// The job id.
    JOB_ID = "-n", from "literal:nvflare.private.fed.client.client_executor";
    /// Site: its name.
    CLIENT_NAME = "-c", from "literal:nvflare.private.fed.client.client_executor";
    /// The token.
    AUTH_TOKEN = "-t", from "literal:nvflare.private.fed.client.client_executor";
    /// Its signature.
    TOKEN_SIGNATURE = "-ts", from "literal:nvflare.private.fed.client.client_executor";
    /// Site: the server's session id.
    SSID = "-d", from "literal:nvflare.private.fed.client.client_executor";
    /// Server: the same.
    SERVER_SSID = "--ssid", from "literal:nvflare.private.fed.server.server_engine";
    /// URL of the internal listener of the process that starts the job.
    PARENT_URL = "-p", from "literal:nvflare.private.fed.client.client_executor";
    /// Connection security of that listener.
    PARENT_CONN_SEC = "--parent_conn_sec", from "literal:nvflare.private.fed.client.client_executor";
    /// Site: host and port of the server.
    TARGET = "-g", from "literal:nvflare.private.fed.client.client_executor";
    /// Site: scheme of the server.
    SCHEME = "-scheme", from "literal:nvflare.private.fed.client.client_executor";
    /// Name of the start-up file.
    STARTUP_CONFIG_FILE = "-s", from "literal:nvflare.private.fed.client.client_executor";
    /// Server: path of the application.
    APP_ROOT = "-r", from "literal:nvflare.private.fed.server.server_engine";
    /// Server: URL for its children.
    ROOT_URL = "-u", from "literal:nvflare.private.fed.server.server_engine";
    /// Server: host of the federation's listener.
    SERVICE_HOST = "--host", from "literal:nvflare.private.fed.server.server_engine";
    /// Server: its port.
    SERVICE_PORT = "--port", from "literal:nvflare.private.fed.server.server_engine";
    /// Further variables, each `name=value`; the last option.
    OPTIONS = "--set", from "literal:nvflare.private.fed.client.client_executor";
}

wire_table! {
    /// Variables behind [`JobOption::OPTIONS`], here and on the command line of site, server and relay.
    names JobVariable(str) in "config.job_variable";

    /// Bool: whether messages are authenticated; start scripts always say `true`.
    SECURE_TRAIN = "secure_train", from "literal:nvflare.private.fed.app.fl_conf";
    /// Text: the name of the site.
    UID = "uid", from "literal:nvflare.private.fed.app.fl_conf";
    /// Text: its organisation.
    ORG = "org", from "literal:nvflare.private.fed.app.fl_conf";
    /// Text: folder of the configuration within an application.
    CONFIG_FOLDER = "config_folder", from "literal:nvflare.private.fed.app.client.worker_process";
}
