import http from "node:http";

const url = process.argv[2];
for (let n = 0; n < 3; n++) {
  const answer = await fetch(url, { method: "POST", body: JSON.stringify({ n }) });
  console.log(answer.status, await answer.text());
}
const stream = new ReadableStream({
  start(controller) {
    controller.enqueue(new TextEncoder().encode('{"n": 3}'));
    controller.close();
  },
});
const chunked = await fetch(url, { method: "POST", body: stream, duplex: "half" });
console.log(chunked.status, await chunked.text());
const headers = { Expect: "100-continue" };
const request = http.request(url, { method: "POST", headers, agent: new http.Agent({ keepAlive: true }) });
request.on("continue", () => request.end('{"n": 4}'));
request.on("response", async (answer) => {
  let text = "";
  for await (const part of answer) text += part;
  console.log(answer.statusCode, text);
  process.exit(0);
});
request.flushHeaders();
