//! An echo server on tokio-tungstenite, as its documentation writes one, on a
//! runtime of one thread: messages up to 16 MiB, no compression.
//!
//!     tokio-tungstenite PORT        on 127.0.0.1, until a signal comes
//!
//! With MODE=broadcast: what a member says goes to all, itself included; what
//! waits for a member is written at once.
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::stream::SplitSink;
use futures_util::{future, SinkExt, StreamExt, TryStreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async_with_config, WebSocketStream};

const MOST: usize = 16 << 20;
// A buffer is cleared before each read: with the default of 128 KiB that costs
// more than an echo of a short message.
const READ: usize = 16 << 10;

type Room = Arc<Mutex<HashMap<u64, UnboundedSender<Message>>>>;

async fn accept(stream: TcpStream) -> Result<WebSocketStream<TcpStream>, Error> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MOST))
        .read_buffer_size(READ);
    stream.set_nodelay(true)?;
    accept_async_with_config(stream, Some(config)).await
}

fn is_message(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let (write, read) = accept(stream).await?.split();
    read.try_filter(|message| future::ready(is_message(message)))
        .forward(write)
        .await
}

async fn write(
    mut sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    mut messages: UnboundedReceiver<Message>,
) -> Result<(), Error> {
    while let Some(message) = messages.recv().await {
        sink.feed(message).await?;
        while let Ok(message) = messages.try_recv() {
            sink.feed(message).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}

async fn member(stream: TcpStream, room: Room, id: u64) -> Result<(), Error> {
    let (sink, mut read) = accept(stream).await?.split();
    let (sender, receiver) = unbounded_channel();
    room.lock().unwrap().insert(id, sender);
    tokio::spawn(write(sink, receiver));
    while let Some(Ok(message)) = read.next().await {
        if is_message(&message) {
            for sender in room.lock().unwrap().values() {
                let _ = sender.send(message.clone());
            }
        }
    }
    room.lock().unwrap().remove(&id);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), std::io::Error> {
    let port = std::env::args().next_back().unwrap();
    let is_room = std::env::var("MODE").is_ok_and(|mode| mode == "broadcast");
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let room = Room::default();
    let mut id = 0;
    loop {
        let (stream, _) = listener.accept().await?;
        id += 1;
        if is_room {
            tokio::spawn(member(stream, room.clone(), id));
        } else {
            tokio::spawn(echo(stream));
        }
    }
}
