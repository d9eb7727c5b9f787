//! A cell that echoes, and asks if it is told whom: `echo NAME ROOT_URL [TARGET]`.

use core::error::Error;
use core::time::Duration;
use std::env;

use fedcell_cell::security::SecurityMode;
use fedcell_cell::{Cell, Request};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().ok_or("expected the name of the cell")?;
    let url = arguments.next().ok_or("expected the URL of the server")?;
    let cell = Cell::builder(name).security(SecurityMode::Clear).root_url(url).start().await?;
    cell.handle("test", "echo", async |request: Request| request.body());
    cell.ready().await;
    if let Some(target) = arguments.next() {
        let response = cell
            .request(target, "test", "echo")
            .payload(b"hello".to_vec())
            .timeout(Duration::from_secs(5))
            .send()
            .await?
            .success()?;
        assert_eq!(response.bytes(), "hello");
    } else {
        cell.ended().await;
    }
    cell.shutdown().await;
    Ok(())
}
