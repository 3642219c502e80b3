// The load of another program, k6: connections to an echo server, each with one
// message outstanding.  The last line on standard output is a JSON object.
//
//   k6 run --quiet -e PORT=... k6.js
//
// In the environment: CONNECTIONS, SIZE in bytes, DURATION and WARMUP in seconds.
import { WebSocket } from "k6/websockets";

export const options = { vus: 1, iterations: 1 };

const connections = Number(__ENV.CONNECTIONS);
const message = "x".repeat(Number(__ENV.SIZE));
const begin = Date.now() + Number(__ENV.WARMUP) * 1000;
const end = begin + Number(__ENV.DURATION) * 1000;

let all = 0;
let counted = 0;
let open = connections;

function tell() {
  const rate = counted / Number(__ENV.DURATION);
  console.log(JSON.stringify({ echoes: all, rate }));
}

function connect() {
  const ws = new WebSocket(`ws://127.0.0.1:${__ENV.PORT}/`);
  ws.onopen = () => ws.send(message);
  ws.onmessage = () => {
    const now = Date.now();
    all += 1;
    counted += now >= begin && now < end;
    if (now < end) {
      ws.send(message);
    } else {
      ws.close();
    }
  };
  ws.onclose = () => {
    open -= 1;
    if (open === 0) {
      tell();
    }
  };
}

export default function () {
  for (let i = 0; i < connections; i += 1) {
    connect();
  }
}
