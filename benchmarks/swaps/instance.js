// The server of `swaps.py` in Node.js: it closes idle connections soon, and dies at once when it is told to leave.
const http = require("node:http");

const release = process.env.CIRANDA_RELEASE;

const server = http.createServer((request, response) => {
  const [path, query] = request.url.split("?");
  if (path === "/echo") {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      response.write(`${release} `);
      for (const piece of pieces) response.write(piece);
      response.end();
    });
    return;
  }
  request.resume();
  request.on("end", () => {
    const answer = () => {
      response.setHeader("Content-Length", release.length);
      response.end(release);
    };
    if (path === "/slow") setTimeout(answer, Number(query));
    else answer();
  });
});

server.on("upgrade", (_, socket, head) => {
  socket.on("error", () => socket.destroy());
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
  let frames = head;
  socket.on("data", (data) => {
    frames = Buffer.concat([frames, data]);
    for (;;) {
      const length = frames.length >= 6 ? frames[1] & 0x7f : Infinity;
      if (frames.length < 6 + length) return;
      socket.write(Buffer.concat([frames.subarray(0, 1), Buffer.from([length]), frames.subarray(6, 6 + length)]));
      frames = frames.subarray(6 + length);
    }
  });
});

server.keepAliveTimeout = Number(process.env.IDLE_MS);
server.requestTimeout = 0;
server.listen(Number(process.env.PORT), "127.0.0.1");
