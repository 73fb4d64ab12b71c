// The standard library has no HTTP: what hyper and ureq send, on a kept connection.
use std::io::{Read, Write};
use std::net::TcpStream;

fn main() {
    let url = std::env::args().nth(1).unwrap();
    let authority = url.trim_start_matches("http://").trim_end_matches("/score").to_string();
    let mut stream = TcpStream::connect(&authority).unwrap();
    for n in 0..5 {
        let body = format!("{{\"n\": {}}}", n);
        let framing = if n < 3 {
            format!("content-length: {}\r\n\r\n{}", body.len(), body)
        } else {
            format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n", body.len(), body)
        };
        write!(stream, "POST /score HTTP/1.1\r\nhost: {}\r\naccept: */*\r\n{}", authority, framing).unwrap();
        let mut text = String::new();
        let mut part = [0; 4096];
        while !text.contains("}") {
            let size = stream.read(&mut part).unwrap();
            text.push_str(std::str::from_utf8(&part[..size]).unwrap());
        }
        let (head, answer) = text.split_once("\r\n\r\n").unwrap();
        println!("{} {}", head.split(' ').nth(1).unwrap(), answer);
    }
}
