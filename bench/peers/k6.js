// The load of another program, k6: connections to an echo server, each with one
// message outstanding.  Says "begin" when it is warm and "end" when the time is
// over, each with the number of echoes so far.
//
//   k6 run --quiet k6.js
//
// In the environment: PORT, CONNECTIONS, SIZE in bytes, DURATION and WARMUP in
// seconds.
import { WebSocket } from "k6/websockets";

export const options = { vus: 1, iterations: 1 };

const connections = Number(__ENV.CONNECTIONS);
const message = "x".repeat(Number(__ENV.SIZE));
const begin = Date.now() + Number(__ENV.WARMUP) * 1000;
const end = begin + Number(__ENV.DURATION) * 1000;

const said = {};
let echoes = 0;

function say(what) {
  if (!said[what]) {
    said[what] = true;
    console.log(`${what} ${echoes}`);
  }
}

function connect() {
  const ws = new WebSocket(`ws://127.0.0.1:${__ENV.PORT}/`);
  ws.onopen = () => ws.send(message);
  ws.onmessage = () => {
    const now = Date.now();
    echoes += 1;
    if (now >= begin) {
      say("begin");
    }
    if (now < end) {
      ws.send(message);
    } else {
      say("end");
      ws.close();
    }
  };
}

export default function () {
  for (let i = 0; i < connections; i += 1) {
    connect();
  }
}
