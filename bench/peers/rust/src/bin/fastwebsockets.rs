//! An echo server on fastwebsockets, as its documentation writes one, on a
//! runtime of one thread: messages up to 16 MiB, no compression.
//!
//!     fastwebsockets PORT        on 127.0.0.1, until a signal comes
use fastwebsockets::upgrade::{upgrade, UpgradeFut};
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

const MOST: usize = 16 << 20;

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut websocket = upgraded.await?;
    websocket.set_max_message_size(MOST);
    let mut websocket = FragmentCollector::new(websocket);
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgraded) = upgrade(&mut request)?;
    tokio::spawn(echo(upgraded));
    Ok(response)
}

async fn serve(stream: TcpStream) -> hyper::Result<()> {
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .with_upgrades()
        .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), std::io::Error> {
    let port = std::env::args().next_back().unwrap();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}
