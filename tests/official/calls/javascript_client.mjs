// Makes the compared calls with @fal-ai/client: `javascript_client.mjs NAME FOLDER` prints the outcome as JSON.
//
// undici's proxy agent reads the variables of `fal-emulator serve`, which direct it to the emulator.

import { File } from "node:buffer";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createFalClient } from "@fal-ai/client";
import { EnvHttpProxyAgent, WebSocket, setGlobalDispatcher } from "undici";

setGlobalDispatcher(new EnvHttpProxyAgent());
globalThis.WebSocket = WebSocket;

const { echo, events, job, long_job, small } = JSON.parse(readFileSync(new URL("inputs.json", import.meta.url)));
const fal = createFalClient({ credentials: process.env.FAL_KEY });

const messages = (logs) => [...new Set((logs ?? []).map((log) => log.message))];

const file = (folder, name) => new File([readFileSync(join(folder, name))], name, { type: "application/octet-stream" });

const stored = async (url) => {
  const content = new Uint8Array(await (await fetch(url)).arrayBuffer());
  return createHash("sha256").update(content).digest("hex");
};

async function completed(id) {
  for (;;) {
    const status = await fal.queue.status("emulator/job", { requestId: id, logs: true });
    if (status.status === "COMPLETED") return status;
  }
}

async function subscribe(mode) {
  const logs = [];
  const onQueueUpdate = (status) => logs.push(...(status.logs ?? []));
  const { data } = await fal.subscribe("emulator/job", { input: job, logs: true, mode, onQueueUpdate });
  return { result: data, logs: messages(logs) };
}

const calls = {
  run: async () => (await fal.run("emulator/echo", { input: echo })).data.body,
  run_refused: () => fal.run("emulator/fail/image_too_large", { input: {} }).catch((error) => error.status),
  submit: async () => {
    const options = { input: job, priority: "low", hint: "lefty", startTimeout: 30 };
    const { request_id } = await fal.queue.submit("emulator/job", options);
    await completed(request_id);
    return (await fal.queue.result("emulator/job", { requestId: request_id })).data;
  },
  status: async () => {
    const { request_id } = await fal.queue.submit("emulator/job", { input: job });
    return messages((await completed(request_id)).logs);
  },
  subscribe: () => subscribe("polling"),
  subscribe_streaming: () => subscribe("streaming"),
  cancel: async () => {
    const { request_id } = await fal.queue.submit("emulator/job", { input: long_job });
    await fal.queue.cancel("emulator/job", { requestId: request_id });
    return "cancelled";
  },
  stream: async () => {
    const seen = [];
    const stream = await fal.stream("emulator/stream", { input: { events } });
    for await (const event of stream) seen.push(event);
    return seen;
  },
  realtime: () =>
    new Promise((resolve, reject) => {
      const connection = fal.realtime.connect("emulator/realtime", {
        onResult: (result) => {
          connection.close();
          resolve(result.n);
        },
        onError: reject,
      });
      connection.send({ n: 1 });
    }),
  upload: async () => stored(await fal.storage.upload(new File([small], "small.txt", { type: "text/plain" }))),
  upload_5_mb: async (folder) => stored(await fal.storage.upload(file(folder, "5mb.bin"))),
  upload_120_mb: async (folder) => stored(await fal.storage.upload(file(folder, "120mb.bin"))),
};

const [name, folder] = process.argv.slice(2);
console.log(JSON.stringify({ outcome: await calls[name](folder) }));
// The client leaves timers and sockets open.
process.exit(0);
