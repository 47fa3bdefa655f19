// What the official client does against a running Muninn, told as one line of JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "unused", maxRetries: 0 });
const told = {};

async function ended(id) {
  for (;;) {
    const job = await client.responses.retrieve(id);
    if (!["queued", "in_progress"].includes(job.status)) return job;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

async function read(stream, most = Infinity) {
  const events = [];
  for await (const event of stream) {
    events.push(event);
    if (events.length >= most) break;
  }
  return events;
}

const brief = (events) =>
  events.map((event) => ({
    type: event.type,
    number: event.sequence_number,
    delta: event.type === "response.output_text.delta" ? event.delta : "",
  }));

told.inline = (await client.responses.create({ model: "echo/hello", input: "hi" })).output_text;
told.stream = brief(
  await read(await client.responses.create({ model: "echo/hello", input: "a b c", stream: true })),
);

const job = await client.responses.create({
  model: "echo/slow-200ms",
  input: "later",
  background: true,
  metadata: { k: "v" },
});
told.submitted = { id: job.id, status: job.status, text: job.output_text, metadata: job.metadata };
const done = await ended(job.id);
told.done = { id: done.id, status: done.status, text: done.output_text };
told.byProvidersId = (await client.responses.retrieve(done.id)).output_text;
told.inputItems = [];
for await (const item of client.responses.inputItems.list(job.id)) told.inputItems.push(item);

const polled = await client.responses.create(
  { model: "echo/hello", input: "async" },
  { headers: { "x-bf-async": "true" } },
);
told.async = { status: polled.status, text: (await ended(polled.id)).output_text };

const hanging = await client.responses.create({
  model: "echo/hang",
  input: "x",
  background: true,
});
told.cancelled = (await client.responses.cancel(hanging.id)).status;
await client.responses.delete(hanging.id);
told.deleted = await client.responses.retrieve(hanging.id).catch((error) => ({
  status: error.status,
  code: error.code,
}));

const live = await client.responses.create({
  model: "echo/slow-500ms",
  input: "one two three four",
  background: true,
  stream: true,
});
const first = await read(live, 5);
const id = first[0].response.id;
const rest = await read(
  await client.responses.retrieve(id, { stream: true, starting_after: first.at(-1).sequence_number }),
);
told.resumed = brief([...first, ...rest]);
told.final = rest.at(-1).response.output_text ?? null;
told.replayed = brief(await read(await client.responses.retrieve(id, { stream: true })));

const helper = client.responses.stream({ model: "echo/hello", input: "x y", background: true });
told.helper = (await helper.finalResponse()).output_text;

const failed = await client.responses.create({
  model: "echo/error-400",
  input: "x",
  background: true,
});
const failure = await ended(failed.id);
told.failed = { status: failure.status, hasMessage: Boolean(failure.error.message) };

console.log(JSON.stringify(told));
