//! The way in to a container's published port.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::common::{BUSYBOX, PATIENCE, Site, ample};
use nupeer_paas_drivers::image::make::web_server;
use nupeer_paas_drivers::proxy::{Proxy, ProxyConfig};
use nupeer_paas_drivers::{Driver, WorkloadId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn proxy(site: &Site, id: &WorkloadId, change: impl FnOnce(&mut ProxyConfig)) -> Proxy {
    let mut config = ProxyConfig::new(Ipv4Addr::LOCALHOST.into());
    config.connect_patience = PATIENCE;
    change(&mut config);
    Proxy::start(site.driver.ingress(id).unwrap(), config)
        .await
        .unwrap()
}

/// Sends `request`, says that no more comes, and reads the answer to its end.
async fn exchange(proxy: &Proxy, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    let sending = async {
        write.write_all(request).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let both = async { tokio::join!(sending, read.read_to_end(&mut answer)) };
    timeout(PATIENCE, both)
        .await
        .expect("an answer in time")
        .1
        .unwrap();
    answer
}

/// A container in which every connection is answered by `command`.
fn served_by(site: &Site, command: &str) -> WorkloadId {
    site.run(&site.spec(&format!("exec nc -ll -p 8080 -e {command}"), ample()))
}

#[tokio::test]
async fn a_web_server_in_a_container_answers_through_the_proxy() {
    let site = Site::new();
    let made = web_server(std::path::Path::new(BUSYBOX), "hello from inside").unwrap();
    site.driver
        .images()
        .import(&mut std::io::Cursor::new(made.archive), &made.digest)
        .unwrap();
    let id = site.run(&site.spec_of(made.digest, &[], crate::common::limits()));
    let proxy = proxy(&site, &id, |_| {}).await;
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = String::from_utf8(exchange(&proxy, request).await).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello from inside"),
        "{answer}"
    );
    let (to, from) = proxy.traffic_bytes();
    assert_eq!((to, from), (request.len() as u64, answer.len() as u64));
    site.wait_for_output(&id, "response:200");
}

#[tokio::test]
async fn a_client_that_has_said_everything_still_gets_the_whole_answer() {
    let site = Site::new();
    let id = served_by(&site, "/bin/cat");
    let proxy = proxy(&site, &id, |_| {}).await;
    // More than all buffers on the way hold together.
    let request: Vec<u8> = (0..4_000_000u32)
        .map(|number| (number % 251) as u8)
        .collect();
    assert!(
        exchange(&proxy, &request).await == request,
        "what came back is not what was sent"
    );
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_free_place() {
    let site = Site::new();
    let id = served_by(&site, "/bin/cat");
    let proxy = proxy(&site, &id, |config| config.connections_max = 1).await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    first.write_all(b"a").await.unwrap();
    assert_eq!(
        timeout(PATIENCE, first.read_u8()).await.unwrap().unwrap(),
        b'a'
    );
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    second.write_all(b"b").await.unwrap();
    assert!(
        timeout(Duration::from_millis(300), second.read_u8())
            .await
            .is_err(),
        "it was served over the bound"
    );
    drop(first);
    assert_eq!(
        timeout(PATIENCE, second.read_u8()).await.unwrap().unwrap(),
        b'b'
    );
}

#[tokio::test]
async fn a_connection_that_carries_nothing_is_cut() {
    let site = Site::new();
    let id = served_by(&site, "/bin/cat");
    let proxy = proxy(&site, &id, |config| {
        config.idle_timeout = Duration::from_millis(300)
    })
    .await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"a").await.unwrap();
    assert_eq!(
        timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(),
        b'a'
    );
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("it is cut")
        .unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_proxy_ends_with_its_container() {
    let site = Site::new();
    let id = served_by(&site, "/bin/cat");
    let mut proxy = proxy(&site, &id, |_| {}).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"a").await.unwrap();
    assert_eq!(
        timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(),
        b'a'
    );
    site.driver.remove(&id).unwrap();
    timeout(PATIENCE, proxy.ended())
        .await
        .expect("the proxy ends");
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("its connections are cut");
    assert!(
        TcpStream::connect(proxy.address()).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn a_paused_container_keeps_its_connections() {
    let site = Site::new();
    let id = served_by(&site, "/bin/cat");
    let proxy = proxy(&site, &id, |_| {}).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"a").await.unwrap();
    assert_eq!(
        timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(),
        b'a'
    );
    site.driver.pause(&id).unwrap();
    stream.write_all(b"b").await.unwrap();
    assert!(
        timeout(Duration::from_millis(300), stream.read_u8())
            .await
            .is_err(),
        "a paused container answers"
    );
    site.driver.resume(&id).unwrap();
    assert_eq!(
        timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(),
        b'b'
    );
}
