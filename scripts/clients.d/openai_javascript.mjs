// The official OpenAI client for JavaScript.
import assert from "node:assert";
import OpenAI from "openai";

const options = { baseURL: `${process.env.RAG_URL}/v1`, maxRetries: 0 };
const client = new OpenAI({ ...options, apiKey: process.env.RAG_SERVE_TOKEN });
const stranger = new OpenAI({ ...options, apiKey: "somebody-elses-token" });
const messages = [{ role: "user", content: "How do I list the models?" }];
const embeds = "all-MiniLM-L6-v2";

async function check(words, run) {
  try {
    await run();
    console.log(`ok      openai for JavaScript: ${words}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAILED  openai for JavaScript: ${words}\n${error.stack}`);
  }
}

await check("models", async () => {
  const names = (await client.models.list()).data.map((model) => model.id);
  assert.deepStrictEqual(names, ["rag", "rag:default", embeds]);
});

await check("an answer and a stream", async () => {
  const reply = await client.chat.completions.create({ model: "rag", messages, temperature: 0 });
  const whole = reply.choices[0].message.content;
  assert.match(whole, /rag model list/);
  assert.ok(reply.usage.total_tokens > 0);
  let text = "";
  for await (const piece of await client.chat.completions.create({ model: "rag", messages, stream: true })) {
    text += piece.choices[0]?.delta?.content ?? "";
  }
  assert.strictEqual(text, whole);
});

await check("embeddings", async () => {
  const packed = await client.embeddings.create({ model: embeds, input: ["an otter", "a boat"] });
  const plain = await client.embeddings.create({ model: embeds, input: "an otter", encoding_format: "float" });
  assert.strictEqual(packed.data[0].embedding.length, 384);
  packed.data[0].embedding.forEach((value, n) => assert.ok(Math.abs(value - plain.data[0].embedding[n]) < 1e-7));
});

await check("refusals", async () => {
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ model: "gpt-4o", messages }), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ model: "rag", messages, n: 2 }), OpenAI.BadRequestError);
});
